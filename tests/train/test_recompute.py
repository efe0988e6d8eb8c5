"""What is computed again changes nothing but what is kept until the backward pass."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
import torch
from tests.anatomy import assembled
from tests.data.samples import three
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vertebra.data import Eyes, Packer
from vertebra.model.attention import pack
from vertebra.train.learner import Learner
from vertebra.train.recompute import recompute

WAYS = ("none", "selective", "full")
PRODUCTS = ("mm", "addmm", "bmm", "_scaled_dot_product_flash_attention_for_cpu")
ATTENTION = PRODUCTS[-1]


class Made(TorchDispatchMode):
    """Which operations are run, and what they make that is still there."""

    def __init__(self) -> None:
        """Nothing so far."""
        super().__init__()
        self.calls = Counter[str]()
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(
        self, func: torch._ops.OpOverload, types: object, args: Sequence[object] = (), kwargs: object = None
    ) -> object:
        """Notes what a call makes."""
        made = func(*args, **(kwargs or {}))  # type: ignore[dict-item]
        self.calls[func.overloadpacket.__name__] += 1
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self._storages[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        return made

    def kept(self) -> int:
        """Bytes."""
        return sum(size for storage, size in self._storages.values() if not storage.expired())


class Step:
    """A forward and a backward pass of a batch, and what was seen of them."""

    def __init__(self, how: str) -> None:
        """With the decoder layers computed again in this way."""
        model = assembled("llava", "llama-3")
        model.network.model.vision_tower.requires_grad_(False)
        eyes, language = Eyes.of(model, "pad"), model.network.model.language_model
        learner = Learner(model.network, eyes, torch.float32)
        pack(language)
        recompute(language.layers, how)  # type: ignore[arg-type]
        batch = Packer(eyes)(three(model), [0.25, 0.5, 0.25])
        with Made() as forward:
            loss = learner(batch)
        self.kept = forward.kept()
        with Made() as backward:
            torch.autograd.backward(loss)
        self.loss, self.layers = loss.detach(), len(language.layers)
        self.forward, self.backward = forward.calls, backward.calls
        weights = model.network.named_parameters()
        self.gradients = {name: weight.grad for name, weight in weights if weight.grad is not None}


@pytest.fixture(scope="module")
def steps() -> Mapping[str, Step]:
    """The same step in each way."""
    return {how: Step(how) for how in WAYS}


@pytest.mark.parametrize("how", WAYS[1:])
def test_loss_and_gradients_are_bit_for_bit_what_they_are_without(steps, how):
    plain, again = steps["none"], steps[how]
    assert torch.equal(again.loss, plain.loss)
    assert again.gradients.keys() == plain.gradients.keys()
    assert all(torch.equal(again.gradients[name], gradient) for name, gradient in plain.gradients.items())


def test_selective_keeps_less_than_all_and_full_still_less(steps):
    none, selective, full = (steps[how].kept for how in WAYS)
    assert selective < 0.8 * none
    assert full < 0.7 * selective


def test_selective_computes_no_matrix_product_and_no_attention_again(steps):
    for product in PRODUCTS:
        assert steps["selective"].backward[product] == steps["none"].backward[product]
    assert steps["selective"].backward["mul"] > steps["none"].backward["mul"]


def test_full_computes_each_layer_once_again(steps):
    assert steps["none"].backward[ATTENTION] == steps["selective"].backward[ATTENTION] == 0
    assert steps["full"].backward[ATTENTION] == 3 * steps["full"].layers
    assert steps["full"].forward[ATTENTION] == steps["none"].forward[ATTENTION]
