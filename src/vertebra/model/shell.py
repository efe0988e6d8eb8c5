"""transformers' LLaVA and ViP-LLaVA as empty shells, for weights that are assembled or converted."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from transformers import (
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedConfig,
    VipLlavaConfig,
    VipLlavaForConditionalGeneration,
)

from vertebra.model.checkpoint import Network

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
