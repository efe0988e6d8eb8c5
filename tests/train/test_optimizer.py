"""The schedule and the optimizer, against transformers and torch."""

import pytest
import torch
from transformers import get_cosine_schedule_with_warmup

from vertebra.train.optimizer import cosine, optimizer_of


@pytest.mark.parametrize(
    ("steps", "warmup", "rising"),
    [(100, 0.03, 3), (2181, 0.03, 66), (5198, 0.03, 156), (7, 0.5, 4), (10, 0.0, 0), (1, 0.03, 1), (3, 0.99, 3)],
)
def test_the_rate_follows_transformers_cosine(steps, warmup, rising):
    weight = torch.nn.Parameter(torch.zeros(1))
    schedule = get_cosine_schedule_with_warmup(torch.optim.SGD([weight], lr=1.0), rising, steps)
    (factor,) = schedule.lr_lambdas
    assert [cosine(step, steps, warmup) for step in range(steps)] == [factor(step) for step in range(steps)]


def test_the_optimizer_is_adamw_as_published():
    weight = torch.nn.Parameter(torch.zeros(1))
    group = optimizer_of([weight], 2e-5).param_groups[0]
    wanted = {"lr": 2e-5, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False}
    assert {name: group[name] for name in wanted} == wanted
