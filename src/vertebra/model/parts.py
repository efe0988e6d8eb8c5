"""What goes around the weights of every model: the shell, the tokenizer, the processor, how generation ends.

Whether a model is put together from a backbone or converted from a published checkpoint, these are made here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from transformers import (
    AutoTokenizer,
    CLIPVisionConfig,
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    VipLlavaConfig,
    VipLlavaForConditionalGeneration,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from vertebra.errors import Refused
from vertebra.model.checkpoint import Network
from vertebra.spec import Backbone

ROWS = 64
"""A vocabulary that has to grow grows to a multiple of this."""

Shell: TypeAlias = Literal["llava", "vip_llava"]


def shell(model: Shell, layers: Sequence[int], seen: CLIPVisionConfig, said: PreTrainedConfig, image: int) -> Network:
    """The family's network for a tower's and a language model's config, on the meta device: shapes, no numbers."""
    parts = {
        "vision_config": seen,
        "text_config": said,
        "image_token_index": image,
        "image_seq_length": (seen.image_size // seen.patch_size) ** 2,
        "tie_word_embeddings": bool(said.tie_word_embeddings),
    }
    with torch.device("meta"):
        if model == "llava":
            read = layers[0] if len(layers) == 1 else list(layers)
            return LlavaForConditionalGeneration(LlavaConfig(vision_feature_layer=read, **parts))
        return VipLlavaForConditionalGeneration(VipLlavaConfig(vision_feature_layer=list(layers), **parts))


def tokenizer_in(folder: Path, backbone: Backbone) -> PreTrainedTokenizerFast:
    """A folder's tokenizer with the backbone's image and pad tokens. `Refused` when it lacks a stop token."""
    return fitted(AutoTokenizer.from_pretrained(folder, local_files_only=True), backbone)


def fitted(tokenizer: PreTrainedTokenizerFast, backbone: Backbone) -> PreTrainedTokenizerFast:
    """The tokenizer with the backbone's image and pad tokens. `Refused` when it lacks a stop token."""
    known = tokenizer.get_vocab()
    for stop in backbone.stop:
        if stop not in known:
            raise Refused(f"{backbone.name}: the stop token {stop!r} is not in the tokenizer's vocabulary.")
    tokenizer.add_tokens([token for token in (backbone.image, backbone.pad) if token not in known], special_tokens=True)
    tokenizer.pad_token = backbone.pad
    tokenizer.chat_template = None  # the processor carries it
    return tokenizer


def generation(backbone: Backbone, tokenizer: PreTrainedTokenizerFast) -> GenerationConfig:
    """Greedy answers that end at any of the backbone's stop tokens."""
    stops = [tokenizer.convert_tokens_to_ids(stop) for stop in backbone.stop]
    return GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=stops,
        pad_token_id=tokenizer.pad_token_id,
    )


def processor(
    network: Network, backbone: Backbone, tokenizer: PreTrainedTokenizerFast, template: str
) -> LlavaProcessor:
    """Pads images to a square, speaks the chat format, gives each image the positions it takes."""
    seen = network.config.vision_config
    images = LlavaImageProcessorPil(
        do_pad=True,
        size={"shortest_edge": seen.image_size},
        crop_size={"height": seen.image_size, "width": seen.image_size},
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=seen.patch_size,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token=backbone.image,
        chat_template="{%- set image_token = '" + backbone.image + "' -%}\n" + template,
    )
