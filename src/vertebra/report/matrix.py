"""Every pair of a study's models on every benchmark, with Holm over all of these tests.

    matrix = build_matrix(cells, benchmarks)
    matrix.squares[0].pairs[0].comparison.headline.value    +1.3, of the second model over the first on POPE
    matrix.squares[0].pairs[0].p                            .02, all tests of the study counted together

A model is a family on a backbone; its seeds are compared together. Two protocols of one benchmark are two squares.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

from vertebra.errors import VertebraError
from vertebra.report.rows import Cell
from vertebra.scoring.benchmark import Benchmark
from vertebra.scoring.comparing import Aligned, Comparison, Measured, align, compare, document
from vertebra.scoring.intervals import PERCENT
from vertebra.scoring.paired import Estimate, estimate
from vertebra.scoring.significance import ALPHA, holm
from vertebra.spec import Json


class Pair(NamedTuple):
    """Two models on a benchmark, and what their difference is worth among all of the study."""

    comparison: Comparison
    p: float
    """Of the headline metric, adjusted for all tests of the matrix."""

    @property
    def is_real(self) -> bool:
        """Whether the difference is more than chance."""
        return self.p <= ALPHA


@dataclass(frozen=True, slots=True)
class Square:
    """The models on one benchmark under one protocol."""

    benchmark: Benchmark
    aligned: Aligned
    estimates: Mapping[str, Estimate]
    """Of the headline metric, by model."""
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Matrix:
    """All squares of a study, and what could not be compared."""

    squares: tuple[Square, ...]
    skipped: tuple[str, ...]
    """One sentence each."""

    @property
    def pairs(self) -> list[Pair]:
        """Those of all squares."""
        return [pair for square in self.squares for pair in square.pairs]

    @property
    def models(self) -> list[str]:
        """All that stand in a square, in order."""
        return list(dict.fromkeys(model for square in self.squares for model in square.estimates))

    @property
    def has_seeds(self) -> bool:
        """Whether any model was trained with several seeds, so that their variance is known."""
        return any(pair.comparison.headline.between is not None for pair in self.pairs)

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, str, str, str], Pair]:
        found = {}
        for square in self.squares:
            for pair in square.pairs:
                place = square.benchmark.name, square.aligned.protocol
                found[*place, pair.comparison.a, pair.comparison.b] = pair
                found[*place, pair.comparison.b, pair.comparison.a] = pair
        return found

    def pair(self, benchmark: str, protocol: str, model: str, other: str) -> Pair | None:
        """Two models, in either order; None where they were not compared."""
        return self._by_place.get((benchmark, protocol, model, other))

    def document(self, study: str) -> dict[str, Json]:
        """The JSON of `vertebra compare STUDY --json`."""
        told: list[Json] = [document(pair.comparison, pair.p) for pair in self.pairs]
        arms: list[Json] = [arm for square in self.squares for arm in _arms(square)]
        return {"study": study, "tests": len(told), "arms": arms, "comparisons": told}


def chance(p: float) -> str:
    """`p < .001`, `p = .032`."""
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".", 1)


def build_matrix(cells: Sequence[Cell], benchmarks: Mapping[str, Benchmark]) -> Matrix:
    """The comparisons of all models that are scored. `DataError` for a stored score that is none."""
    drafts: list[tuple[Square, list[Comparison]]] = []
    skipped: list[str] = []
    for benchmark in benchmarks.values():
        found = _results(cells, benchmark.name)
        for protocol in dict.fromkeys(each.protocol for results in found.values() for each in results):
            like = {model: [each for each in results if each.protocol == protocol] for model, results in found.items()}
            like = {model: results for model, results in like.items() if results}
            if len(like) < 2:
                skipped.append(f"{benchmark.name} ({protocol}): {', '.join(like)} has none to be compared with.")
                continue
            try:
                aligned = align(benchmark, like)
            except VertebraError as error:
                skipped.append(f"{benchmark.name} ({protocol}): {error}")
                continue
            drafts.append(_compared(benchmark, aligned))
    chances = iter(holm([each.headline.p for _, comparisons in drafts for each in comparisons]))
    squares = [
        Square(square.benchmark, square.aligned, square.estimates, tuple(Pair(e, next(chances)) for e in comparisons))
        for square, comparisons in drafts
    ]
    return Matrix(tuple(squares), tuple(skipped))


def _results(cells: Sequence[Cell], benchmark: str) -> dict[str, list[Measured]]:
    """By model, a result for each seed that is scored."""
    found: dict[str, list[Measured]] = {}
    for cell in cells:
        if cell.benchmark == benchmark and cell.score is not None:
            found.setdefault(f"{cell.family}/{cell.backbone}", []).append(Measured.read(cell.score))
    return found


def _compared(benchmark: Benchmark, aligned: Aligned) -> tuple[Square, list[Comparison]]:
    headline = benchmark.headline
    bounds = benchmark.bounds.get(headline, PERCENT)
    estimates = {
        model: estimate(benchmark.metrics, tables, headline, bounds) for model, tables in aligned.tables.items()
    }
    comparisons = [compare(benchmark, aligned, a, b, [headline]) for a, b in combinations(aligned.tables, 2)]
    return Square(benchmark, aligned, estimates, ()), comparisons


def _arms(square: Square) -> Iterator[dict[str, Json]]:
    for model, found in square.estimates.items():
        yield {
            "benchmark": square.benchmark.name,
            "protocol": square.aligned.protocol,
            "metric": square.benchmark.headline,
            "arm": model,
            "seeds": len(square.aligned.tables[model]),
            "value": found.value,
            "ci95": list(found.ci95),
            "error_questions": found.error_questions,
            "error_seeds": found.error_seeds,
        }
