"""The schedule and the optimizer, against transformers and torch."""

import pytest
import torch
from transformers import get_cosine_schedule_with_warmup

from vertebra.spec import Stage
from vertebra.train.optimizer import cosine, optimizer_for, optimizer_of, pace


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


@pytest.mark.parametrize(("own", "rates"), [(None, [[2e-4, 2e-4]]), (2e-5, [[2e-4], [2e-5]])])
def test_the_projector_may_learn_at_a_rate_of_its_own(own, rates):
    names = ("model.multi_modal_projector.linear_1.weight", "model.language_model.layers.0.lora_A.default.weight")
    projector, language = (torch.nn.Parameter(torch.zeros(1)) for _ in names)
    stage = Stage(mixture="few", learning_rate=2e-4, projector_learning_rate=own, batch=8)
    optimizer = optimizer_for(dict(zip(names, (projector, language), strict=True)), stage)
    for factor in (1.0, 0.5, 0.0, 0.25):
        pace(optimizer, factor)
        groups = optimizer.param_groups
        assert [[group["lr"]] * len(group["params"]) for group in groups] == [
            [rate * factor for rate in group] for group in rates
        ]
    assert groups[-1]["params"][0] is projector
    assert language in set(groups[0]["params"])
    assert all(group["betas"] == (0.9, 0.999) and group["weight_decay"] == 0.0 for group in groups)
