"""The audit of a study, and that of published settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from vertebra.audit.arms import MODEL, Arm, Facts, Field, planned_arms
from vertebra.audit.differences import Audit, compare
from vertebra.audit.figures import figures, figures_of_weights, system_prompt
from vertebra.audit.published import Settings, published_arms
from vertebra.audit.recorded import recorded
from vertebra.catalog import Catalog
from vertebra.plan import Plan
from vertebra.spec import Json
from vertebra.store import Store

_FIGURES = {
    "parameters": "how large it is",
    "tokens_per_1000_words": "how many tokens the same text takes it",
}


def audit_plan(plan: Plan, catalog: Catalog, store: Store) -> Audit:
    """What differs between the arms of a study, from its plan and from what is finished of it."""
    of_models = _of_models(plan, catalog)
    arms, missing = [], 0
    for arm, steps in planned_arms(plan):
        arms.append(_with(arm, of_models[arm.backbone], recorded(steps, store)))
        missing += sum(not store.done(step.key) for step in steps if step.kind != "score")
    return Audit(plan.study.study, tuple(arms), compare(arms), (*_unfigured(arms), *_unseen(plan, arms, missing)))


def audit_settings(settings: Settings, catalog: Catalog) -> Audit:
    """What differs between the arms of published settings; sizes are those of the catalogue's backbones."""
    known = set(catalog.names("backbones"))
    arms = [
        _with(arm, figures(catalog.backbone(arm.backbone)) if arm.backbone in known else {})
        for arm in published_arms(settings)
    ]
    return Audit(settings.name, tuple(arms), compare(arms), tuple(_unfigured(arms)), settings.notes, settings.sources())


def _of_models(plan: Plan, catalog: Catalog) -> dict[str, Mapping[str, Json]]:
    """What each backbone or adopted model brings along, by its name in the plan."""
    found: dict[str, Mapping[str, Json]] = {}
    for backbone in map(catalog.backbone, plan.study.backbones):
        said = system_prompt(backbone, catalog)
        found[backbone.name] = {**({} if said is None else {"system_prompt": said or None}), **figures(backbone)}
    for name, adopted in plan.study.adopt.items():
        found[name] = figures_of_weights(adopted.weights) if adopted.weights else {}
    return found


def _with(arm: Arm, figured: Mapping[str, Json], more: Facts = {}) -> Arm:  # noqa: B006  read only
    """The arm with figures, which what is known of it otherwise comes before, and further facts."""
    return replace(arm, facts={**{Field(MODEL, name): value for name, value in figured.items()}, **arm.facts, **more})


def _unfigured(arms: Sequence[Arm]) -> Iterator[str]:
    for name, what in _FIGURES.items():
        lacking = dict.fromkeys(arm.backbone for arm in arms if Field(MODEL, name) not in arm.facts)
        if lacking:
            because = "no tokenizer.json of it" if name.startswith("tokens") else "no sizes of it"
            yield f"{', '.join(lacking)}: {what}, since {because} is at hand."


def _unseen(plan: Plan, arms: Sequence[Arm], missing: int) -> Iterator[str]:
    """What data files, unfinished steps and other people's trainings would tell."""
    if any(None in files.values() for step in plan.steps if isinstance(files := step.spec.get("data"), Mapping)):
        yield "What the data files hold, since not all are at hand; give --data."
    if missing:
        yield f"Versions, devices and tokens of {missing} stages and answers that are not finished."
    elsewhere = [arm.backbone for arm in arms if arm.facts.get(Field(MODEL, "stages")) == "trained elsewhere"]
    if elsewhere:
        yield f"{', '.join(elsewhere)}: how they were trained."
