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
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vertebra.cli.text import paragraph, printable
from vertebra.errors import DataError

if TYPE_CHECKING:
    from vertebra.report.matrix import Matrix, Square


def compare_study(name: str, store: Path, data: Path | None, as_json: bool) -> None:
    """Prints the matrix. `DataError` where no two models are scored on any benchmark."""
    from vertebra.catalog import Catalog
    from vertebra.cli.finished import finished
    from vertebra.cli.study import draw
    from vertebra.report.matrix import build_matrix

    drawn = draw(*Catalog.installed().study(name), store, data)
    cells = finished(drawn)
    for benchmark, group in groupby(sorted(cells, key=lambda cell: cell.benchmark), key=lambda cell: cell.benchmark):
        missing = [cell.label for cell in group if cell.scorecard is None]
        if missing:
            told = ", ".join(missing) if len(missing) <= 4 else f"{len(missing)} models on {benchmark}"
            typer.echo(paragraph(f"Not scored yet: {told}."), err=True)
    matrix = build_matrix(cells, drawn.benchmarks)
    for sentence in matrix.skipped:
        typer.echo(paragraph(sentence), err=True)
    if not matrix.squares:
        raise DataError(f"No two models of {name} are scored on one benchmark in {store}. Start with `vertebra run`.")
    if as_json:
        typer.echo(json.dumps(matrix.document(drawn.plan.study.study), allow_nan=False))
        return
    for number, model in enumerate(matrix.models, start=1):
        typer.echo(printable(f"{number:>2}  {model}"))
    typer.echo()
    for square in matrix.squares:
        _show(square, matrix.models)
    _explain(matrix)


def _show(square: "Square", all_arms: Sequence[str]) -> None:
    """A benchmark's square; models have the numbers that they have in all of them."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from vertebra.cli.differences import signed, title

    typer.echo(paragraph(f"{title(square.benchmark, square.aligned)}: {square.benchmark.headline}"))
    cells = {
        (pair.comparison.b, pair.comparison.a): signed(pair.comparison.headline.value) + "*" * pair.is_real
        for pair in square.pairs
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


def _explain(matrix: "Matrix") -> None:
    from vertebra.cli.differences import ONE_SEED

    tests, shown = len(matrix.pairs), sum(pair.is_real for pair in matrix.pairs)
    typer.echo(
        paragraph(
            "± is half the 95 % interval; a cell is the model of its row less that of its column. "
            f"* {shown} of {tests} differences are more than chance, all {tests} tests counted together (Holm, .05)."
        )
    )
    if not matrix.has_seeds:
        typer.echo(paragraph(ONE_SEED))
    for name, group in groupby(_left_out(matrix), key=lambda each: each[0]):
        told = ", ".join(f"{number:,} of {arm}" for _, arm, number in group)
        typer.echo(paragraph(f"{name}: not compared, since others do not have them: questions {told}."))


def _left_out(matrix: "Matrix") -> Iterator[tuple[str, str, int]]:
    for square in matrix.squares:
        for arm, number in square.aligned.left_out.items():
            if number:
                yield square.benchmark.name, arm, number
