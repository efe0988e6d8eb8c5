"""The arms of a study as facts, each under the part of the work that it holds in.

    Arm("llava-1.5", "phi-3-mini", 0, {Field("model", "chat"): "phi_3",
                                       Field("finetune", "learning_rate"): 2e-05,
                                       Field("pope", "max_new_tokens"): 128, ...})

What an arm has no fact of is not known of it. An option that is not taken is a fact, and None.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from vertebra.plan import Plan, Step
from vertebra.spec import Backbone, Json, Mixture, Stage

MODEL = "model"
"""The part that holds throughout."""


class Field(NamedTuple):
    """What a fact is of."""

    part: str
    """`model`, a stage or a benchmark."""
    name: str


Facts = Mapping[Field, Json]


@dataclass(frozen=True, slots=True)
class Arm:
    """One model of a study, and all that is known of how it came to its numbers."""

    family: str
    backbone: str
    seed: int
    facts: Facts

    @property
    def name(self) -> str:
        """As its steps are labelled, `llava-1.5/phi-3-mini/seed0`."""
        return f"{self.family}/{self.backbone}/seed{self.seed}"

    @property
    def stages(self) -> Sequence[str]:
        """Its stages, where they are known."""
        found = self.facts.get(Field(MODEL, "stages"))
        return found if isinstance(found, list) else ()


def planned_arms(plan: Plan) -> Iterator[tuple[Arm, list[Step]]]:
    """The arms of a plan, each with its steps, with the facts that their specs hold."""
    crews = (step for step in plan.steps if step.kind in ("train", "predict", "score"))
    for crew, members in groupby(crews, key=lambda step: step.crew):
        steps = list(members)
        family, backbone, seed = crew.split("/")
        number = int(seed.removeprefix("seed"))
        yield Arm(family, backbone, number, {Field(MODEL, "seed"): number, **dict(_facts(steps))}), steps


def part_of(step: Step) -> str:
    """The stage or benchmark that a step belongs to."""
    return step.label.split("/")[3]


def _facts(steps: Sequence[Step]) -> Iterator[tuple[Field, Json]]:
    training = [step for step in steps if step.kind == "train"]
    yield from _of_model(training) if training else _of_adopted(steps)
    for step in steps:
        match step.kind:
            case "train":
                facts = _of_stage(step)
            case "predict":
                facts = _of_answers(step)
            case _:
                facts = _of_grading(step)
        for name, value in facts:
            yield Field(part_of(step), name), value


def _of_model(training: Sequence[Step]) -> Iterator[tuple[Field, Json]]:
    spec = training[0].spec
    family, backbone = _mapping(spec["family"]), Backbone.model_validate(spec["backbone"])
    tokens = ", ".join((backbone.image, backbone.pad, *backbone.stop))
    facts: dict[str, Json] = {
        **family,
        "stages": [part_of(step) for step in training],
        "weights": backbone.weights,
        "chat": backbone.chat,
        "special_tokens": tokens,
        "compat": list(backbone.compat) or None,
    }
    for name, value in facts.items():
        yield Field(MODEL, name), value


def _of_adopted(steps: Sequence[Step]) -> Iterator[tuple[Field, Json]]:
    """Of a model that was trained elsewhere: what it is."""
    model = _mapping(steps[0].spec["model"])
    source = model.get("weights") or f"{model.get('name')} at {model.get('endpoint')}"
    yield Field(MODEL, "weights"), source
    yield Field(MODEL, "stages"), "trained elsewhere"
    yield Field(MODEL, "asked_by"), "an endpoint" if "endpoint" in model else "this machine"


def _of_stage(step: Step) -> Iterator[tuple[str, Json]]:
    stage = Stage.model_validate(step.spec["stage"])
    for name, value in stage.model_dump(mode="json").items():
        yield "told" if name == "chat" else name, value
    mixture = Mixture.model_validate(step.spec["mixture"])
    for name in ("records", "images", "count", "faulty", "compat"):
        yield f"mixture.{name}", mixture.model_dump(mode="json")[name] or None
    yield from _digests(step)


def _of_answers(step: Step) -> Iterator[tuple[str, Json]]:
    for name in ("prompts", "max_new_tokens", "temperature", "beams", "square", "engine"):
        yield name, step.spec.get(name)
    yield from _digests(step)


def _of_grading(step: Step) -> Iterator[tuple[str, Json]]:
    yield "grading", step.spec["grading"]
    if "judge" in step.spec:
        yield "judge", step.spec["judge"]


def _digests(step: Step) -> Iterator[tuple[str, Json]]:
    """What its files hold, where the data folder is at hand."""
    found = _mapping(step.spec["data"])
    if found and None not in found.values():
        yield "files", dict(found)


def _mapping(value: Json) -> Mapping[str, Json]:
    assert isinstance(value, Mapping)
    return value
