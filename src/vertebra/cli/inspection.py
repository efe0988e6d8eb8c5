"""`vertebra check BENCHMARK|MIXTURE --data DIR`: is everything there, whole, and of the official release?

vertebra check pope --data data/ --json
{"benchmark": "pope", "passed": true, "release": "e3e3926", "questions": 8910, "images": 500, "checks": [...], ...}
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vertebra.cli.stopping import stoppable
from vertebra.cli.text import checked, many, paragraph, printable
from vertebra.errors import ConfigError, DataError

if TYPE_CHECKING:
    from vertebra.catalog import Catalog
    from vertebra.corpus.inspection import Inspection as Looked
    from vertebra.scoring.benchmark import Benchmark, Sample
    from vertebra.scoring.inspection import Inspection
    from vertebra.spec import Json

_SHOWN = 5
"""Records that are named to people."""


def check_benchmark(name: str, data: Path | None, as_json: bool) -> None:
    """Looks at every file of a benchmark. `DataError` unless it is the official release, whole."""
    from vertebra import benchmarks
    from vertebra.scoring.inspection import inspect

    chosen = benchmarks.benchmark(name)
    report = inspect(chosen, _folder(chosen, data))
    if as_json:
        typer.echo(json.dumps({**report.document(), "protocol": chosen.protocol}))
    else:
        show(report)
    report.demand()


def show(report: "Inspection") -> None:
    """What was looked at, a line each."""
    for check in report.checks:
        typer.echo(checked(check.passed, check.name, check.figure))
    if report.passed:
        typer.echo(f"{report.folder} is whole.")


def show_prompts(name: str, data: Path | None, count: int, as_json: bool) -> None:
    """The exact text of a few questions, from the first to the last at even distances."""
    from vertebra import benchmarks

    chosen = benchmarks.benchmark(name)
    samples = chosen.load(_folder(chosen, data))
    step = max(1, (len(samples) - 1) // max(1, count - 1))
    few = samples[::step][:count]
    if as_json:
        document = {"benchmark": chosen.name, "protocol": chosen.protocol}
        typer.echo(json.dumps({**document, "prompts": [_prompt(sample) for sample in few]}))
        return
    for sample in few:
        marks = f", {len(sample.marks)} marks drawn" if sample.marks else ""
        typer.echo(printable(f"--- {sample.id} · {sample.image or 'no picture'}{marks}\n{sample.text}"))


def check_mixture(name: str, data: Path | None, catalog: "Catalog", as_json: bool, listing: bool = False) -> None:
    """Looks at every record and picture of a mixture. `DataError` for what would stop a training.

    With `listing` the records that would are listed as excluded instead, and every training leaves them out.
    """
    from vertebra.cli.progress import counting
    from vertebra.corpus import inspection
    from vertebra.reading import read_spec
    from vertebra.spec import Mixture

    mixture = read_spec(Path(name), Mixture) if name.endswith((".yaml", ".yml")) else catalog.mixture(name)
    if mixture.count is None:
        typer.echo(f"{mixture.name} does not say how many records it should hold.", err=True)
    with stoppable("Nothing was changed."), counting(mixture.name, sys.stderr) as progress:
        found = inspection.inspect(mixture, _data(data), progress, anew=listing)
    if listing:
        found = inspection.exclude(found)
    if as_json:
        typer.echo(json.dumps(found.document()))
    else:
        show_mixture(found, listing)
    found.demand()


def show_mixture(found: "Looked", listed: bool) -> None:
    """How many records there are of each kind, and the first few of those that cannot be used or are left out."""
    seen = f"{many(found.records, 'record')} can be used; {many(found.pictures, 'picture')} looked at."
    typer.echo(paragraph(f"{found.mixture.name}: {seen}"))
    for kind, number in found.kinds.items():
        typer.echo(f"{number:>11,} {kind}")
    _name(found.faults, "malformed and left out")
    _name(found.excluded, f"listed in {found.folder / found.mixture.exclusion_file} and left out of every training")
    _name(found.unusable, "in the way of a training")
    if listed and not found.excluded:
        typer.echo("There is nothing to exclude, and no list.")


def _name(records: Sequence[object], what: str) -> None:
    """The first few of some records, on lines of their own."""
    if not records:
        return
    typer.echo(paragraph(f"{many(len(records), 'record')} more {'is' if len(records) == 1 else 'are'} {what}:"))
    for record in records[:_SHOWN]:
        typer.echo(paragraph(f"  {record}", hang=2))
    if len(records) > _SHOWN:
        typer.echo(f"  and {len(records) - _SHOWN:,} more")


def _prompt(sample: "Sample") -> "dict[str, Json]":
    return {"id": sample.label or sample.id, "image": sample.image, "marks": len(sample.marks), "text": sample.text}


def _folder(chosen: "Benchmark", data: Path | None) -> Path:
    """The benchmark's folder under the data folder, or the data folder itself where it holds the files."""
    home = _data(data)
    if not (home / chosen.name).is_dir() and any((home / name).is_file() for name in chosen.files):
        return home
    if not (home / chosen.name).is_dir():
        raise DataError(f"There is no {home / chosen.name}. `vertebra fetch {chosen.name} --data {home}` makes it.")
    return home / chosen.name


def _data(data: Path | None) -> Path:
    if data is None:
        raise ConfigError("Say where the files are: --data DIR, or $VERTEBRA_DATA.")
    if not data.is_dir():
        raise DataError(f"The data folder {data} does not exist.")
    return data
