"""The costs of a study's training steps: from its catalogue entries, no weights and no data needed.

    Cost(steps=5198, samples=665298, tokens=5.9e8, flops=2.4e19, gpu_hours=16.7, rung=Rung("selective", 14176, ...))

Tokens are the mixture's `typical` times its records; sizes are `config` of backbone and family, or the config.json of
weights that lie in a folder. Where either is lacking the cost is unknown, and nothing is made up.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vertebra.catalog import Catalog
from vertebra.costs.architecture import Architecture, Tower
from vertebra.costs.memory import GIB, Rung, ladder
from vertebra.costs.training import Samples, Training
from vertebra.errors import Refused
from vertebra.plan import Plan
from vertebra.source import folder_config
from vertebra.spec import Backbone, Device, Family, Json, Mixture, Stage

UTILISATION = 0.5
"""Part of what large matrix products reach that training is assumed to reach: a goal, not a measurement."""

_IMAGE_TOKENS = 576
"""Of an image in `Typical`."""


class Cost(NamedTuple):
    """What a training step costs."""

    steps: int
    """Optimizer steps."""
    samples: int
    tokens: float
    """Over all epochs, images expanded; none of them padding."""
    flops: float
    """Of the model, nothing computed twice."""
    gpu_hours: float | None
    """At `UTILISATION`, with what is computed twice; None where it does not fit."""
    rung: Rung | None
    """How it fits the devices; None where it does not."""
    refused: str = ""
    """Why it does not fit, and what would help."""

    def document(self) -> dict[str, Json]:
        """As JSON."""
        known: dict[str, Json] = {
            "optimizer_steps": self.steps,
            "samples": self.samples,
            "tokens": round(self.tokens),
            "flops": self.flops,
            "gpu_hours": self.gpu_hours,
        }
        if self.rung is None:
            return {**known, "refused": self.refused}
        memory = self.rung.memory
        return {
            **known,
            "recompute": self.rung.recompute,
            "micro_step_tokens": self.rung.tokens,
            "memory_gib": memory.total / GIB,
            "memory_bytes": {name: round(size) for name, size in memory._asdict().items()},
        }


class Total(NamedTuple):
    """Several steps together."""

    steps: int
    tokens: float
    flops: float
    gpu_hours: float
    """Of those that fit."""
    memory_gib: float
    """Of the one that takes most on a device."""
    unknown: int
    """Training steps whose cost is unknown, and that are not in here."""
    refused: int
    """Training steps that do not fit, and that are in here but for their hours and memory."""


def total_of(costs: Iterable[Cost | None]) -> Total:
    """The sum of some costs."""
    listed = list(costs)
    known = [cost for cost in listed if cost is not None]
    return Total(
        sum(cost.steps for cost in known),
        sum(cost.tokens for cost in known),
        sum(cost.flops for cost in known),
        sum(cost.gpu_hours or 0.0 for cost in known),
        max((cost.rung.memory.total / GIB for cost in known if cost.rung), default=0.0),
        unknown=len(listed) - len(known),
        refused=sum(cost.rung is None for cost in known),
    )


def training_costs(plan: Plan, catalog: Catalog, device: Device, devices: int) -> dict[str, Cost | None]:
    """By key, the cost of every training step of a plan; None where it is unknown."""
    steps = {step.label: step.key for step in plan.steps if step.kind == "train"}
    backbones = [catalog.backbone(name) for name in plan.study.backbones]
    found: dict[str, Cost | None] = {}
    for family in map(catalog.family, plan.study.families):
        mixtures = {stage.mixture: catalog.mixture(stage.mixture) for stage in family.stages.values()}
        for backbone in backbones:
            costs = _of_stages(family, backbone, mixtures, device, devices)
            for seed in plan.study.seeds:
                arm = f"{family.name}/{backbone.name}/seed{seed}"
                found |= {steps[f"{arm}/{stage}"]: cost for stage, cost in costs.items()}
    return found


def cost_of(stage: Stage, mixture: Mixture, training: Training, device: Device) -> Cost | None:
    """What a stage costs on `training.devices` devices; None where the mixture does not say how long it is."""
    typical = mixture.typical
    records = mixture.count or (typical.samples if typical else None)
    if typical is None or records is None or (typical.images and training.tower.patches != _IMAGE_TOKENS):
        return None
    sample = Samples(typical.tokens, typical.squares, typical.supervised, typical.images)
    wanted = math.ceil(stage.batch / training.devices * typical.tokens)
    total = sample.times(records * stage.epochs)
    steps = max(1, round(stage.epochs * math.ceil(records / stage.batch)))  # as data.sampling.Schedule
    known = (steps, round(records * stage.epochs), total.tokens, training.flops(total))
    try:
        rung = ladder(training, device, wanted, stage.max_tokens, typical.supervised / typical.tokens)
    except Refused as error:
        return Cost(*known, gpu_hours=None, rung=None, refused=str(error))
    twice = training.forward_flops(total) if rung.recompute == "full" else 0.0
    return Cost(*known, gpu_hours=(training.flops(total) + twice) / (speed_of(device) * 3600), rung=rung)


def speed_of(device: Device) -> float:
    """Operations per second that a device is assumed to reach: `UTILISATION` of matrix products, or of its peak."""
    return UTILISATION * (device.matmul_tflops or device.peak_tflops) * 1e12


def _of_stages(
    family: Family, backbone: Backbone, mixtures: Mapping[str, Mixture], device: Device, devices: int
) -> dict[str, Cost | None]:
    """By stage."""
    language = Architecture.of({**backbone.config, **folder_config(backbone.weights)})
    seen = folder_config(family.vision)
    inner = seen.get("vision_config")
    tower = Tower.of({**family.config, **(inner if isinstance(inner, Mapping) else seen)}, family.layers)
    if language is None or tower is None:
        return dict.fromkeys(family.stages)
    return {
        name: cost_of(
            stage, mixtures[stage.mixture], Training(language, tower, stage.trains, stage.lora, devices), device
        )
        for name, stage in family.stages.items()
    }
