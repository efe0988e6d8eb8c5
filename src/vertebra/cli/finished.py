"""What is finished of a study, for those who report on it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vertebra.errors import DataError

if TYPE_CHECKING:
    from vertebra.cli.study import Drawn
    from vertebra.plan import Step
    from vertebra.report import Cell, Material
    from vertebra.spec import Json
    from vertebra.store import Store


def material(drawn: "Drawn", trusting: bool = True) -> "Material":
    """All that a report of the study is made from. `DataError` where nothing is scored yet.

    Without `trusting` stored scorecards are not read: they are to be computed anew.
    """
    from vertebra.audit import audit_plan
    from vertebra.report import Material

    study, catalog = drawn.plan.study, drawn.catalog
    cells = finished(drawn, trusting)
    if all(cell.scorecard is None for cell in cells):
        raise DataError(f"Nothing of {study.study} is scored in {drawn.store.root} yet. Start with `vertebra run`.")
    return Material(
        study,
        cells,
        drawn.benchmarks,
        data=data_folder(drawn),
        references=catalog.references(),
        claims=catalog.all_claims(),
        audit=audit_plan(drawn.plan, catalog, drawn.store),
        catalog=catalog,
    )


def finished(drawn: "Drawn", trusting: bool = True) -> list["Cell"]:
    """One cell per model and benchmark, its scorecard checked against its manifest (empty without `trusting`)."""
    from vertebra.report import Answering, Cell

    steps = {step.key: step for step in drawn.plan.steps}
    cells = []
    for step in drawn.plan.steps:
        if step.kind != "score":
            continue
        asking = _needed(step, "predict", steps)
        training = _needed(asking, "train", steps)
        family, backbone, seed, benchmark, _ = step.label.split("/")
        done = drawn.store.done(step.key)
        answered = asking is not None and drawn.store.done(asking.key)
        cells.append(
            Cell(
                family,
                backbone,
                int(seed.removeprefix("seed")),
                benchmark,
                (_scorecard(step, drawn.store) if trusting else {}) if done else None,
                Answering.read(drawn.store.log(asking.key)) if asking else None,
                score=drawn.store.out(step.key) if done else None,
                answers=drawn.store.out(asking.key) / "answers.jsonl" if asking and answered else None,
                model=drawn.store.out(training.key) if training and drawn.store.done(training.key) else None,
            )
        )
    return cells


def data_folder(drawn: "Drawn") -> Path | None:
    """Where the benchmarks' files lie: what the study's maker wrote, else what --data names."""
    making = next((step for step in drawn.plan.steps if step.kind == "make"), None)
    if making is None:
        return drawn.fingerprints.data
    return drawn.store.out(making.key) if drawn.store.done(making.key) else None


def _needed(step: "Step | None", kind: str, steps: "Mapping[str, Step]") -> "Step | None":
    """The step of this kind whose result a step reads."""
    needed = [steps[key] for key in step.needs if steps[key].kind == kind] if step else []
    return needed[-1] if needed else None


def _scorecard(step: "Step", store: "Store") -> dict[str, "Json"]:
    store.verify(step.key)
    card: dict[str, Json] = json.loads((store.out(step.key) / "scorecard.json").read_bytes())
    return card
