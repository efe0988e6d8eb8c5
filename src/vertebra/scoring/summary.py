"""What published numbers can show: the answers are not there, but how many questions there were is known.

    between(table, "llava-1.5/vicuna-13b", "llava-1.5/llama-3-8b", GQA)    -0.1 with a standard error of 0.43

Assumed, since the answers are not there: a question's score is right or wrong, unless the table says how far scores of
single questions spread; questions are independent; two models' scores on a question correlate as the table says; one
training seed stands for all.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from vertebra.literature import Reference
from vertebra.scoring.benchmark import Benchmark
from vertebra.scoring.contrast import Contrast, Part, Variance, per_unit
from vertebra.scoring.intervals import quantile

_NORMAL = math.inf
"""Degrees of freedom where nothing was estimated."""


@dataclass(frozen=True, slots=True)
class Told:
    """A published number and the error of the choice of questions."""

    value: float
    error: float

    @property
    def half(self) -> float:
        """Half of the 95 % interval."""
        return quantile(_NORMAL) * self.error


def told(table: Reference, model: str, benchmark: str) -> Told | None:
    """A number of the table; None where it has none, or no sample size."""
    value, sized = table.models.get(model, {}).get(benchmark), table.sizes.get(benchmark)
    if value is None or sized is None:
        return None
    if sized.error is not None:
        return Told(value, sized.error)
    assert sized.questions
    share = min(max(value / 100, 0.0), 1.0)
    spread = sized.sd if sized.sd is not None else 100 * math.sqrt(share * (1 - share))
    return Told(value, spread / math.sqrt(sized.questions))


def between(table: Reference, a: str, b: str, benchmark: str) -> Contrast | None:
    """Model B less A on a benchmark, in its metric's unit."""
    one, other = told(table, a, benchmark), told(table, b, benchmark)
    if one is None or other is None:
        return None
    variance = one.error**2 + other.error**2 - 2 * table.correlation * one.error * other.error
    value = round(other.value - one.value, 9)  # published to a decimal or two: 63.3 - 63.2 is 0.1
    return Contrast(value, variance, _NORMAL)


def parts(table: Reference, a: str, b: str, benchmarks: Iterable[Benchmark]) -> list[Part]:
    """Model B less A on each of these that both have, in points between chance and ceiling."""
    found = []
    for each in benchmarks:
        contrast = between(table, a, b, each.name)
        if contrast:
            scale = per_unit(each.axis)
            found.append(Part(contrast.value * scale, Variance(contrast.variance * scale**2, _NORMAL)))
    return found
