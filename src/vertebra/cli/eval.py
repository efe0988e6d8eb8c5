"""`vertebra eval MODEL --benchmarks A,B`: a model that was trained elsewhere, measured; nothing is trained.

$ vertebra eval ./llava-v1.5-7b --benchmarks pope,mme --data DIR
$ vertebra eval org/model@revision --benchmarks all --data DIR
$ vertebra eval --endpoint http://127.0.0.1:8000/v1 --model NAME --benchmarks pope --data DIR

It is a study of one adopted model, run and reported like any other: interrupted, the same command goes on. Several
processes, on as many machines as see the store, share the work with `--part 1/8` ... `--part 8/8`; the same command
without it puts their answers together and scores them.
"""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vertebra.cli.runtime import RuntimeFile, Settings, read_runtime
from vertebra.cli.study import STORE, AsJson, DataFolder, Drawn, StoreFolder, carry_out, draw, show
from vertebra.errors import ConfigError, Stopped, VertebraError

if TYPE_CHECKING:
    from vertebra.runtime import Runtime
    from vertebra.spec import Adopted


def eval_(
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", help="A checkpoint's folder, or a hub id owner/name@revision.")
    ] = "",
    benchmarks: Annotated[str, typer.Option(metavar="A,B", help="Which to run, or `all`.")] = "all",
    store: StoreFolder = STORE,
    data: DataFolder = None,
    endpoint: Annotated[str, typer.Option(metavar="URL", help="Ask an OpenAI-compatible server instead.")] = "",
    served: Annotated[str, typer.Option("--model", metavar="NAME", help="The model's name at the endpoint.")] = "",
    name: Annotated[str, typer.Option(help="What tables call it (default: the folder's or model's name).")] = "",
    engine: Annotated[
        Literal["shared", "reference", "both"],
        typer.Option(help="`reference` is batch-1 generate; `both` counts where answers differ."),
    ] = "shared",
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help="Draw answers at this temperature, not greedily.")
    ] = None,
    beams: Annotated[int, typer.Option(min=1, help="Search answers with so many beams.")] = 1,
    judge: Annotated[str, typer.Option(help="Grades free-form answers (key in OPENAI_API_KEY), or `rules`.")] = "",
    judge_url: Annotated[str, typer.Option(envvar="OPENAI_BASE_URL", help="The judge's base URL.")] = "openai",
    show_: Annotated[int, typer.Option("--show", min=0, metavar="N", help="Tell so many answers as they come.")] = 0,
    part: Annotated[str, typer.Option(metavar="K/N", help="Answer every N-th batch alone, and score nothing.")] = "",
    runtime_file: RuntimeFile = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Run benchmarks on any checkpoint or endpoint, without training. Interrupted, the same command resumes."""
    from vertebra.benchmarks import of_a_study
    from vertebra.catalog import Catalog
    from vertebra.spec import Judge, Study

    runtime = read_runtime(runtime_file, settings or (), {"data": data, "show": show_ or None})
    chosen = tuple(of_a_study()) if benchmarks == "all" else tuple(filter(None, benchmarks.split(",")))
    if not chosen:
        raise ConfigError("--benchmarks names none. Give names such as pope,mme, or `all`.")
    adopted = _adopted(model, endpoint, served)
    if endpoint and engine != "shared":
        raise ConfigError(f"--engine {engine}: a model behind an endpoint is run by its server.")
    called = _called(name) if name else _name(served or model)
    study = Study(
        study=f"eval-{called}",
        adopt={called: adopted},
        benchmarks=tuple(dict.fromkeys(chosen)),
        engine="reference" if engine == "reference" else None,
        temperature=dict.fromkeys(chosen, temperature) if temperature else {},
        beams=dict.fromkeys(chosen, beams) if beams > 1 else {},
        judge=Judge(name=judge, endpoint="scripted" if judge == "rules" else judge_url) if judge else None,
    )
    command, catalog = f"vertebra eval {served or model}", Catalog.installed()
    drawn = draw(study, catalog, store, runtime.data)
    if part:
        _answer_part(drawn, runtime, part, command)
        return
    _measure(drawn, runtime, command, as_json)
    if engine == "both":
        reference = draw(study.model_copy(update={"engine": "reference"}), catalog, store, runtime.data)
        carry_out(_asking(reference), runtime, command)
        show(drawn, None, as_json, _differing(drawn, reference))
    else:
        show(drawn, None, as_json)


def _measure(drawn: Drawn, runtime: "Runtime", command: str, as_json: bool) -> None:
    """Answers and scores; where a benchmark fails, the others are shown before the failure is told."""
    try:
        carry_out(drawn, runtime, command)
    except Stopped:
        raise
    except VertebraError:
        if any(drawn.store.done(step.key) for step in drawn.plan.steps if step.kind == "score"):
            show(drawn, None, as_json)
        raise


def _answer_part(drawn: Drawn, runtime: "Runtime", part: str, command: str) -> None:
    """Answers this process's part, "2/8". `ConfigError` for what is no part."""
    from vertebra.reading import with_value

    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", part)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigError(f"--part {part}: expected K/N with K from 1 to N, such as 2/8.")
    runtime = with_value(runtime, "part", (int(found[1]), int(found[2])), "--part")
    carry_out(_asking(drawn), runtime, f"{command} --part {part}", f"part-{found[1]}-of-{found[2]}.lock")
    typer.echo(f"Part {part} is answered. Once all parts are, the same command without --part scores them.", err=True)


def _asking(drawn: Drawn) -> Drawn:
    """What is answered of it, without the scoring."""
    steps = tuple(step for step in drawn.plan.steps if step.kind == "predict")
    return drawn._replace(plan=replace(drawn.plan, steps=steps))


def _differing(drawn: Drawn, reference: Drawn) -> dict[str, tuple[int, int]]:
    """How many answers to each benchmark are not the reference's, of how many."""
    from vertebra.files import read_rows

    found: dict[str, tuple[int, int]] = {}
    for ours, theirs in zip(_asking(drawn).plan.steps, _asking(reference).plan.steps, strict=True):
        said, wanted = (
            [row["text"] for row in read_rows(drawn.store.out(step.key) / "answers.jsonl")] for step in (ours, theirs)
        )
        differ = sum(one != other for one, other in zip(said, wanted, strict=True))
        found[str(ours.spec["benchmark"])] = (differ, len(said))
    return found


def _adopted(model: str, endpoint: str, served: str) -> "Adopted":
    """The model that is meant. `ConfigError` for none or two, or half of an endpoint."""
    from vertebra.endpoint import base_url
    from vertebra.spec import Adopted

    if bool(endpoint) != bool(served):
        raise ConfigError("An endpoint is named by --endpoint URL and --model NAME together.")
    if bool(model) == bool(endpoint):
        raise ConfigError("Give one model: a checkpoint's folder or hub id, or --endpoint URL --model NAME.")
    if endpoint:
        return Adopted(endpoint=base_url("The model's", endpoint, os.environ), model=served)
    folder = Path(model).expanduser()  # else a folder named without `./` would be a hub id
    return Adopted(weights=str(folder.resolve()) if folder.is_dir() else model)


def _name(said: str) -> str:
    """A model's name as files and tables have it: the last part of a path or id, without its revision."""
    last = said.partition("@")[0].rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w.-]", "-", last.rpartition(":")[2]).lstrip(".-") or "model"


def _called(name: str) -> str:
    """`ConfigError` for a name that is no file's."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"--name {name!r}: letters, digits, dots, dashes and underscores, please.")
    return name
