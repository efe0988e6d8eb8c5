"""`vertebra plan|run|status|report STUDY`: what a study would do, does, has done and has found.

$ vertebra plan miniature                     (what training costs follows where it is known: cli/costs.py)
miniature: 211 of 281 steps are done, 70 would run.

tiny-llava-1.5/tiny-phi-3/seed0
  done    pretrain
  run     finetune: stage.learning_rate differs from finished step finetune: 2e-05 -> 0.0001
  run     pope/answers: needs finetune
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from vertebra.cli.runtime import RuntimeFile, Settings, read_runtime
from vertebra.cli.text import paragraph, printable, width
from vertebra.errors import ConfigError, DataError, UnknownName, VertebraError

if TYPE_CHECKING:
    from vertebra.catalog import Catalog
    from vertebra.cli.kin import Genealogy
    from vertebra.engine import Outcome
    from vertebra.plan import Plan, Step
    from vertebra.report.findings import Finding
    from vertebra.runtime import Runtime
    from vertebra.scoring.benchmark import Benchmark
    from vertebra.spec import Json, Study
    from vertebra.store import Fingerprints, Store

StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="A study's YAML file, or the name of a shipped study.")]
StoreFolder = Annotated[
    Path, typer.Option("--store", metavar="DIR", envvar="VERTEBRA_STORE", help="Where finished steps are kept.")
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", envvar="VERTEBRA_DATA", help="Folder with the mixtures' and benchmarks' files."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
STORE = Path("vertebra-store")
_HEADLINES = 4
"""Findings that are told below a table."""


def plan(
    study: StudyName,
    store: StoreFolder = STORE,
    data: DataFolder = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="What to train on: h100, h200, a100-80, a100-40, 4090 or a YAML file.")
    ] = "h100",
    devices: Annotated[int, typer.Option(min=1, metavar="N", help="How many of them.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Show which steps of a study are done, which would run and why, and what training costs. Changes nothing."""
    from vertebra.cli.costs import estimate

    drawn = _draw(study, store, data)
    genealogy = _genealogy(drawn)
    costs = estimate(drawn.plan, drawn.catalog, genealogy.done, device, devices)
    steps = [_planned(step, genealogy) | costs.of_step(step) for step in drawn.plan.steps]
    name, done = drawn.plan.study.study, sum(step["state"] == "done" for step in steps)
    if as_json:
        counts = {"done": done, "run": len(steps) - done}
        _print_json({"study": name, "store": str(store), **counts, "steps": steps, "costs": costs.document()})
        return
    typer.echo(f"{name}: {done} of {len(steps)} steps are done, {len(steps) - done} would run.")
    _print_by_crew(drawn.plan, [(str(step["state"]), str(step.get("why", ""))) for step in steps])
    for line in costs.lines():
        typer.echo(line)


def run(
    study: StudyName,
    store: StoreFolder = STORE,
    data: DataFolder = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Models worked on at a time (default: cores; 1 with a GPU)."),
    ] = None,
    checkpoint_seconds: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="S", help="Longest training time that a crash can cost (default: 30)."),
    ] = None,
    runtime_file: RuntimeFile = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Run what is missing of a study, then report. Interrupted, the same command resumes."""
    options = {"data": data, "workers": workers, "checkpoint_seconds": checkpoint_seconds}
    runtime = read_runtime(runtime_file, settings or (), options)
    drawn = _draw(study, store, runtime.data)
    carry_out(drawn, runtime, f"vertebra run {study}")
    show(drawn, None, as_json, publish=False)


def carry_out(drawn: "Drawn", runtime: "Runtime", command: str, lock_file: str = "lock") -> None:
    """Runs what is missing of a plan, showing how far it is; `command` is told to others who want the lock.

    The error that all failures share, or a `VertebraError`, when a step failed.
    """
    from vertebra import engine
    from vertebra.cli.progress import showing

    missing = engine.missing_steps(drawn.plan, drawn.store)
    given: dict[str, object] = {"data": drawn.fingerprints.data}
    if "workers" not in runtime.model_fields_set:
        given["workers"] = _side_by_side(len({step.crew for step in missing}), runtime)
    runtime = runtime.model_copy(update=given)
    engine.check_inputs(missing, runtime)
    with drawn.store.lock(command, lock_file) as lock:
        drawn.fingerprints.save()
        with showing(drawn.plan.study.study, len(missing), sys.stderr) as listen:
            outcome = engine.run(drawn.plan, drawn.store, runtime, lock, listen)
    if outcome.failed:
        raise _failure(outcome)


def status(
    study: StudyName,
    store: StoreFolder = STORE,
    data: DataFolder = None,
    why: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Explain one step: what differs from its nearest finished kin.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the state of every step of a study; with --why, what makes one of them missing."""
    drawn = _draw(study, store, data)
    if why is not None:
        _explain(why, drawn, as_json)
        return
    holder = drawn.store.holder()
    states = [_state(step, drawn.store, holder is not None) for step in drawn.plan.steps]
    done = sum(state == "done" for state, _ in states)
    if as_json:
        steps = [
            {"label": step.label, "kind": step.kind, "key": step.key, "state": state, "seconds": seconds}
            for step, (state, seconds) in zip(drawn.plan.steps, states, strict=True)
        ]
        _print_json({"study": drawn.plan.study.study, "store": str(store), "holder": holder, "steps": steps})
        return
    typer.echo(f"{drawn.plan.study.study}: {done} of {len(states)} steps are done.")
    if holder is not None:
        facts = (holder.get(fact, "unknown") for fact in ("pid", "host", "since", "command"))
        typer.echo(paragraph("At work: process {} on {} since {}: {}".format(*facts)))
    spent = [(state, "" if seconds is None else f"{seconds:.1f} s") for state, seconds in states]
    _print_by_crew(drawn.plan, spent)


