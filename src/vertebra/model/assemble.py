"""Eyes on a language model: a vision tower, a new projector and a causal language model become one network.

The parts are moved into transformers' LLaVA and ViP-LLaVA shells, never copied; only the projector is new. The image
and pad tokens are ids that the vocabulary already has where the backbone names such, so its rows stay untouched.
LLaVA-1.5: arXiv:2310.03744; ViP-LLaVA: arXiv:2312.00784.
"""

from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForCausalLM, CLIPVisionModel, PreTrainedModel

from vertebra.errors import DataError, Refused
from vertebra.model.checkpoint import Network, VisionLanguageModel
from vertebra.model.parts import ROWS, generation, processor, shell, tokenizer_in
from vertebra.source import locate
from vertebra.spec import Backbone, Family

PRECISION = torch.float32
"""Of the assembled weights, whatever they were stored in."""


def assemble(family: Family, backbone: Backbone, template: str, seed: int) -> VisionLanguageModel:
    """A family's untrained model on a backbone; the projector (and rows that had to be added) follow from `seed`.

    `Refused` when the wrapped language model does not give the plain one's logits, `DataError` for missing weights.
    """
    tokenizer = tokenizer_in(locate(backbone.weights), backbone)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        language = _language(locate(backbone.weights), len(tokenizer))
        tower = CLIPVisionModel.from_pretrained(locate(family.vision), dtype=PRECISION, local_files_only=True)
        network = _joined(family, tower, language, tokenizer.convert_tokens_to_ids(backbone.image))
    network.generation_config = generation(backbone, tokenizer)
    _prove_head(network, language, backbone)
    return VisionLanguageModel(network.eval(), processor(network, backbone, tokenizer, template))


def _language(folder: Path, words: int) -> PreTrainedModel:
    try:
        language = AutoModelForCausalLM.from_pretrained(folder, dtype=PRECISION, local_files_only=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} does not hold a loadable causal language model: {error}") from error
    if words > language.config.vocab_size:
        language.resize_token_embeddings(words, pad_to_multiple_of=ROWS, mean_resizing=False)
    return language


def _joined(family: Family, tower: CLIPVisionModel, language: PreTrainedModel, image: int) -> Network:
    network = shell(family.model, family.layers, tower.config, language.config, image)
    network.model.vision_tower = tower
    network.model.language_model = language.base_model
    network.lm_head = language.get_output_embeddings()
    network.model.multi_modal_projector.to_empty(device="cpu").to(language.dtype)
    for part in network.model.multi_modal_projector.modules():
        if isinstance(part, nn.Linear | nn.LayerNorm):
            part.reset_parameters()  # torch's defaults, as the published code
    return network


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
