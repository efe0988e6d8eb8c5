"""The comparisons of a study as a page shows them: a square per benchmark, and an overview of all pairs.

view.squares[0].lines[0]    ("tiny-llava-1.5/tiny-phi-3", "83.2", "81.0 – 85.3", (None, Gap("+1.3", "better", "…")))
view.document()             the same numbers for the script, where two models are chosen
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from vertebra.report.grid import benchmark_title, metric_title, plain
from vertebra.report.matrix import Matrix, Pair, Square, chance
from vertebra.spec import Json


class Gap(NamedTuple):
    """One model less another."""

    text: str
    """`+1.3`"""
    value: float
    kind: str
    """`better` or `worse` where it is more than chance, else `chance`."""
    interval: str
    p: str


class Line(NamedTuple):
    """A model's row of a square."""

    model: str
    value: float
    low: float
    high: float
    gaps: tuple[Gap | None, ...]
    """Less the model of each column; None on the diagonal."""


class View(NamedTuple):
    """A square as it is shown."""

    benchmark: str
    protocol: str
    metric: str
    questions: int
    clusters: int
    lines: tuple[Line, ...]
    left_out: tuple[tuple[str, int], ...]
    """Models that were asked more than all have in common, and how much more."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Two models on all benchmarks."""

    a: str
    b: str
    gaps: tuple[Gap | None, ...]
    """B less A; None where they were not compared."""

    @property
    def real(self) -> int:
        """How many are more than chance."""
        return sum(gap is not None and gap.kind != "chance" for gap in self.gaps)


def views(matrix: Matrix) -> list[View]:
    """All squares."""
    return [_view(square, matrix) for square in matrix.squares]


def overview(matrix: Matrix, families: Mapping[str, tuple[str, str]]) -> list[tuple[str, list[Overview]]]:
    """All pairs of models by what they share, in order; `families` has family and backbone of each model's name."""
    found: dict[str, list[Overview]] = {}
    models = sorted(matrix.models, key=list(families).index)
    for place, a in enumerate(models):
        for b in models[place + 1 :]:
            gaps = tuple(_gap(matrix, square, b, a) for square in matrix.squares)
            found.setdefault(_shared(families[a], families[b]), []).append(Overview(a, b, gaps))
    last = (_SAME_BACKBONE, _NOTHING)
    return sorted(found.items(), key=lambda part: last.index(part[0]) + 1 if part[0] in last else 0)


_SAME_BACKBONE, _NOTHING = "Same backbone, other family", "Other backbone and other family"


def _shared(a: tuple[str, str], b: tuple[str, str]) -> str:
    if a[0] == b[0]:
        return f"Within {plain(a[0])}"
    return _SAME_BACKBONE if a[1] == b[1] else _NOTHING


def document(matrix: Matrix, sheets: Mapping[str, str], keys: Mapping[tuple[str, str], str]) -> Json:
    """For the script; `sheets` are places on the page by benchmark, `keys` galleries by benchmark and protocol."""
    return {
        "models": [plain(model) for model in matrix.models],
        "squares": [
            {
                "title": column_title(square, matrix),
                "metric": metric_title(square.benchmark.headline),
                "sheet": sheets[square.benchmark.name],
                "gallery": keys.get((square.benchmark.name, square.aligned.protocol)),
                "values": {plain(model): _shown(each.value) for model, each in square.estimates.items()},
                "pairs": [_pair(pair) for pair in square.pairs],
            }
            for square in matrix.squares
        ],
    }


def column_title(square: Square, matrix: Matrix) -> str:
    """The benchmark's name, with the protocol where there are several."""
    title = benchmark_title(square.benchmark.name)
    several = sum(each.benchmark.name == square.benchmark.name for each in matrix.squares) > 1
    return f"{title} ({plain(square.aligned.protocol)})" if several else title


def _view(square: Square, matrix: Matrix) -> View:
    models = list(square.estimates)
    lines = tuple(
        Line(
            model,
            found.value,
            *found.ci95,
            tuple(None if model == other else _gap(matrix, square, model, other) for other in models),
        )
        for model, found in square.estimates.items()
    )
    aligned = square.aligned
    left_out = tuple((model, more) for model, more in aligned.left_out.items() if more)
    metric = metric_title(square.benchmark.headline)
    return View(square.benchmark.name, aligned.protocol, metric, aligned.n, aligned.clusters, lines, left_out)


def _gap(matrix: Matrix, square: Square, model: str, other: str) -> Gap | None:
    """A model less another."""
    pair = matrix.pair(square.benchmark.name, square.aligned.protocol, model, other)
    if pair is None:
        return None
    found = pair.comparison.headline
    value, (low, high) = found.value, found.ci95
    if pair.comparison.a == model:
        value, low, high = -value, -high, -low
    kind = "chance" if not pair.is_real else "better" if value > 0 else "worse"
    return Gap(_signed(value), value, kind, f"{_signed(low)} to {_signed(high)}", chance(pair.p))


def _pair(pair: Pair) -> Json:
    """Both models, the difference and its interval, p, and its sign where it is more than chance."""
    found = pair.comparison.headline
    sign = (1 if found.value > 0 else -1) if pair.is_real else 0
    numbers = [_shown(found.value), *map(_shown, found.ci95)]
    return [plain(pair.comparison.a), plain(pair.comparison.b), *numbers, chance(pair.p), sign]


def _signed(value: float) -> str:
    return f"{value:+z.1f}".replace("-", "−")


def _shown(value: float) -> float:
    """As tables round it: Python and JavaScript do not agree on halves."""
    return float(f"{value:z.1f}")