def report(
    study: StudyName,
    store: StoreFolder = STORE,
    data: DataFolder = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write (default: STORE/reports/STUDY).")
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="Put each model's checkpoint into its folder, ready for `hf upload`.")
    ] = False,
    organization: Annotated[
        str, typer.Option(metavar="NAME", help="Whose models they are on the Hub (default: the study's name).")
    ] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Recompute every number of the report from the stored answers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Rebuild a study's tables and pictures from its stored scorecards, or verify them. No model is needed."""
    if verify and weights:
        raise ConfigError("--verify changes nothing, so there is no place for --weights. Give one of them.")
    drawn = _draw(study, store, data)
    if verify:
        from vertebra.cli.verify import verify as check

        check(drawn, out or _folder(drawn), organization, as_json)
    else:
        show(drawn, out, as_json, weights=weights, organization=organization)


class Drawn(NamedTuple):
    """A study's plan, and what it is drawn on."""

    plan: "Plan"
    catalog: "Catalog"
    benchmarks: "Mapping[str, Benchmark]"
    store: "Store"
    fingerprints: "Fingerprints"


def _draw(name: str, store_folder: Path, data: Path | None) -> Drawn:
    from vertebra.catalog import Catalog

    return draw(*Catalog.installed().study(name), store_folder, data)


def draw(study: "Study", catalog: "Catalog", store_folder: Path, data: Path | None) -> Drawn:
    """The plan of a study. `DataError` where there is no such data folder."""
    from vertebra.benchmarks import benchmark, of_a_study
    from vertebra.plan import draw_plan
    from vertebra.store import Fingerprints, Store

    if data is not None and not data.is_dir():
        raise DataError(f"The data folder {data} does not exist. Give --data the folder that holds the study's files.")
    chosen = of_a_study() if study.benchmarks == "all" else study.benchmarks
    benchmarks = {name: benchmark(name) for name in chosen}
    store = Store(store_folder)
    fingerprints = Fingerprints.of(store, data)
    return Drawn(draw_plan(study, catalog, benchmarks, fingerprints), catalog, benchmarks, store, fingerprints)


def _genealogy(drawn: Drawn) -> "Genealogy":
    from vertebra.cli.kin import Genealogy

    return Genealogy.of(drawn.plan, drawn.store)


def _planned(step: "Step", genealogy: "Genealogy") -> dict[str, "Json"]:
    facts: dict[str, Json] = {"label": step.label, "kind": step.kind, "key": step.key}
    if step.key in genealogy.done:
        return {**facts, "state": "done"}
    return {**facts, "state": "run", "why": genealogy.reason(step)}


def _state(step: "Step", store: "Store", is_held: bool) -> tuple[str, float | None]:
    """done, running, begun or missing, and the seconds a finished step took."""
    if store.done(step.key):
        seconds = store.record(step.key).get("seconds")
        return "done", seconds if isinstance(seconds, int | float) else None
    if store.begun(step.key):
        return ("running" if is_held else "begun"), None
    return "missing", None


