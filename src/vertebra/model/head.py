"""The output head inside a shell: transformers' LLaVA shells apply a matrix to the last states, and nothing else.

A backbone whose own head does more would lose that in silence. A factor on its logits (Granite divides by
`logits_scaling`, Cohere multiplies by `logit_scale`) is carried by the matrix, which then is the head's own and no
longer the embedding's. A cap (Gemma-2) or a bias (Phi-2) cannot be: such a backbone is refused.
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from vertebra.errors import Refused

_FACTORS: Mapping[str, Callable[[float], float]] = {
    "logits_scaling": lambda value: 1 / value,
    "logit_scale": lambda value: value,
    "lm_head_multiplier": lambda value: value,
}
"""What the logits are multiplied by, from the field of the config that says so."""

_CAPS = ("final_logit_softcapping",)

TOLERANCE = 1e-6
"""Largest difference to the plain model's logits, relative to the largest of them, where a factor was folded in."""


def carried_head(language: PreTrainedModel) -> nn.Linear:
    """The matrix that alone gives the language model's logits from its last states.

    Where a factor goes into it, the config is changed to say so. `Refused` when no matrix can.
    """
    head: nn.Linear = language.get_output_embeddings()
    config = language.config
    for cap in _CAPS:
        if getattr(config, cap, None):
            raise Refused(f"its head caps the logits ({cap} {getattr(config, cap)}), which the LLaVA shells would drop")
    if getattr(head, "bias", None) is not None and (head.bias.is_meta or head.bias.any()):
        raise Refused("its head adds a bias to the logits, which the LLaVA shells would drop")
    factor = _factor(config)
    if factor == 1:
        return head
    matrix = nn.Linear(head.in_features, head.out_features, bias=False, device="meta")
    matrix.weight = nn.Parameter(head.weight.detach() * factor)
    for field in _FACTORS:
        if hasattr(config, field):
            setattr(config, field, 1.0)
    config.tie_word_embeddings = False
    return matrix


def _factor(config: PreTrainedConfig) -> float:
    factor = 1.0
    for field, of in _FACTORS.items():
        value = getattr(config, field, None)
        if value is not None:
            factor *= of(value)
    return factor


@torch.no_grad()
def head_gap(shell: PreTrainedModel, wanted: torch.Tensor, ids: torch.Tensor) -> float:
    """How far the shell's logits for text, int[1, T], are from the plain model's, relative to the largest of these."""
    rows = wanted.shape[-1]
    return float((shell(input_ids=ids).logits[..., :rows] - wanted).abs().max() / wanted.abs().max())


@torch.no_grad()
def plain_logits(language: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    """The language model's own logits for some ids, int[1, T]; to be asked before its head is carried."""
    logits: torch.Tensor = language(input_ids=ids).logits
    return logits.clone()
