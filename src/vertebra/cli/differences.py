"""How differences are told to people, in 80 columns.

POPE (llava), 8,910 questions on 500 images
             A     B   B-A  95 % interval      p  detectable
f1        85.9  87.2  +1.3    +0.5 .. +2.1  .002         1.1
accuracy  87.0  88.1  +1.1    +0.4 .. +1.8  .003         1.0
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from vertebra.cli.text import many, paragraph, printable
from vertebra.scoring.comparing import more_questions, more_seeds
from vertebra.scoring.significance import ALPHA, detectable

if TYPE_CHECKING:
    from vertebra.scoring.benchmark import Benchmark
    from vertebra.scoring.comparing import Aligned, Comparison

LEGEND = (
    "p: how often chance alone would set two equal models as far apart. detectable: the difference that so many "
    "questions show in four of five studies."
)
ONE_SEED = "One training seed each: what another seed would change is in no interval or p."


def show(names: Sequence[str], comparisons: Sequence["Comparison"], adjusted: Sequence[float]) -> None:
    """Two models on each benchmark; `adjusted` are the p values of the headlines over all of them."""
    for letter, name in zip("AB", names, strict=True):
        typer.echo(paragraph(f"{letter}  {name}", hang=3))
    for found in comparisons:
        typer.echo()
        _show(found)
    typer.echo(f"\n{paragraph(LEGEND)}")
    if len(comparisons) > 1:
        shown = [
            f"{found.benchmark.name} ({chance(p)})"
            for found, p in zip(comparisons, adjusted, strict=True)
            if p <= ALPHA
        ]
        told = f"Over all {len(comparisons)} headline metrics together (Holm), these differ: "
        typer.echo(paragraph(f"{told}{', '.join(shown) or 'none'}."))
    if all(found.headline.between is None for found in comparisons):
        typer.echo(paragraph(ONE_SEED))


def signed(value: float) -> str:
    """A difference to one decimal, or two where it is small."""
    return f"{value:+z.1f}" if abs(value) >= 0.95 else f"{value:+z.2f}"


def chance(p: float) -> str:
    """A p value: .031, <.001."""
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def title(benchmark: "Benchmark", aligned: "Aligned") -> str:
    """Which questions these are."""
    told = f"{benchmark.title} ({aligned.protocol}), {many(aligned.n, 'question')}"
    return printable(told if aligned.n == aligned.clusters else f"{told} on {many(aligned.clusters, 'image')}")


def _show(found: "Comparison") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    typer.echo(paragraph(title(found.benchmark, found.aligned)))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in ("", "A", "B", "B-A", "95 % interval", "p", "detectable"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, told in found.differences.items():
        low, high = told.ci95
        table.add_row(
            printable(name),
            f"{told.a:.1f}",
            f"{told.b:.1f}",
            signed(told.value),
            f"{signed(low)} .. {signed(high)}",
            chance(told.p),
            signed(detectable(told.error)).removeprefix("+") if told.error else "",
        )
    Console(highlight=False).print(table)
    for line in _remarks(found):
        typer.echo(paragraph(line, hang=2))


def _remarks(found: "Comparison") -> Iterator[str]:
    yield f"Tests: {', '.join(dict.fromkeys(told.test for told in found.differences.values()))}."
    if pair := found.mcnemar:
        yield (
            f"Right in A alone: {pair.only_a:,}; in B alone: {pair.only_b:,} questions "
            f"(exact McNemar, as if each had its own image: p {chance(pair.p)})."
        )
    for arm, number in found.aligned.left_out.items():
        if number:
            yield f"Not compared: {many(number, 'question')} that only {arm} has."
    if found.headline.p >= ALPHA:
        yield _settling(found)


def _settling(found: "Comparison") -> str:
    """What would show a difference of the size that is seen, were it real."""
    name, n = found.benchmark.headline, found.aligned.n
    questions, seeds = more_questions(n, found.headline), more_seeds(found.headline)
    ways = [] if questions is None else [f"{questions:,} questions (there are {n:,})"]
    ways += [] if seeds is None else [f"{many(seeds, 'seed')} of each model"]
    if not ways:
        return f"{name}: not shown, and neither more questions nor more seeds alone would show one this small."
    return f"{name}: not shown. Were it real, it would take {' or '.join(ways)} to show it in four of five studies."
