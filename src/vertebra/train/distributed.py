"""The processes that train one model together, started by torchrun: one for each device.

A model whose projector or adapters alone learn stands whole on every device, and after the backward pass the gradients
are added up in one exchange. Where the language model learns, its layers are sharded over the devices of a machine
(FSDP2), and copied to other machines: weights, gradients and moments in single precision, computed in the stage's.
https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.distributed import HashStore  # type: ignore[attr-defined]
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from vertebra.model.checkpoint import Network
from vertebra.train.learner import Learner

_PATIENCE = timedelta(days=1)
"""How long devices wait for the first, which reads the data and writes the checkpoint."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train one model together."""

    rank: int
    world: int
    device: torch.device
    aside: distributed.ProcessGroup | None = None
    """For what must not come between the exchanges of training; None where there is no other process."""

    @property
    def is_first(self) -> bool:
        """Whether this one speaks for all."""
        return self.rank == 0

    def added(self, value: Tensor) -> Tensor:
        """A tensor summed over all of them, in its place."""
        if self.world > 1:
            distributed.all_reduce(value)
        return value

    def meet(self) -> None:
        """Waits for the others, however long."""
        if self.aside:
            distributed.barrier(self.aside)


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """This process's place, as torchrun tells it; alone where nobody does. `device` is cpu or cuda."""
    here = torch.device("cpu")
    if device == "cuda":
        here = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(here)
    try:
        if distributed.is_torchelastic_launched():
            distributed.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo")
            aside = distributed.new_group(backend="gloo", timeout=_PATIENCE)
            yield Ranks(distributed.get_rank(), distributed.get_world_size(), here, aside)
        else:
            yield Ranks(0, 1, here)
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def shard(learner: Learner, layers: nn.ModuleList, ranks: Ranks, precision: torch.dtype) -> None:
    """Shards all that learns, decoder layer by decoder layer; the tower stays whole on every device.

    One process alone shards with itself, so that weights in single precision are computed in another all the same.
    """
    if not distributed.is_initialized():
        backend = "nccl" if ranks.device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
    mesh = _mesh(ranks)
    policy = MixedPrecisionPolicy(param_dtype=precision, reduce_dtype=torch.float32)
    tower = learner.network.model.vision_tower.to(ranks.device)
    for part in (*layers, *_others(learner, layers)):
        part.float()
        if part in set(layers):
            fully_shard(part, mesh=mesh, mp_policy=policy)
    fully_shard(learner, mesh=mesh, mp_policy=policy, ignored_params=set(tower.parameters()))


def is_sharded(learner: Learner) -> bool:
    """Whether its weights lie in parts on several devices."""
    return isinstance(learner, FSDPModule)


def add_gradients(learner: Learner, ranks: Ranks) -> None:
    """Adds up the gradients of a model that stands whole on every device, all in one exchange."""
    if ranks.world == 1:
        return
    gradients = [weight.grad for weight in learner.learnt if weight.grad is not None]
    added = ranks.added(torch.cat([gradient.flatten() for gradient in gradients]))
    totals = torch.split(added, [gradient.numel() for gradient in gradients])
    for gradient, total in zip(gradients, totals, strict=True):
        gradient.copy_(total.view_as(gradient))


def local(weight: Tensor) -> Tensor:
    """What of a weight lies on this device."""
    return weight.to_local() if isinstance(weight, DTensor) else weight


@torch.no_grad()
def settle(network: Network, precision: torch.dtype, ranks: Ranks) -> None:
    """Makes it a plain network again on the first device's machine, what was learnt cast; all devices take part."""
    for name, weight in [*network.named_parameters()]:
        whole = weight.full_tensor() if isinstance(weight, DTensor) else weight
        if ranks.is_first:
            plain = whole.detach().to("cpu", precision if weight.requires_grad else whole.dtype)
            home, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(home), leaf, nn.Parameter(plain, requires_grad=False))
    if ranks.is_first:
        network.tie_weights()


def _others(learner: Learner, layers: nn.ModuleList) -> list[nn.Module]:
    """Modules with weights of their own that are neither in the decoder's layers nor in the tower."""
    inside = {id(part) for home in (layers, learner.network.model.vision_tower) for part in home.modules()}
    return [part for part in learner.modules() if id(part) not in inside and [*part.parameters(recurse=False)]]


def _mesh(ranks: Ranks) -> DeviceMesh:
    """All devices; on several machines, each machine's sharded among themselves and copied to the others."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", ranks.world))
    if here == ranks.world:
        return init_device_mesh(ranks.device.type, (ranks.world,))
    return init_device_mesh(ranks.device.type, (ranks.world // here, here), mesh_dim_names=("copies", "shards"))
