"""A sheet per benchmark: what it measures and how, its numbers with their differences, its groups.

Sheet("pope", "benchmark-pope", "POPE", "does the model see things that are not there? …", ("F1, …",), …)
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from vertebra import benchmarks as installed
from vertebra.report.grid import Column, Grid, Model, Score, benchmark_title, metric_title, plain
from vertebra.report.matrix import Matrix
from vertebra.report.page.breakdowns import Breakdown, breakdowns
from vertebra.report.page.compared import View, views
from vertebra.report.rows import Cell, Scorecard
from vertebra.scoring.benchmark import Benchmark

Cards = Sequence[tuple[Cell, Scorecard]]


class Table(NamedTuple):
    """Headline scores under one protocol that could not be compared."""

    column: Column
    scores: tuple[tuple[Model, Score], ...]


class Sheet(NamedTuple):
    """One benchmark."""

    name: str
    anchor: str
    title: str
    about: str
    facts: tuple[str, ...]
    """One sentence each."""
    views: tuple[View, ...]
    """A square per protocol."""
    tables: tuple[Table, ...]
    """Of protocols that have no square."""
    breakdowns: tuple[Breakdown, ...]
    galleries: tuple[tuple[str, str], ...]
    """Key and protocol of each of its galleries."""


def anchors(grid: Grid) -> dict[str, str]:
    """Where on the page each benchmark's sheet is."""
    names = dict.fromkeys(column.benchmark for column in grid.columns)
    found: dict[str, str] = {}
    for number, name in enumerate(names):
        plainly = re.fullmatch("[A-Za-z0-9_-]+", name)
        found[name] = f"benchmark-{name}" if plainly else f"benchmark-no-{number}"
    return found


def sheets(
    grid: Grid,
    cards: Cards,
    benchmarks: Mapping[str, Benchmark],
    matrix: Matrix,
    galleries: Mapping[tuple[str, str], str],
) -> list[Sheet]:
    """One for each benchmark of the study that has a score."""
    shown, groups = views(matrix), breakdowns(cards)
    found = []
    for name, anchor in anchors(grid).items():
        columns = [column for column in grid.columns if column.benchmark == name and column.protocol]
        if not columns:
            continue
        own = tuple(view for view in shown if view.benchmark == name)
        compared = {view.protocol for view in own}
        found.append(
            Sheet(
                name=name,
                anchor=anchor,
                title=benchmark_title(name),
                about=_about(name),
                facts=tuple(_facts(name, columns, cards, benchmarks.get(name))),
                views=own,
                tables=tuple(_table(grid, column) for column in columns if column.protocol not in compared),
                breakdowns=tuple(each for each in groups if each.benchmark == name),
                galleries=tuple((key, protocol) for (of, protocol), key in galleries.items() if of == name),
            )
        )
    return found


def _table(grid: Grid, column: Column) -> Table:
    return Table(column, tuple((m, grid.scores[m, column]) for m in grid.models if (m, column) in grid.scores))


def _about(name: str) -> str:
    return plain(installed.about(name)) if name in installed.names() else ""


def _facts(name: str, columns: Sequence[Column], cards: Cards, benchmark: Benchmark | None) -> Iterator[str]:
    for column in columns:
        sizes = sorted({card.n for cell, card in cards if (cell.benchmark, card.protocol) == (name, column.protocol)})
        asked = " or ".join(f"{size:,}" for size in sizes)
        yield f"Protocol {plain(column.protocol)}: {metric_title(column.metric)} over {asked} questions."
    if benchmark is None:
        return
    chance, ceiling = benchmark.axis
    yield f"Chance is {chance:g}, the ceiling {ceiling:g}."
    if benchmark.judged:
        yield "A judge model grades the answers; another judge gives other numbers."
    if benchmark.officially:
        yield f"Beside the official code: {plain(benchmark.officially)}"
