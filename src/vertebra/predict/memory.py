"""How much is asked at a time, and what happens where that was too much."""

import gc
from collections.abc import Callable
from typing import Protocol, TypeVar

import torch

from vertebra.asking.questions import Batch, halves
from vertebra.errors import VertebraError
from vertebra.model.checkpoint import Network

_ON_CPU = 4096
_MOST = 32_768
_SHARE = 0.5
"""Of an accelerator's free memory that a batch is planned with."""
_STATES = 12
"""Vectors of a layer's width that a token has in memory while the layer runs, the wide ones of its MLP among them."""


class Ready(Protocol):
    """A batch that is ready to be asked, whatever was made of its pictures."""

    @property
    def batch(self) -> Batch:
        """What is asked."""

    def of(self: "_Ready", batch: Batch) -> "_Ready":
        """A part of the batch, cut between groups or questions."""


_Ready = TypeVar("_Ready", bound=Ready)


def tokens_for(network: Network, device: torch.device) -> int:
    """How many tokens are read at a time: on an accelerator what fits beside the weights.

    A token leaves its keys and values in all layers, and while a layer runs some states.
    """
    if device.type != "cuda":
        return _ON_CPU
    text = network.config.get_text_config()
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    kept = 2 * text.num_hidden_layers * text.num_key_value_heads * width
    states = _STATES * text.hidden_size + 3 * text.intermediate_size
    free, _ = torch.cuda.mem_get_info(device)
    per_token = (kept + states) * network.dtype.itemsize
    return max(1024, min(_MOST, int(free * _SHARE / per_token)))


def halving(answers: Callable[[_Ready], list[str]], prepared: _Ready) -> list[str]:
    """The answers of a batch, in halves where memory does not suffice, and these in halves again.

    `VertebraError` when it does not suffice for one question.
    """
    try:
        return answers(prepared)
    except torch.OutOfMemoryError as error:
        parts = halves(prepared.batch)
        if parts is None:
            where = prepared.batch[0].questions[0].where
            raise VertebraError(f"{where}: the accelerator's memory does not suffice for one question.") from error
    gc.collect()  # the failed attempt's states, whose frames the error held
    torch.cuda.empty_cache()
    return [answer for part in parts for answer in halving(answers, prepared.of(part))]
