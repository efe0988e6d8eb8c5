"""A benchmark's metrics by group, one table per dimension: POPE by subset, MM-Vet by capability.

    Breakdown("subset", (Heading("adversarial", 2), ...), ("F1", "yes ratio", ...), ((Model(...), ("80.8", ...)), ...))

A model a line, seeds averaged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from vertebra.report.grid import Model, benchmark_title, metric_title, plain
from vertebra.report.rows import Cell, Scorecard


class Heading(NamedTuple):
    """A group's value, such as `adversarial`, and how many columns lie below it."""

    text: str
    columns: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A benchmark's metrics per value of one dimension."""

    benchmark: str
    protocol: str
    dimension: str
    values: tuple[Heading, ...]
    metrics: tuple[str, ...]
    """One per column, below the values."""
    lines: tuple[tuple[Model, tuple[str, ...]], ...]

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
    return Breakdown(
        benchmark=benchmark,
        protocol=protocol,
        dimension=dimension,
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
