"""Plans into which a difference is planted."""

from collections.abc import Mapping
from dataclasses import replace

from vertebra.audit import Difference, compare
from vertebra.audit.arms import planned_arms
from vertebra.benchmarks import benchmark
from vertebra.catalog import Catalog
from vertebra.plan import Plan, draw_plan
from vertebra.spec import Json, Judge, Study

CATALOG = Catalog.installed()
STUDY = Study(
    study="s",
    families=("llava-1.5",),
    backbones=("vicuna-7b", "phi-3-mini"),
    benchmarks=("pope", "mm_vet"),
    judge=Judge(name="gpt-4-0613"),
)


def drawn(study: Study = STUDY, fingerprint: str | None = "1" * 64) -> Plan:
    """A study's plan on data whose files all have the same digest."""
    assert study.benchmarks != "all"
    return draw_plan(study, CATALOG, {name: benchmark(name) for name in study.benchmarks}, lambda _: fingerprint)


def planted(plan: Plan, label: str, changes: Mapping[str, Json], inside: str = "") -> Plan:
    """The plan, with other values in the spec of the step of this label, or in a mapping inside of it."""
    steps = {step.label: step for step in plan.steps}
    spec = steps[label].spec
    inner = spec.get(inside, {})
    assert isinstance(inner, Mapping)
    other = {**spec, inside: {**inner, **changes}} if inside else {**spec, **changes}
    steps[label] = replace(steps[label], spec=other)
    return Plan(plan.study, tuple(steps.values()))


def differences(plan: Plan) -> tuple[Difference, ...]:
    """What its specs alone tell."""
    return compare([arm for arm, _ in planned_arms(plan)])


def confounds(plan: Plan) -> list[Difference]:
    """Those of them that are confounds."""
    return [difference for difference in differences(plan) if difference.kind == "confound"]
