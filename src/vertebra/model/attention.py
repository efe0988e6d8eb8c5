"""Attention over samples that lie in one row, each seeing only itself: nothing is padded, nothing is masked.

    tokens    a0 a1 a2 | b0 b1 | c0 c1 c2 c3
    bounds    0          3       5            9

transformers lets an attention be registered by name, and hands on to it what a model is called with. On CUDA it is
torch's own variable-length flash attention, elsewhere one call of `scaled_dot_product_attention` per sample. A sliding
window is honoured; attention that is capped or has sinks is refused, and so are layers that are none: what leaks out of
a short convolution can be smaller than rounding. Whether a backbone keeps samples apart is proven on its own weights
(`keeps_apart`): some architectures do not hand on what they are called with.
https://docs.pytorch.org/docs/stable/nn.attention.varlen.html,
https://huggingface.co/docs/transformers/attention_interface
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import varlen
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from vertebra.errors import Refused

_NAME = "vertebra_packed"
_GAP = 1e-3
"""Largest difference, relative to the largest state, that rounding may make; a sample that saw another is far off."""
_KNOWN = inspect.signature(varlen.varlen_attn).parameters
"""What this version of torch lets its kernel be told."""
_WIDEST = 256
"""Of a head, that the kernel has code for."""
_LEAVES_OUT = ("softcap", "s_aux", "position_bias")
"""What an attention may be asked for that neither kernel does: capped scores, sinks, learnt biases."""
_LAYERS = {"full_attention", "sliding_attention", "attention"}
"""Kinds of layers, as configs name them, that are told where samples lie; convolutions and recurrences read on."""


class Segments(NamedTuple):
    """Where the samples of a row lie."""

    bounds: Tensor
    """int32[samples + 1], on the row's device: the first token of each sample, and the end of the last."""
    places: tuple[int, ...]
    """The same as numbers, for kernels that are called once per sample; empty on an accelerator, where compiled code
    would be made anew for each."""
    longest: int
    """Tokens of the longest sample, or more."""

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device | str = "cpu") -> "Segments":
        """Samples of these lengths, one behind the other."""
        places = [0]
        for length in lengths:
            places.append(places[-1] + length)
        return cls(torch.tensor(places, dtype=torch.int32), tuple(places), max(lengths)).to(torch.device(device))

    def to(self, device: torch.device) -> "Segments":
        """The same on another device."""
        if device.type == "cpu":
            return self
        return Segments(self.bounds.to(device, non_blocking=True), (), 1 << (self.longest - 1).bit_length())


class Attended(NamedTuple):
    """What an attention gives."""

    said: Tensor
    """float[1, T, heads, d]."""
    weight: Tensor | None
    """float[1, heads, T]: log-sum-exps of the scores, where they were asked for."""


@contextmanager
def packed(language: PreTrainedModel) -> Iterator[None]:
    """While the block lasts the language model takes `segments=`, and attends inside of each alone."""
    with attending(language, _NAME, _attend):
        yield


def pack(language: PreTrainedModel) -> None:
    """From now on the language model takes `segments=`, and attends inside of each alone."""
    _attend_by(language, _NAME, _attend)


@contextmanager
def attending(language: PreTrainedModel, name: str, attend: Callable[..., tuple[Tensor, None]]) -> Iterator[None]:
    """While the block lasts the language model attends by a function of ours, without a mask of transformers'."""
    before = language.config._attn_implementation
    _attend_by(language, name, attend)
    try:
        yield
    finally:
        language.set_attn_implementation(before)


def _attend_by(language: PreTrainedModel, name: str, attend: Callable[..., tuple[Tensor, None]]) -> None:
    AttentionInterface.register(name, attend)
    AttentionMaskInterface.register(name, lambda *_, **__: None)
    language.set_attn_implementation(name)


@torch.no_grad()
def keeps_apart(language: PreTrainedModel, ids: Tensor) -> str | None:
    """Why a language model cannot be packed, or None: some ids, int[1, T], read alone and behind other samples.

    The longest sample is longer than half of the row, so that one that looks beyond its own would be seen.
    """
    if odd := sorted({*(getattr(language.config, "layer_types", None) or ())} - _LAYERS):
        return f"it has layers of the kind {odd[0]}, which packed attention does not do"
    total = ids.shape[1]
    cuts = (0, total // 8, total // 3, total)
    alone = [language(input_ids=ids[:, a:b], use_cache=False).last_hidden_state for a, b in pairwise(cuts)]
    segments = Segments.of([b - a for a, b in pairwise(cuts)], ids.device)
    positions = torch.cat([torch.arange(b - a, device=ids.device) for a, b in pairwise(cuts)])
    embeds = language.get_input_embeddings()(ids)
    try:
        with packed(language):
            states = language(
                inputs_embeds=embeds, position_ids=positions.unsqueeze(0), use_cache=False, segments=segments
            ).last_hidden_state
    except Refused as error:
        return str(error)
    except TypeError as error:
        return f"its code does not hand on where samples lie ({error})"
    gap = beyond_rounding(states, torch.cat(alone, 1))
    return f"its samples see each other: states differ by {gap:.1g} of the largest" if gap else None


def beyond_rounding(states: Tensor, wanted: Tensor) -> float | None:
    """How far states are from what they should be, relative to the largest; None where rounding explains it."""
    gap = float((states - wanted).abs().max() / wanted.abs().max())
    return None if gap <= max(_GAP, 4 * torch.finfo(wanted.dtype).eps) else gap


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _: Tensor | None,
    *,
    segments: Segments | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **asked: object,
) -> tuple[Tensor, None]:
    """float[1, heads, T, d] of queries, and as many or fewer heads of keys and values, to float[1, T, heads, d]."""
    if segments is None:
        raise Refused(f"{type(module).__name__} does not hand on where samples lie")
    check_asked(module, asked)
    return attended_apart(query, key, value, segments, scaling, dropout, sliding_window), None


