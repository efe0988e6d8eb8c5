"""Where differences of two models come from: a study's own answers, or the numbers of a published table.

OfStudy(matrix).on("pope", "llava-1.5/vicuna-13b", "llava-1.5/llama-3-8b")    the second less the first, in F1 points
OfTable(table).mean(("gqa", "vqav2"), "llava-1.5/vicuna-13b", …)              between chance (0) and ceiling (100)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vertebra.literature import Reference
from vertebra.report.matrix import Matrix, Pair
from vertebra.scoring import summary
from vertebra.scoring.benchmark import Benchmark
from vertebra.scoring.contrast import Contrast, Part, mean, part, single


class Contrasts(Protocol):
    """Differences of models, each the second less the first."""

    def on(self, benchmark: str, a: str, b: str) -> Contrast | None:
        """In the headline metric's unit; None where one of the models has no number."""

    def mean(self, benchmarks: Iterable[str], a: str, b: str) -> Contrast | None:
        """Over those of these benchmarks that both have, between chance and ceiling; None where there is none."""

    def shared(self, a: str, b: str) -> Sequence[str]:
        """The benchmarks that both models have."""


@dataclass(frozen=True, slots=True)
class OfStudy:
    """Paired, from answers to the same questions."""

    matrix: Matrix

    def on(self, benchmark: str, a: str, b: str) -> Contrast | None:
        """As of any."""
        pair = self.pair(benchmark, a, b)
        if pair is None:
            return None
        found = single(pair.comparison.headline)
        return found if pair.comparison.a == a else found.reversed()

    def mean(self, benchmarks: Iterable[str], a: str, b: str) -> Contrast | None:
        """As of any."""
        pairs = [pair for name in benchmarks if (pair := self.pair(name, a, b))]
        if not pairs:
            return None
        found = mean([_part(pair) for pair in pairs])
        return found if pairs[0].comparison.a == a else found.reversed()

    def shared(self, a: str, b: str) -> list[str]:
        """As of any."""
        names = dict.fromkeys(square.benchmark.name for square in self.matrix.squares)
        return [name for name in names if self.pair(name, a, b)]

    def pair(self, benchmark: str, a: str, b: str) -> Pair | None:
        """The comparison, in either order, under the first protocol that both were measured by."""
        squares = (square for square in self.matrix.squares if square.benchmark.name == benchmark)
        pairs = (self.matrix.pair(benchmark, square.aligned.protocol, a, b) for square in squares)
        return next(filter(None, pairs), None)


@dataclass(frozen=True, slots=True)
class OfTable:
    """From published numbers and how many questions there were."""

    table: Reference
    benchmarks: Mapping[str, Benchmark]

    def on(self, benchmark: str, a: str, b: str) -> Contrast | None:
        """As of any."""
        return summary.between(self.table, a, b, benchmark)

    def mean(self, benchmarks: Iterable[str], a: str, b: str) -> Contrast | None:
        """As of any."""
        found = summary.parts(self.table, a, b, [self.benchmarks[name] for name in benchmarks])
        return mean(found) if found else None

    def shared(self, a: str, b: str) -> list[str]:
        """As of any."""
        return [name for name in self.benchmarks if self.on(name, a, b)]


def _part(pair: Pair) -> Part:
    found, aligned = pair.comparison, pair.comparison.aligned
    seeds = len(aligned.tables[found.a]) + len(aligned.tables[found.b])
    return part(found.headline, found.benchmark.axis, aligned.clusters, seeds)
