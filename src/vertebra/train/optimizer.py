"""AdamW and the cosine schedule of the published recipes: betas 0.9 and 0.999, epsilon 1e-8, no weight decay."""

import math
from collections.abc import Iterable, Mapping

import torch

from vertebra.spec import Stage


def optimizer_of(weights: Iterable[torch.nn.Parameter], learning_rate: float) -> torch.optim.AdamW:
    """The optimizer over one group of weights."""
    return torch.optim.AdamW(
        list(weights), lr=learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, fused=True
    )


def optimizer_for(trained: Mapping[str, torch.nn.Parameter], stage: Stage) -> torch.optim.AdamW:
    """A stage's optimizer over named weights, in a second group the projector's where it has a rate of its own."""
    if stage.projector_learning_rate is None:
        return optimizer_of(trained.values(), stage.learning_rate)
    projector = {name: weight for name, weight in trained.items() if "multi_modal_projector" in name}
    others = [weight for name, weight in trained.items() if name not in projector]
    optimizer = optimizer_of(others, stage.learning_rate)
    optimizer.add_param_group({"params": list(projector.values()), "lr": stage.projector_learning_rate})
    return optimizer


def pace(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Sets every group's learning rate to this part of the one that it began with."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def cosine(step: int, steps: int, warmup: float) -> float:
    """The learning rate's factor at a step: a linear rise over `warmup` of the steps, then half a cosine to zero.

    As `get_cosine_schedule_with_warmup` of transformers, warm-up steps rounded up.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return step / rising
    return 0.5 * (1 + math.cos(math.pi * ((step - rising) / max(1, steps - rising))))
