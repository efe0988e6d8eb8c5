"""Eyes on a language model: a vision tower, a new projector and a causal language model become one network.

The parts are moved into transformers' LLaVA and ViP-LLaVA shells, never copied; only the projector is new. So memory
holds the weights once: at most 1.2 times them, whatever they are cast to (docs/numbers.md).
LLaVA-1.5: arXiv:2310.03744; ViP-LLaVA: arXiv:2312.00784.
"""

import torch
from torch import nn
from transformers import CLIPVisionModel, PreTrainedModel, PreTrainedTokenizerFast

from vertebra.errors import Refused
from vertebra.model.checkpoint import Network, VisionLanguageModel
from vertebra.model.head import TOLERANCE, carried_head, head_gap, plain_logits
from vertebra.model.parts import language_of, tower_of
from vertebra.model.shell import ROWS, shell
from vertebra.model.speech import generation_of, open_tokenizer, processor_of
from vertebra.source import locate
from vertebra.spec import Backbone, Family


def assemble(
    family: Family, backbone: Backbone, template: str, seed: int, precision: torch.dtype = torch.float32
) -> VisionLanguageModel:
    """A family's untrained model on a backbone; the projector follows from `seed`.

    All weights are cast to `precision`, whatever they were stored in. `Refused` when the wrapped language model does
    not give the plain one's logits or a part is not what its file says, `DataError` for missing or torn weights.
    """
    folder = locate(backbone.weights)
    tokenizer = open_tokenizer(folder, backbone)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        language = language_of(folder, backbone, precision)
        _check_rows(tokenizer, backbone, language.config.vocab_size)
        grow(language, len(tokenizer))
        tower = tower_of(locate(family.vision), precision)
        network = join(family, tower, language, tokenizer.convert_tokens_to_ids(backbone.image), backbone.name)
    network.generation_config = generation_of(backbone, tokenizer)
    seen = tower.config
    processor = processor_of(backbone, tokenizer, template, seen.image_size, seen.patch_size)
    return VisionLanguageModel(network.eval(), processor)


def grow(language: PreTrainedModel, words: int) -> None:
    """Adds rows to the vocabulary where a tokenizer has more tokens than it.

    A new row is the mean of the others: its logit is the mean logit, so it is never the most likely token.
    """
    rows = language.config.vocab_size
    if words > rows:
        language.resize_token_embeddings(words, pad_to_multiple_of=ROWS, mean_resizing=False)
        for part in (language.get_input_embeddings(), language.get_output_embeddings()):
            with torch.no_grad():
                part.weight[rows:] = part.weight[:rows].mean(0, dtype=torch.float32)


def join(family: Family, tower: CLIPVisionModel, language: PreTrainedModel, image: int, name: str) -> Network:
    """The parts in the family's shell, with a new projector; `image` is the id of the image token.

    `Refused`, with the backbone's name, when the shell's logits for text are not the language model's own.
    """
    ids = torch.arange(1, 9).unsqueeze(0)
    own = plain_logits(language, ids)
    try:
        head = carried_head(language)
    except Refused as error:
        raise Refused(f"{name}: {error}.") from error
    network = shell(family.model, family.layers, tower.config, language.config, image)
    network.model.vision_tower = tower
    network.model.language_model = language.base_model
    network.lm_head = head
    projector = network.model.multi_modal_projector.to_empty(device="cpu")
    for part in projector.modules():
        if isinstance(part, nn.Linear | nn.LayerNorm):
            part.reset_parameters()  # torch's defaults, as the published code
    projector.to(language.dtype)  # drawn in single precision, so that a seed means the same in every other
    gap = head_gap(network.eval(), own, ids)
    rounding = max(TOLERANCE, torch.finfo(language.dtype).eps)
    if gap > (0 if head is language.get_output_embeddings() else rounding):
        raise Refused(
            f"{name}: inside {type(network).__name__} its logits differ from its own by up to {gap:.2g} of the "
            "largest. It does more than the shell knows of."
        )
    return network


def _check_rows(words: PreTrainedTokenizerFast, backbone: Backbone, rows: int) -> None:
    """Only names may be new to a vocabulary, those of image and pad: whatever a model speaks, it was trained on."""
    named = [words.convert_tokens_to_ids(stop) for stop in backbone.stop]
    used = max(words.vocab_size - 1, words.bos_token_id or 0, *named)
    if used >= rows:
        raise Refused(
            f"{backbone.name}: its tokenizer uses the id {used}, but its embedding has only {rows} rows. The tokenizer "
            "is another model's: put the one that came with the weights beside them."
        )
