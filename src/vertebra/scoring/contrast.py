"""A difference of two models with its error, of one benchmark or the mean of several, and what it shows.

    mean([part(on_mmbench, (0, 100), 1_164, 2), part(on_scienceqa, (40, 100), 2_017, 2)])
    Contrast(value=3.1, variance=0.74, freedom=2016.0)

A mean is taken of points on the way from chance (0) to the ceiling (100) of each benchmark, so that MME's points do not
drown the others. Benchmarks are taken for independent in their questions; a training seed is taken to move all of them
together, which is the widest it can be.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from scipy import special

from vertebra.scoring.intervals import Interval, freedom, quantile
from vertebra.scoring.paired import Difference


class Variance(NamedTuple):
    """A variance and the degrees of freedom that it was estimated with."""

    value: float
    freedom: float


@dataclass(frozen=True, slots=True)
class Part:
    """A difference on one benchmark, in points between chance and ceiling."""

    value: float
    questions: Variance
    seeds: Variance | None = None


@dataclass(frozen=True, slots=True)
class Contrast:
    """A difference, one model less another."""

    value: float
    variance: float
    freedom: float
    tested: float | None = None
    """The p value of a better test than the t test of value and variance, where there is one."""
    told: Interval | None = None
    """The 95 % interval, where there is a better one than value ± t · error."""

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(self.variance)

    @property
    def ci95(self) -> Interval:
        """The 95 % interval."""
        if self.told:
            return self.told
        half = quantile(self.freedom) * self.error
        return self.value - half, self.value + half

    @property
    def p(self) -> float:
        """Two-sided, that there is no difference."""
        return self._beyond(abs(self.value)) * 2 if self.tested is None else self.tested

    def p_alike(self, margin: float) -> float:
        """That the difference is at least the margin, one way or the other (two one-sided tests)."""
        return self._beyond(margin - abs(self.value))

    def p_apart(self, margin: float) -> float:
        """That the difference is at most the margin."""
        return self._beyond(abs(self.value) - margin)

    def reversed(self) -> "Contrast":
        """The other model less the one."""
        told = (-self.told[1], -self.told[0]) if self.told else None
        return replace(self, value=-self.value, told=told)

    def _beyond(self, distance: float) -> float:
        """The share of Student's t above a distance in the metric's unit."""
        if self.variance == 0:
            return 0.0 if distance > 0 else 0.5 if distance == 0 else 1.0
        return float(special.stdtr(self.freedom, -distance / self.error))


def per_unit(axis: tuple[float, float]) -> float:
    """Points on the way from chance (0) to the ceiling (100) for one unit of the metric."""
    chance, ceiling = axis
    return 100 / (ceiling - chance)


def single(difference: Difference) -> Contrast:
    """A paired difference in its metric's unit, with its own test."""
    return Contrast(
        difference.value, difference.error**2, difference.freedom, tested=difference.p, told=difference.ci95
    )


def part(difference: Difference, axis: tuple[float, float], clusters: int, seeds: int) -> Part:
    """A paired difference between chance and ceiling; `seeds` of both models together."""
    scale = per_unit(axis)
    several = difference.between is not None
    return Part(
        difference.value * scale,
        Variance(difference.questions * scale**2, clusters - 1),
        Variance(difference.seeds * scale**2, seeds - 2) if several else None,
    )


def mean(parts: Sequence[Part]) -> Contrast:
    """The mean difference over benchmarks, of at least one."""
    number = len(parts)
    questions = [Variance(each.questions.value / number**2, each.questions.freedom) for each in parts]
    seeds = [each.seeds for each in parts if each.seeds]
    together = (sum(math.sqrt(each.value) for each in seeds) / number) ** 2
    own = [Variance(together, min(each.freedom for each in seeds))] if seeds else []
    return Contrast(
        value=sum(each.value for each in parts) / number,
        variance=sum(each.value for each in questions) + together,
        freedom=freedom([*questions, *own]),
    )
