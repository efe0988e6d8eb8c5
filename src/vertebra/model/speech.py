"""How a backbone is spoken to: its tokenizer, its chat format in a processor, and where its answers end.

The image and pad tokens are ids that the vocabulary already has where the backbone names such, so its rows stay
untouched; only a name that the tokenizer does not know is added.
"""

from pathlib import Path

from transformers import (
    AutoTokenizer,
    GenerationConfig,
    LlavaProcessor,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from vertebra.chat.template import bound
from vertebra.errors import DataError, Refused
from vertebra.model.pieces import readable
from vertebra.spec import Backbone


def open_tokenizer(folder: Path, backbone: Backbone) -> PreTrainedTokenizerFast:
    """The tokenizer in a folder, which knows the backbone's image and pad token.

    `DataError` when there is none, `Refused` for a stop token that it does not know.
    """
    return fitted(read_tokenizer(folder), backbone)


def read_tokenizer(folder: Path, config: PreTrainedConfig | None = None) -> PreTrainedTokenizerFast:
    """The tokenizer in a folder, whatever model lies beside it if a `config` is given.

    `DataError` when there is none that transformers' fast tokenizers can stand for.
    """
    try:
        with readable(folder) as place:
            found = AutoTokenizer.from_pretrained(place, config=config, local_files_only=True, trust_remote_code=False)
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file makes of the loader
        raise DataError(f"{folder} does not hold a loadable tokenizer: {error}") from error
    if not isinstance(found, PreTrainedTokenizerFast):
        raise DataError(f"{folder} holds a tokenizer of the kind {type(found).__name__}, which has no tokenizer.json.")
    return found


def fitted(tokenizer: PreTrainedTokenizerFast, backbone: Backbone) -> PreTrainedTokenizerFast:
    """The tokenizer with the backbone's image and pad tokens. `Refused` when it lacks a stop token."""
    known = tokenizer.get_vocab()
    for stop in backbone.stop:
        if stop not in known:
            raise Refused(f"{backbone.name}: the stop token {stop!r} is not in the tokenizer's vocabulary.")
    new = [token for token in dict.fromkeys((backbone.image, backbone.pad)) if token not in known]
    tokenizer.add_tokens(new, special_tokens=True)
    tokenizer.pad_token = backbone.pad
    return tokenizer


def generation_of(backbone: Backbone, tokenizer: PreTrainedTokenizerFast) -> GenerationConfig:
    """Greedy answers that end at any of the backbone's stop tokens."""
    return GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=[tokenizer.convert_tokens_to_ids(stop) for stop in backbone.stop],
        pad_token_id=tokenizer.pad_token_id,
    )


def processor_of(
    backbone: Backbone, tokenizer: PreTrainedTokenizerFast, template: str, side: int, patch: int
) -> LlavaProcessor:
    """Feeds a model: pictures padded to a square of `side` pixels, `patch` by patch, and words in the chat format.

    transformers' own default cuts pictures at the centre, which is not how the published models were trained.
    """
    chat = bound(template, backbone.image, backbone.compat, tokenizer.chat_template)
    tokenizer.chat_template = None  # the processor carries it
    images = LlavaImageProcessorPil(
        do_pad=True, size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token=backbone.image,
        chat_template=chat,
    )
