"""The report as one HTML page that needs nothing but itself: no scripts, no network, no fonts to load.

    ┌ title ─ table of headline scores with intervals ─ a picture per family ─ groups and all metrics, folded ─ how
    └ long answering took ─ what is missing ─ how to rebuild and cite

Every name is escaped by Jinja's autoescape, and the page's own Content-Security-Policy allows inline styles and data:
images and nothing else.
"""

import base64
import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from statistics import fmean
from typing import NamedTuple

from vertebra.report.grid import Grid, Model, benchmark_title, metric_title, plain
from vertebra.report.published import Published
from vertebra.report.rows import Cell, Scorecard, read_scorecard
from vertebra.report.sheet import Picture
from vertebra.report.times import times


class Figure(NamedTuple):
    """A picture, what it is of, and the file that it is also written to."""

    title: str
    file: str
    picture: Picture


class Heading(NamedTuple):
    """A group's value, such as `adversarial`, and how many columns lie below it."""

    text: str
    columns: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A benchmark's metrics per value of one dimension, such as POPE's subset; a model a line, seeds averaged."""

    title: str
    values: tuple[Heading, ...]
    metrics: tuple[str, ...]
    """One per column, below the values."""
    lines: tuple[tuple[Model, tuple[str, ...]], ...]


def html(
    grid: Grid, cells: Sequence[Cell], figures: Sequence[Figure], published: Sequence[Published], results: bytes
) -> str:
    """The page. `results` is the content of results.json but for times; its SHA-256 is what a citation points at."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"plain": plain, "metric": metric_title, "benchmark": benchmark_title, "data": _data}
    template = environment.from_string(files("vertebra.report").joinpath("page.html.jinja").read_text("utf-8"))
    cards = [(cell, card) for cell in cells if (card := read_scorecard(cell))]
    return template.render(
        grid=grid,
        figures=figures,
        published=published,
        breakdowns=breakdowns(cards),
        cards=cards,
        answering=times(cells),
        command=f"vertebra report {shlex.quote(grid.study)}",
        fingerprint=hashlib.sha256(results).hexdigest(),
    )


def breakdowns(cards: Sequence[tuple[Cell, Scorecard]]) -> list[Breakdown]:
    """All groups of all scorecards, one table per benchmark, protocol and dimension, in order of appearance."""
    keys = dict.fromkeys(
        (cell.benchmark, card.protocol, dimension) for cell, card in cards for dimension in card.groups
    )
    return [_breakdown(cards, *key) for key in keys]


def _breakdown(cards: Sequence[tuple[Cell, Scorecard]], benchmark: str, protocol: str, dimension: str) -> Breakdown:
    found: dict[Model, list[Mapping[str, Mapping[str, float]]]] = {}
    for cell, card in cards:
        if (cell.benchmark, card.protocol) == (benchmark, protocol) and dimension in card.groups:
            found.setdefault(Model(cell.family, cell.backbone), []).append(card.groups[dimension])
    columns: dict[str, dict[str, None]] = {}
    for groups in (groups for several in found.values() for groups in several):
        for value, metrics in groups.items():
            columns.setdefault(value, {}).update(dict.fromkeys(metrics))
    pairs = [(value, metric) for value, metrics in columns.items() for metric in metrics]
    numbers = {pair: {model: _mean(several, *pair) for model, several in found.items()} for pair in pairs}
    shown = {
        pair: dict(zip(by_model, _numbers(list(by_model.values())), strict=True)) for pair, by_model in numbers.items()
    }
    title = " · ".join(plain(part) for part in (benchmark_title(benchmark), protocol, dimension.replace("_", " ")))
    return Breakdown(
        title=title,
        values=tuple(Heading(plain(value), len(metrics)) for value, metrics in columns.items() if metrics),
        metrics=tuple(metric_title(metric) for _, metric in pairs),
        lines=tuple((model, tuple(shown[pair][model] for pair in pairs)) for model in found),
    )


def _mean(groups: Sequence[Mapping[str, Mapping[str, float]]], value: str, metric: str) -> float | None:
    """The mean over the seeds that have it."""
    numbers = [group[value][metric] for group in groups if metric in group.get(value, {})]
    return fmean(numbers) if numbers else None


def _numbers(values: Sequence[float | None]) -> Iterator[str]:
    """A column in one form: counts without decimals, ratios with three, everything else with one."""
    known = [value for value in values if value is not None]
    if all(value.is_integer() for value in known):
        form = ".0f"
    else:
        form = "z.3f" if all(0 <= value <= 1 for value in known) else "z.1f"
    for value in values:
        yield "–" if value is None else f"{value:{form}}"


def _data(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
