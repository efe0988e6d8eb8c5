"""A stand-in for the kernel that only an accelerator has, so that what leads to it can be tried without one."""

import inspect
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.attention import varlen

SIGNATURES = {"2.11": {"window_size"}, "2.13": {"window_size", "enable_gqa"}}
"""What torch's variable-length attention may be told beside what it is asked, by version."""


def reference(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    return_aux: varlen.AuxRequest | None = None,
    scale: float | None = None,
    window_size: tuple[int, int] = (-1, -1),
    enable_gqa: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """torch's `varlen_attn` in plain arithmetic: the same shapes and demands, log-sum-exps [heads, T] as it gives them.

    torch/nn/attention/varlen.py of 2.11 and 2.13; `mha_varlen_fwd` in flash_api.cpp of torch.
    """
    (tokens, heads, width), (keys, known, _) = query.shape, key.shape
    for part, bounds, longest in ((query, cu_seq_q, max_q), (key, cu_seq_k, max_k)):
        assert bounds.dtype == torch.int32
        assert bounds.is_contiguous()
        assert part.stride(-1) == 1
        assert bounds[0] == 0
        assert bounds[-1] == len(part)
        assert int(bounds.diff().max()) <= longest, "what lies beyond is left out"
    assert cu_seq_q.shape == cu_seq_k.shape
    assert value.shape == (keys, known, width)
    assert heads % known == 0
    assert enable_gqa or heads == known
    left, right = window_size
    if max_q == 1 and heads > known and left < 0 and right < 0:
        query.reshape(len(cu_seq_q) - 1, known, heads // known, width)  # which it does with as many queries alone
    said, weights = torch.zeros_like(query), query.new_full((heads, tokens), torch.inf, dtype=torch.float32)
    for (a, b), (c, d) in zip(pairwise(cu_seq_q.tolist()), pairwise(cu_seq_k.tolist()), strict=True):
        told = [part[c:d].repeat_interleave(heads // known, 1).float() for part in (key, value)]
        scores = torch.einsum("qhd,khd->hqk", query[a:b].float(), told[0]) * (width**-0.5 if scale is None else scale)
        ahead = torch.arange(d - c) - torch.arange(b - a)[:, None] - (d - c) + (b - a)
        scores.masked_fill_((ahead > right) & (right >= 0) | (-ahead > left) & (left >= 0), -torch.inf)
        said[a:b] = torch.einsum("hqk,khd->qhd", scores.softmax(-1), told[1]).to(query.dtype)
        weights[:, a:b] = scores.logsumexp(-1)
    return (said, weights) if return_aux is not None and return_aux.lse else said


@pytest.fixture(params=SIGNATURES)
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """While a test runs there is a kernel, with the signature of one version; the list has each call's `max_q`."""
    told, calls = SIGNATURES[request.param], list[int]()

    def varlen_attn(*asked: int | Tensor, **options: object) -> object:
        assert {*options} <= told | {"scale", "return_aux"}
        calls.append(asked[5])  # type: ignore[arg-type]
        return reference(*asked, **options)  # type: ignore[arg-type]

    names = inspect.signature(reference).parameters
    known = {name: facts for name, facts in names.items() if name in told or name not in {"window_size", "enable_gqa"}}
    has: Callable[[Tensor], bool] = lambda _: True  # noqa: E731
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_attn)
    monkeypatch.setattr("vertebra.model.attention._KNOWN", known)
    monkeypatch.setattr("vertebra.model.attention.has_kernel", has)
    monkeypatch.setattr("vertebra.model.sharing.has_kernel", has)
    return calls
