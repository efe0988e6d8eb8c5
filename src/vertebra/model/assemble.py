"""Eyes on a language model: a vision tower, a new projector and a causal language model become one network.

The parts are moved into transformers' LLaVA and ViP-LLaVA shells, never copied; only the projector is new. The image
and pad tokens are ids that the vocabulary already has where the backbone names such, so its rows stay untouched.
LLaVA-1.5: arXiv:2310.03744; ViP-LLaVA: arXiv:2312.00784.
"""

from pathlib import Path

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPVisionModel,
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    VipLlavaConfig,
    VipLlavaForConditionalGeneration,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from vertebra.errors import DataError, Refused
from vertebra.model.checkpoint import Network, VisionLanguageModel
from vertebra.source import locate
from vertebra.spec import Backbone, Family

PRECISION = torch.float32
"""Of the assembled weights, whatever they were stored in."""

_ROWS = 64
"""A vocabulary that has to grow grows to a multiple of this."""


def assemble(family: Family, backbone: Backbone, template: str, seed: int) -> VisionLanguageModel:
    """A family's untrained model on a backbone; the projector (and rows that had to be added) follow from `seed`.

    `Refused` when the wrapped language model does not give the plain one's logits, `DataError` for missing weights.
    """
    tokenizer = _tokenizer(backbone)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        language = _language(locate(backbone.weights), len(tokenizer))
        tower = CLIPVisionModel.from_pretrained(locate(family.vision), dtype=PRECISION, local_files_only=True)
        network = _joined(family, tower, language, tokenizer.convert_tokens_to_ids(backbone.image))
    network.generation_config = _generation(backbone, tokenizer)
    _prove_head(network, language, backbone)
    return VisionLanguageModel(network.eval(), _processor(network, backbone, tokenizer, template))


def _tokenizer(backbone: Backbone) -> PreTrainedTokenizerFast:
    tokenizer = AutoTokenizer.from_pretrained(locate(backbone.weights), local_files_only=True)
    known = tokenizer.get_vocab()
    for stop in backbone.stop:
        if stop not in known:
            raise Refused(f"{backbone.name}: the stop token {stop!r} is not in the tokenizer's vocabulary.")
    tokenizer.add_tokens([token for token in (backbone.image, backbone.pad) if token not in known], special_tokens=True)
    tokenizer.pad_token = backbone.pad
    tokenizer.chat_template = None  # the processor carries it
    return tokenizer


def _language(folder: Path, words: int) -> PreTrainedModel:
    try:
        language = AutoModelForCausalLM.from_pretrained(folder, dtype=PRECISION, local_files_only=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} does not hold a loadable causal language model: {error}") from error
    if words > language.config.vocab_size:
        language.resize_token_embeddings(words, pad_to_multiple_of=_ROWS, mean_resizing=False)
    return language


def _joined(family: Family, tower: CLIPVisionModel, language: PreTrainedModel, image: int) -> Network:
    seen = tower.config
    parts = {
        "vision_config": seen,
        "text_config": language.config,
        "image_token_index": image,
        "image_seq_length": (seen.image_size // seen.patch_size) ** 2,
        "tie_word_embeddings": bool(language.config.tie_word_embeddings),
    }
    with torch.device("meta"):
        network: Network
        if family.model == "llava":
            layers = family.layers[0] if len(family.layers) == 1 else list(family.layers)
            network = LlavaForConditionalGeneration(LlavaConfig(vision_feature_layer=layers, **parts))
        else:
            network = VipLlavaForConditionalGeneration(
                VipLlavaConfig(vision_feature_layer=list(family.layers), **parts)
            )
    network.model.vision_tower = tower
    network.model.language_model = language.base_model
    network.lm_head = language.get_output_embeddings()
    network.model.multi_modal_projector.to_empty(device="cpu").to(language.dtype)
    for part in network.model.multi_modal_projector.modules():
        if isinstance(part, nn.Linear | nn.LayerNorm):
            part.reset_parameters()  # torch's defaults, as the published code
    return network


def _generation(backbone: Backbone, tokenizer: PreTrainedTokenizerFast) -> GenerationConfig:
    stops = [tokenizer.convert_tokens_to_ids(stop) for stop in backbone.stop]
    return GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=stops,
        pad_token_id=tokenizer.pad_token_id,
    )


@torch.no_grad()
def _prove_head(network: Network, language: PreTrainedModel, backbone: Backbone) -> None:
    """The shells know only a plain head; soft caps, scales and biases of a backbone's own head would be lost."""
    ids = torch.arange(1, 9).unsqueeze(0)
    gap = (network(input_ids=ids).logits - language(input_ids=ids).logits).abs().max().item()
    if gap > 0:
        raise Refused(
            f"{backbone.name}: inside {type(network).__name__} its logits differ from its own by up to {gap:.2g}. "
            "Its output head does more than a matrix product, which the shell would drop."
        )


def _processor(
    network: Network, backbone: Backbone, tokenizer: PreTrainedTokenizerFast, template: str
) -> LlavaProcessor:
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
