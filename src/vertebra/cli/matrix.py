"""`vertebra compare STUDY`: every pair of a study's models on every benchmark, with Holm over all of these tests.

 1  llava-1.5/vicuna-7b
 2  llava-1.5/llama-3-8b
 3  llava-1.5/phi-3-mini

POPE (llava), 8,910 questions on 500 images: f1
                  1      2
1  85.9 ± 1.1
2  87.2 ± 1.0  +1.3*
3  86.0 ± 1.1  +0.10  -1.2*
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from vertebra.cli.text import paragraph, printable
from vertebra.errors import DataError

if TYPE_CHECKING:
    from vertebra.cli.study import Drawn
    from vertebra.scoring.benchmark import Benchmark
    from vertebra.scoring.comparing import Aligned, Comparison, Measured
    from vertebra.scoring.paired import Estimate
    from vertebra.spec import Json

Arms = dict[str, list["Measured"]]
"""Model -> a result for each seed."""


class Square(NamedTuple):
    """The models on one benchmark under one protocol."""

    benchmark: "Benchmark"
    aligned: "Aligned"
    estimates: "Mapping[str, Estimate]"
    pairs: "Sequence[Comparison]"


def compare_study(name: str, store: Path, data: Path | None, as_json: bool) -> None:
    """Prints the matrix. `DataError` where no two models are scored on any benchmark."""
    from vertebra.catalog import Catalog
    from vertebra.cli.study import draw
    from vertebra.scoring.significance import holm

    drawn = draw(*Catalog.installed().study(name), store, data)
    squares = list(_squares(drawn))
    chances = iter(holm([pair.headline.p for each in squares for pair in each.pairs]))
    adjusted = [[next(chances) for _ in each.pairs] for each in squares]
    if not squares:
        raise DataError(f"No two models of {name} are scored on one benchmark in {store}. Start with `vertebra run`.")
    if as_json:
        typer.echo(json.dumps(_document(drawn.plan.study.study, squares, adjusted), allow_nan=False))
        return
    arms = list(dict.fromkeys(arm for square in squares for arm in square.estimates))
    for number, arm in enumerate(arms, start=1):
        typer.echo(printable(f"{number:>2}  {arm}"))
    typer.echo()
    for square, found in zip(squares, adjusted, strict=True):
        _show(square, found, arms)
    _explain([p for found in adjusted for p in found], squares)


def _squares(drawn: "Drawn") -> "Iterator[Square]":
    """One benchmark's results at a time; two protocols of one benchmark are two squares."""
    from vertebra.scoring.comparing import align, compare
    from vertebra.scoring.intervals import PERCENT
    from vertebra.scoring.paired import estimate

    for benchmark in drawn.benchmarks.values():
        arms = _results(drawn, benchmark.name)
        protocols = dict.fromkeys(each.protocol for found in arms.values() for each in found)
        for protocol in protocols:
            like = {arm: [each for each in found if each.protocol == protocol] for arm, found in arms.items()}
            like = {arm: found for arm, found in like.items() if found}
            if len(like) < 2:
                typer.echo(f"{benchmark.name} ({protocol}): {', '.join(like)} has none to be compared with.", err=True)
                continue
            aligned, headline = align(benchmark, like), benchmark.headline
            bounds = benchmark.bounds.get(headline, PERCENT)
            estimates = {
                arm: estimate(benchmark.metrics, tables, headline, bounds) for arm, tables in aligned.tables.items()
            }
            pairs = [compare(benchmark, aligned, a, b, [headline]) for a, b in combinations(like, 2)]
            yield Square(benchmark, aligned, estimates, pairs)


def _results(drawn: "Drawn", benchmark: str) -> Arms:
    """The study's results on a benchmark; those that are not there yet are told."""
    from vertebra.scoring.comparing import Measured

    found: Arms = {}
    missing = []
    for step in drawn.plan.steps:
        if step.kind != "score" or step.spec["benchmark"] != benchmark:
            continue
        if not drawn.store.done(step.key):
            missing.append(step.label.removesuffix("/score"))
            continue
        drawn.store.verify(step.key)
        arm = "/".join(step.label.split("/")[:2])
        found.setdefault(arm, []).append(Measured.read(drawn.store.out(step.key)))
    if missing:
        told = ", ".join(missing) if len(missing) <= 4 else f"{len(missing)} models on {benchmark}"
        typer.echo(paragraph(f"Not scored yet: {told}."), err=True)
    return found


def _document(study: str, squares: Sequence[Square], adjusted: Sequence[Sequence[float]]) -> dict[str, "Json"]:
    from vertebra.scoring.comparing import document

    arms: list[Json] = [
        {
            "benchmark": square.benchmark.name,
            "protocol": square.aligned.protocol,
            "metric": square.benchmark.headline,
            "arm": arm,
            "seeds": len(square.aligned.tables[arm]),
            "value": found.value,
            "ci95": list(found.ci95),
            "error_questions": found.error_questions,
            "error_seeds": found.error_seeds,
        }
        for square in squares
        for arm, found in square.estimates.items()
    ]
    told: list[Json] = [
        document(pair, p)
        for square, found in zip(squares, adjusted, strict=True)
        for pair, p in zip(square.pairs, found, strict=True)
    ]
    return {"study": study, "tests": len(told), "arms": arms, "comparisons": told}


def _show(square: Square, adjusted: Sequence[float], all_arms: Sequence[str]) -> None:
    """A benchmark's square; models have the numbers that they have in all of them."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from vertebra.cli.differences import signed, title

    typer.echo(paragraph(f"{title(square.benchmark, square.aligned)}: {square.benchmark.headline}"))
    cells = {
        (pair.b, pair.a): signed(pair.headline.value) + "*" * (p <= 0.05)
        for pair, p in zip(square.pairs, adjusted, strict=True)
    }
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("")
    table.add_column("", justify="right", no_wrap=True)
    arms = list(square.estimates)
    numbers = {arm: str(number) for number, arm in enumerate(all_arms, start=1)}
    for arm in arms[:-1]:
        table.add_column(numbers[arm], justify="right", no_wrap=True)
    for arm in arms:
        found = square.estimates[arm]
        half = (found.ci95[1] - found.ci95[0]) / 2
        values = [cells.get((arm, other), "") for other in arms[:-1]]
        table.add_row(numbers[arm], f"{found.value:.1f} ± {half:.1f}", *values)
    Console(highlight=False).print(table)
    typer.echo()


def _explain(adjusted: Sequence[float], squares: Sequence[Square]) -> None:
    from vertebra.cli.differences import ONE_SEED

    tests, shown = len(adjusted), sum(p <= 0.05 for p in adjusted)
    typer.echo(
        paragraph(
            "± is half the 95 % interval; a cell is the model of its row less that of its column. "
            f"* {shown} of {tests} differences are more than chance, all {tests} tests counted together (Holm, .05)."
        )
    )
    if all(pair.headline.between is None for square in squares for pair in square.pairs):
        typer.echo(paragraph(ONE_SEED))
    for name, group in groupby(_left_out(squares), key=lambda pair: pair[0]):
        told = ", ".join(f"{number:,} of {arm}" for _, arm, number in group)
        typer.echo(paragraph(f"{name}: not compared, since others do not have them: questions {told}."))


def _left_out(squares: Sequence[Square]) -> Iterator[tuple[str, str, int]]:
    for square in squares:
        for arm, number in square.aligned.left_out.items():
            if number:
                yield square.benchmark.name, arm, number
