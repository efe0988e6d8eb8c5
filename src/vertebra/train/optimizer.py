"""AdamW and the cosine schedule of the published recipes: betas 0.9 and 0.999, epsilon 1e-8, no weight decay."""

import math
from collections.abc import Iterable

import torch


def optimizer_of(weights: Iterable[torch.nn.Parameter], learning_rate: float) -> torch.optim.AdamW:
    """The optimizer over one group of weights."""
    return torch.optim.AdamW(list(weights), lr=learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)


def cosine(step: int, steps: int, warmup: float) -> float:
    """The learning rate's factor at a step: a linear rise over `warmup` of the steps, then half a cosine to zero.

    As `get_cosine_schedule_with_warmup` of transformers, warm-up steps rounded up.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return step / rising
    return 0.5 * (1 + math.cos(math.pi * ((step - rising) / max(1, steps - rising))))
