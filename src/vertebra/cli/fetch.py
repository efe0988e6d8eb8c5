"""`vertebra fetch NAME|all --data DIR`: everything a study needs, brought here while there is internet.

vertebra fetch gqa --data data/
data/gqa: 12,578 questions on 398 pictures, as release testdev_balanced.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertebra.cli.names import kind_of
from vertebra.cli.stopping import stoppable
from vertebra.cli.text import paragraph, printable
from vertebra.errors import ConfigError, DataError

if TYPE_CHECKING:
    from vertebra.catalog import Catalog
    from vertebra.spec import Json


def fetch(
    name: Annotated[str, typer.Argument(help="A benchmark, `all` of them, a backbone, a family or a mixture.")],
    data: Annotated[
        Path, typer.Option(metavar="DIR", envvar="VERTEBRA_DATA", help="Where benchmarks and mixtures go.")
    ] = Path("data"),
    source: Annotated[
        str | None, typer.Option(help="A benchmark's source: official, hub, hub+test (docs/benchmarks.md).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Download a benchmark, weights or a mixture, on a machine with internet."""
    with stoppable("What has come is kept; the same command goes on."):
        if name == "all":
            _all(data, source, as_json)
            return
        done = _one(name, data, source)
    if as_json:
        typer.echo(json.dumps(done))
    failure = done.get("error")
    if failure:
        raise DataError(str(failure))


def _one(name: str, data: Path, source: str | None) -> "dict[str, Json]":
    from vertebra.catalog import Catalog

    catalog = Catalog.installed()
    kind = kind_of(name, catalog, ("benchmark", "backbone", "family", "mixture"))
    if source and kind != "benchmark":
        raise ConfigError(f"{name} is a {kind}; --source is for benchmarks.")
    if kind == "benchmark":
        return _benchmark(name, data, source)
    if kind == "mixture":
        return _mixture(name, data, catalog)
    return _weights(name, catalog.backbone(name).weights if kind == "backbone" else catalog.family(name).vision)


def _all(data: Path, source: str | None, as_json: bool) -> None:
    """Every benchmark; one that fails does not keep the others, but without the hub there is no going on."""
    from vertebra import benchmarks
    from vertebra.fetch.hub import HubUnreachable

    names = benchmarks.names()
    results: list[dict[str, Json]] = []
    for name in names:
        try:
            results.append(_benchmark(name, data, source))
        except HubUnreachable:
            raise
        except DataError as error:
            typer.echo(paragraph(f"{name}: {error}"), err=True)
            results.append({"benchmark": name, "error": str(error)})
    failed = [str(each["benchmark"]) for each in results if "error" in each]
    if as_json:
        typer.echo(json.dumps(results))
    if failed:
        raise DataError(f"{len(failed)} of {len(names)} benchmarks are not there, whole: {', '.join(failed)}.")


def _benchmark(name: str, data: Path, source: str | None) -> "dict[str, Json]":
    """Fetches what is not there, and looks at what then is; `error` in the answer says that it is not whole."""
    from vertebra import benchmarks
    from vertebra.fetch import fetch_benchmark
    from vertebra.scoring.inspection import inspect

    chosen = benchmarks.benchmark(name)
    home = data / name
    if not home.exists():
        fetch_benchmark(chosen, data, source, _say)
    report = inspect(chosen, home)
    document = report.document()
    typer.echo(paragraph(f"{home}: {report.checks[0].figure}"), err=True)
    lacks = next((each.lacks for each in chosen.sources.values()), "")
    try:
        report.demand()
    except DataError as error:
        document["error"] = f"{error} Put there by hand: {lacks}." if lacks else str(error)
    return document


def _mixture(name: str, data: Path, catalog: "Catalog") -> "dict[str, Json]":
    from vertebra.fetch.hub import file_of

    mixture = catalog.mixture(name)
    if not mixture.hub:
        raise DataError(f"The mixture {name} names no hub dataset. Put its records into {data} by hand.")
    for record in mixture.records:
        if not (data / record).is_file():
            _say(f"{mixture.hub}: {Path(record).name}")
            file_of(mixture.hub, Path(record).name, data / record)
    typer.echo(paragraph(f"{name}: its records are in {data}; the images are yours to put beside them."), err=True)
    return {"mixture": name, "records": list(mixture.records)}


def _weights(name: str, weights: str) -> "dict[str, Json]":
    from vertebra import source
    from vertebra.fetch import hub

    lacking = source.missing(weights)
    if lacking and not source.is_hub(weights):
        raise DataError(f"{name}: {lacking} Nothing can be fetched for a folder.")
    if lacking:
        _say(weights)
        hub.weights(weights)
    typer.echo(f"{name}: {weights} is on this machine.", err=True)
    return {"name": name, "weights": str(source.locate(weights))}


def _say(text: str) -> None:
    typer.echo(printable(f"fetching {text}"), err=True)
