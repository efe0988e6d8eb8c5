"""Eyes on a language model: a vision tower, a new projector and a causal language model become one network.

The parts are moved into transformers' LLaVA and ViP-LLaVA shells, never copied; only the projector is new.
LLaVA-1.5: arXiv:2310.03744; ViP-LLaVA: arXiv:2312.00784.
"""

from pathlib import Path

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    CLIPVisionModel,
    PreTrainedModel,
)

from vertebra.errors import DataError, Refused
from vertebra.model.checkpoint import Network, VisionLanguageModel
from vertebra.model.head import TOLERANCE, carried_head, head_gap, plain_logits
from vertebra.model.shell import ROWS, shell
from vertebra.model.speech import generation_of, open_tokenizer, processor_of
from vertebra.source import locate
from vertebra.spec import Backbone, Family

PRECISION = torch.float32
"""Of the assembled weights, whatever they were stored in."""


def assemble(family: Family, backbone: Backbone, template: str, seed: int) -> VisionLanguageModel:
    """A family's untrained model on a backbone; the projector follows from `seed`.

    `Refused` when the wrapped language model does not give the plain one's logits, `DataError` for missing weights.
    """
    folder = locate(backbone.weights)
    tokenizer = open_tokenizer(folder, backbone)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        language = _language(folder, len(tokenizer))
        tower = CLIPVisionModel.from_pretrained(locate(family.vision), dtype=PRECISION, local_files_only=True)
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
                part.weight[rows:] = part.weight[:rows].mean(0)


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
    network.model.multi_modal_projector.to_empty(device="cpu").to(language.dtype)
    for part in network.model.multi_modal_projector.modules():
        if isinstance(part, nn.Linear | nn.LayerNorm):
            part.reset_parameters()  # torch's defaults, as the published code
    gap = head_gap(network.eval(), own, ids)
    if gap > (0 if head is language.get_output_embeddings() else TOLERANCE):
        raise Refused(
            f"{name}: inside {type(network).__name__} its logits differ from its own by up to {gap:.2g} of the "
            "largest. It does more than the shell knows of."
        )
    return network


def _language(folder: Path, words: int) -> PreTrainedModel:
    try:
        language = AutoModelForCausalLM.from_pretrained(folder, dtype=PRECISION, local_files_only=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} does not hold a loadable causal language model: {error}") from error
    grow(language, words)
    return language.eval()