def _explain(label: str, drawn: Drawn, as_json: bool) -> None:
    """`status --why LABEL`."""
    steps = {step.label: step for step in drawn.plan.steps}
    if label not in steps:
        raise UnknownName("step", label, steps)
    step, genealogy = steps[label], _genealogy(drawn)
    is_done = step.key in genealogy.done
    kin = None if is_done else genealogy.kin(step)
    differs = kin.differs if kin else ()
    if as_json:
        differing = [difference._asdict() for difference in differs]
        facts = {**_planned(step, genealogy), "kin": kin.label if kin else None, "differs": differing}
        _print_json({**facts, "needs": genealogy.needs(step)})
        return
    if is_done:
        typer.echo(f"{label} is done: {drawn.store.out(step.key)}")
        return
    typer.echo(paragraph(f"{label} is missing: {genealogy.reason(step)}."))
    if kin:
        typer.echo(f"\nIts nearest kin is finished step {printable(kin.label)}; old -> new:")
    for difference in differs:
        typer.echo(paragraph(f"  {difference.field}: {difference.values}", hang=2))


def _print_by_crew(plan: "Plan", remarks: Sequence[tuple[str, str]]) -> None:
    """The steps under the name of their crew, each with its state and a remark."""
    for crew, members in groupby(zip(plan.steps, remarks, strict=True), key=lambda pair: pair[0].crew):
        typer.echo(f"\n{crew}")
        for step, (state, remark) in members:
            name = step.label.removeprefix(f"{crew}/")
            told = f": {remark.replace(f'{crew}/', '')}" if remark else ""
            typer.echo(paragraph(f"  {state:<7} {name}{told}", hang=8))


def _failure(outcome: "Outcome") -> VertebraError:
    failed, blocked = len(outcome.failed), len(outcome.blocked)
    more = f"; {blocked} more that build on what failed did not run" if blocked else ""
    error = VertebraError(
        f"{failed} step{'s' if failed > 1 else ''} failed{more}. Everything finished is kept, and the same command "
        "tries again."
    )
    error.exit_code = outcome.exit_code
    return error


def show(
    drawn: Drawn,
    out: Path | None,
    as_json: bool,
    differing: "Mapping[str, tuple[int, int]] | None" = None,
    weights: bool = False,
    organization: str = "",
    publish: bool = True,
) -> None:
    """Writes the report, then prints its table and paths, or its JSON. `DataError` where nothing is scored yet.

    `differing` are answers to each benchmark that are not the reference's, and all; `publish` writes what is uploaded
    of each model.
    """
    from vertebra.cli.finished import material
    from vertebra.report import write_report
    from vertebra.report.publishing import FOLDER, put_weights

    found, folder = replace(material(drawn), organization=organization), out or _folder(drawn)
    written = write_report(found, folder, width(), publish)
    models = put_weights(found.cells, folder / FOLDER) if weights else []
    if as_json:
        more = {} if differing is None else {"differing": {name: [*counts] for name, counts in differing.items()}}
        _print_json({**written.document, **more})
        return
    typer.echo(printable(written.table))
    for name, (number, of) in (differing or {}).items():
        typer.echo(f"{name}: {number:,} of {of:,} answers are not those of batch-1 generate.")
    if written.compared:
        for line in _headlines(written.findings, drawn.plan.study.study):
            typer.echo(line)
    pictures = [path for path in written.pictures if path.suffix == ".png"]
    for path in (written.page, *pictures, written.results, *models):
        typer.echo(path)


def _headlines(findings: "Sequence[Finding]", study: str) -> Iterator[str]:
    """The first findings of a study, and how to see the others."""
    if not findings:
        yield "No difference between models is more than chance.\n"
        return
    for finding in findings[:_HEADLINES]:
        yield paragraph(f"- {finding.says}", hang=2)
    if len(findings) > _HEADLINES:
        yield paragraph(f"- {len(findings) - _HEADLINES} more: vertebra findings {study}", hang=2)
    yield ""


def _folder(drawn: Drawn) -> Path:
    return drawn.store.root / "reports" / drawn.plan.study.study


def _print_json(document: object) -> None:
    typer.echo(json.dumps(document, indent=1, allow_nan=False))


def _side_by_side(crews: int, runtime: "Runtime") -> int:
    """One crew per core that this process may use; one at a time where they would share an accelerator's memory.

    A crew takes as many cores as processes train its model together.
    """
    if runtime.device != "cpu" and any(Path("/dev").glob("nvidia[0-9]*")):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores // runtime.devices, crews))