def check_asked(module: nn.Module, asked: Mapping[str, object]) -> None:
    """`Refused` when a layer's attention is to do more than it can here."""
    if odd := [name for name in _LEAVES_OUT if asked.get(name) is not None]:
        raise Refused(f"{type(module).__name__} asks for `{odd[0]}`, which packed attention does not do")


def attended_apart(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    segments: Segments,
    scale: float | None,
    dropout: float = 0.0,
    window: int | None = None,
) -> Tensor:
    """Causal attention inside of each segment; shapes as of transformers' attention functions:

    float[1, heads, T, d] of queries, and as many or fewer heads of keys and values, to float[1, T, heads, d].
    """
    if has_kernel(query) and not dropout:
        return in_one_call(query, key, value, segments, segments, scale, window).said
    return _one_by_one(query, key, value, segments, scale, dropout, window)


def has_kernel(query: Tensor) -> bool:
    """Whether torch's variable-length attention takes such queries, float[..., d]."""
    width = query.shape[-1]
    return query.is_cuda and query.dtype in (torch.bfloat16, torch.float16) and width % 8 == 0 and width <= _WIDEST


def _one_by_one(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    segments: Segments,
    scale: float | None,
    dropout: float,
    window: int | None,
) -> Tensor:
    """One call per sample. A sample that is longer than the sliding window needs a mask for it."""
    grouped = query.shape[1] != key.shape[1]
    outputs = []
    for start, end in pairwise(segments.places or segments.bounds.tolist()):
        asking, asked, told = (part[:, :, start:end] for part in (query, key, value))
        mask = _band(end - start, window, query.device) if window and end - start > window else None
        attended = functional.scaled_dot_product_attention(
            asking, asked, told, mask, dropout, is_causal=mask is None, scale=scale, enable_gqa=grouped
        )
        outputs.append(attended.transpose(1, 2))
    return torch.cat(outputs, 1)


def _band(length: int, window: int, device: torch.device) -> Tensor:
    """bool[length, length]: the last `window` tokens up to one's own, as transformers' sliding window."""
    behind = torch.arange(length, device=device)
    distance = behind[:, None] - behind[None, :]
    return (distance >= 0) & (distance < window)


def in_one_call(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    asking: Segments,
    asked: Segments,
    scale: float | None,
    window: int | None = None,
    whole: bool = False,
    weighed: bool = False,
) -> "Attended":
    """All segments in one kernel: a segment's queries see the keys of the same one, up to their own place or `whole`.

    What the kernel is told about causality and grouped heads differs by torch version. Where it is told that no segment
    has more than one query, and heads share their keys, it takes each to have exactly one (`seqlenq_ngroups_swapped` in
    https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/transformers/cuda/flash_attn/flash_api.cpp), but a
    segment may have none: so it is never told.
    """
    options: dict[str, Any] = {"scale": scale}
    if "enable_gqa" in _KNOWN:
        options["enable_gqa"] = query.shape[1] != key.shape[1]
    elif query.shape[1] != key.shape[1]:
        times = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
    left = window - 1 if window and asked.longest > window else -1
    if "window_size" in _KNOWN:
        options["window_size"] = (left, -1 if whole else 0)
    elif left < 0:
        options["is_causal"] = not whole
    else:
        raise Refused("this torch's variable-length attention has no sliding window")
    if weighed:
        options["return_aux"] = varlen.AuxRequest(lse=True)
    rows = [part.squeeze(0).transpose(0, 1).contiguous() for part in (query, key, value)]
    bounds, longest = (asking.bounds, asked.bounds), (max(2, asking.longest), asked.longest)
    found = varlen.varlen_attn(rows[0], rows[1], rows[2], *bounds, *longest, **options)
    if isinstance(found, Tensor):
        return Attended(found.unsqueeze(0), None)
    said, weight = found  # the latter by heads first, whatever its documentation says
    return Attended(said.unsqueeze(0), weight.unsqueeze(0))
