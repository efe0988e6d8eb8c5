"""A benchmark's metrics by group, one table per dimension: POPE by subset, MM-Vet by capability.

    Breakdown("subset", (Heading("adversarial", 2), ...), ("F1", "yes ratio", ...),
              ((Model(...), (Number("80.8", "78.9 – 82.5"), ...)), ...))

A model a line, seeds averaged; the interval is that of a model with one seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from vertebra.report.grid import Model, benchmark_title, metric_title, plain
from vertebra.report.rows import Cell, Scorecard


class Heading(NamedTuple):
    """A group's value, such as `adversarial`, and how many columns lie below it."""

    text: str
    columns: int


class Number(NamedTuple):
    """A group's metric, and its 95 % interval where it has one."""

    text: str
    interval: str = ""


class _Measured(NamedTuple):
    """A metric of one group and model; None where no seed has it."""

    value: float | None
    ends: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A benchmark's metrics per value of one dimension."""

    benchmark: str
    protocol: str
    dimension: str
    values: tuple[Heading, ...]
    metrics: tuple[str, ...]
    """One per column, below the values."""
    lines: tuple[tuple[Model, tuple[Number, ...]], ...]

    @property
    def title(self) -> str:
        """`POPE · llava · subset`."""
        named = self.dimension.replace("_", " ")
        return " · ".join(plain(part) for part in (benchmark_title(self.benchmark), self.protocol, named))


def breakdowns(cards: Sequence[tuple[Cell, Scorecard]]) -> list[Breakdown]:
    """All groups of all scorecards, one table per benchmark, protocol and dimension, in order of appearance."""
    keys = dict.fromkeys(
        (cell.benchmark, card.protocol, dimension) for cell, card in cards for dimension in card.groups
    )
    return [_breakdown(cards, *key) for key in keys]


def _breakdown(cards: Sequence[tuple[Cell, Scorecard]], benchmark: str, protocol: str, dimension: str) -> Breakdown:
    found: dict[Model, list[Scorecard]] = {}
    for cell, card in cards:
        if (cell.benchmark, card.protocol) == (benchmark, protocol) and dimension in card.groups:
            found.setdefault(Model(cell.family, cell.backbone), []).append(card)
    columns: dict[str, dict[str, None]] = {}
    for card in (card for several in found.values() for card in several):
        for value, metrics in card.groups[dimension].items():
            columns.setdefault(value, {}).update(dict.fromkeys(metrics))
    pairs = [(value, metric) for value, metrics in columns.items() for metric in metrics]
    measured = {pair: [_measured(several, dimension, *pair) for several in found.values()] for pair in pairs}
    shown = {pair: dict(zip(found, _numbers(column), strict=True)) for pair, column in measured.items()}
    return Breakdown(
        benchmark=benchmark,
        protocol=protocol,
        dimension=dimension,
        values=tuple(Heading(plain(value), len(metrics)) for value, metrics in columns.items() if metrics),
        metrics=tuple(metric_title(metric) for _, metric in pairs),
        lines=tuple((model, tuple(shown[pair][model] for pair in pairs)) for model in found),
    )


def _measured(cards: Sequence[Scorecard], dimension: str, value: str, metric: str) -> _Measured:
    """The mean over the seeds that have it."""
    numbers = [of[metric] for card in cards if metric in (of := card.groups[dimension].get(value, {}))]
    if not numbers:
        return _Measured(None, None)
    ends = cards[0].group_ci95.get(dimension, {}).get(value, {}).get(metric) if len(cards) == 1 else None
    return _Measured(fmean(numbers), ends)


def _numbers(column: Sequence[_Measured]) -> Iterator[Number]:
    """A column in one form: counts without decimals, ratios with three, everything else with one."""
    known = [each.value for each in column if each.value is not None]
    estimated = any(each.ends for each in column)
    if all(value.is_integer() for value in known) and not estimated:
        form = ".0f"
    else:
        form = "z.3f" if all(0 <= value <= 1 for value in known) and max(known, default=0) > 0 else "z.1f"
    for value, ends in column:
        if value is None:
            yield Number("–")
        else:
            yield Number(f"{value:{form}}", f"{ends[0]:{form}} – {ends[1]:{form}}" if ends else "")
