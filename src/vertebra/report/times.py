"""How long each model took to answer each benchmark: measured times of the runs that a report is made from.

    model        total           POPE            GQA
    tiny-phi-3   0.81 s  915/s   0.47 s  722/s   0.34 s  1,187/s

A time is no result: another run of the same study has other ones. Questions are counted as they were asked, each
distinct one once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from vertebra.report.grid import Model
from vertebra.report.rows import Answering, Cell


class Time(NamedTuple):
    """How long something took a model, the mean over its seeds, and how fast that was."""

    seconds: float
    rate: float | None
    """Questions a second; None where no time was measured."""

    @property
    def text(self) -> str:
        """`0.47 s`."""
        return f"{_digits(self.seconds)} s"

    @property
    def speed(self) -> str:
        """`722/s`; empty where it is not known."""
        return "" if self.rate is None else f"{_digits(self.rate)}/s"


class Line(NamedTuple):
    """A model's times."""

    model: Model
    total: Time
    """Of what has a time."""
    times: tuple[Time | None, ...]
    """One per benchmark; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Times:
    """All times of a study. A model or benchmark that has none is left out."""

    benchmarks: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def has_gaps(self) -> bool:
        """Whether a total leaves something out."""
        return any(None in line.times for line in self.lines)


def times(cells: Sequence[Cell]) -> Times:
    """How long answering took, as far as the cells know, in their order."""
    found: dict[Model, dict[str, list[Answering]]] = {}
    for cell in cells:
        if cell.answering:
            of_model = found.setdefault(Model(cell.family, cell.backbone), {})
            of_model.setdefault(cell.benchmark, []).append(cell.answering)
    benchmarks = tuple(dict.fromkeys(cell.benchmark for cell in cells if cell.answering))
    return Times(benchmarks, tuple(_line(model, of_model, benchmarks) for model, of_model in found.items()))


def _line(model: Model, found: dict[str, list[Answering]], benchmarks: Sequence[str]) -> Line:
    per_benchmark = [_time([found[name]]) if name in found else None for name in benchmarks]
    return Line(model, _time(list(found.values())), tuple(per_benchmark))


def _time(benchmarks: Sequence[Sequence[Answering]]) -> Time:
    """Of several benchmarks, one after the other; each has the runs of its seeds."""
    seconds = sum(fmean(run.seconds for run in runs) for runs in benchmarks)
    asked = sum(fmean(run.asked for run in runs) for runs in benchmarks)
    return Time(seconds, asked / seconds if seconds else None)


def _digits(value: float) -> str:
    """Three digits, or all before the point."""
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:,.{decimals}f}"
