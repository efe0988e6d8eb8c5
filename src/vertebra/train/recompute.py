"""What of a decoder layer is computed again in the backward pass, because keeping it takes more memory than there is.

    none         every intermediate result is kept
    selective    those of matrix products and attention are kept, the cheap ones between them computed again
    full         only a layer's input is kept

https://docs.pytorch.org/docs/stable/checkpoint.html
"""

from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from vertebra.costs import Recompute

_aten = torch.ops.aten
_KEPT = {
    _aten.mm.default,
    _aten.addmm.default,
    _aten.bmm.default,
    _aten._scaled_dot_product_flash_attention_for_cpu.default,
    _aten._scaled_dot_product_flash_attention.default,
    _aten._scaled_dot_product_efficient_attention.default,
    _aten._scaled_dot_product_cudnn_attention.default,
}
_KEPT_NAMES = ("_varlen_attn",)


def recompute(layers: nn.ModuleList, how: Recompute) -> None:
    """Makes decoder layers compute again; results stay bit for bit what they are without."""
    if how == "none":
        return
    contexts = partial(create_selective_checkpoint_contexts, _policy)
    options: dict[str, Any] = {"context_fn": contexts} if how == "selective" else {}
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, **options)


def _policy(_: object, operator: object, *__: object, **___: object) -> CheckpointPolicy:
    is_kept = operator in _KEPT or any(name in str(operator) for name in _KEPT_NAMES)
    return CheckpointPolicy.MUST_SAVE if is_kept else CheckpointPolicy.PREFER_RECOMPUTE
