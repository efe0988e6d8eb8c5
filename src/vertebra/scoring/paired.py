"""Two models on the same questions: is the difference real?

    differences(accuracy, [table_a], [table_b])    {"accuracy": Difference(a=85.9, b=87.2, value=1.3, p=0.003, ...)}

A side is one table per training seed; rows are the same clusters on both sides. The standard error is the jackknife's
over clusters of the difference itself, so whatever both models find hard cancels; the interval is made of both sides'
own. With several seeds their variance is added, and the p value is Student's t over both (Satterthwaite's degrees of
freedom). With one seed a side the p value is that of a sign-flip over clusters: the models' answers to all questions on
an image are exchanged at random, the metric computed anew, whatever metric it is. Where each image has one question and
an answer is right or wrong, this is McNemar's exact test.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vertebra.scoring.intervals import PERCENT, Bounds, Interval, freedom, interval, variance
from vertebra.scoring.metrics import Column, Sums, Table, leave_one_out, resample
from vertebra.scoring.signflip import FLIPS, Chance, sign_flip

Metrics = Callable[[Sums], Mapping[str, Column]]
RESAMPLES = 10_000


class McNemar(NamedTuple):
    """Q. McNemar's exact test: how many questions only one of two models gets right."""

    only_a: int
    only_b: int
    p: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of two models, B less A."""

    a: float
    b: float
    value: float
    error: float
    """Its standard error, of questions and seeds."""
    freedom: float
    """Degrees of freedom of that."""
    ci95: Interval
    bootstrap95: Interval | None
    """Between which 95 % of the bootstrap resamples of clusters lie, where they were drawn; of questions alone."""
    p: float
    test: str
    questions: float
    """The part of the variance that more questions would lessen."""
    between: float | None
    """Variance of a score between training seeds of one arm; None where no arm has two."""
    seeds: float
    """The part of the variance that more seeds would lessen."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric of one arm, the mean of its seeds."""

    value: float
    ci95: Interval
    error_questions: float
    """Standard error of the choice of questions."""
    error_seeds: float | None
    """And of the seeds; None where there is one."""


def mcnemar(a: Sequence[float], b: Sequence[float]) -> McNemar | None:
    """McNemar's exact test of scores in the same order; None where an answer may be partly right."""
    if not {*a, *b} <= {0.0, 1.0}:
        return None
    only_a = sum(one > other for one, other in zip(a, b, strict=True))
    only_b = sum(one < other for one, other in zip(a, b, strict=True))
    p = min(1.0, 2 * float(special.bdtr(min(only_a, only_b), only_a + only_b, 0.5)))
    return McNemar(only_a, only_b, p)


def differences(
    metrics: Metrics,
    a: Sequence[Table],
    b: Sequence[Table],
    bounds: Mapping[str, Bounds | None] = {},
    names: Sequence[str] | None = None,
    single: bool = False,
    bootstrap: bool = False,
    flips: int = FLIPS,
) -> dict[str, Difference]:
    """The differences of these metrics (default: of all), at least two clusters given.

    Metrics without `bounds` are percent. `single` says that each cluster is one question that is right or wrong,
    `bootstrap` asks for those intervals too, `flips` is how many exchanges are drawn.
    """
    clusters = len(a[0].values)
    assert clusters > 1
    assert all(len(table.values) == clusters for table in (*a, *b))
    sides = [_side(metrics, tables) for tables in (a, b)]
    chosen = [name for name in (names or sides[0]) if name in sides[0] and name in sides[1]]
    several = len(a) > 1 or len(b) > 1
    chances = {} if several else sign_flip(metrics, a[0], b[0], single, flips)
    drawn = _bootstrap(metrics, a, b) if bootstrap else {}
    return {
        name: _difference(sides[0][name], sides[1][name], bounds.get(name, PERCENT), chances.get(name), drawn.get(name))
        for name in chosen
    }


def estimate(metrics: Metrics, tables: Sequence[Table], name: str, bounds: Bounds | None) -> Estimate:
    """A metric of one arm, of a table for each seed with the same clusters in their rows."""
    side = _side(metrics, tables)[name]
    questions, clusters = float(variance(side.without.mean(axis=0))), side.without.shape[1]
    between, own = _between([side])
    seeds = (between or 0.0) / len(side.values)
    trusted = freedom([(questions, clusters - 1), *([(seeds, own)] if own else [])])
    value = float(side.values.mean())
    found = interval(value, math.sqrt(questions + seeds), clusters, bounds, trusted)
    return Estimate(value, found, math.sqrt(questions), math.sqrt(seeds) if own else None)


class _Side(NamedTuple):
    """A metric of one arm."""

    values: NDArray[np.float64]
    """float[seeds]"""
    without: NDArray[np.float64]
    """float[seeds, clusters], without one of the clusters"""


def _side(metrics: Metrics, tables: Sequence[Table]) -> dict[str, _Side]:
    clusters = len(tables[0].values)
    whole = [metrics(table.sums(table.values.sum(axis=0, keepdims=True))) for table in tables]
    parts = [metrics(leave_one_out(table)) for table in tables]
    return {
        name: _Side(
            np.array([float(values[name][0]) for values in whole]),
            np.stack([np.broadcast_to(without[name], (clusters,)) for without in parts]),
        )
        for name in whole[0]
    }


def _difference(a: _Side, b: _Side, bounds: Bounds | None, chance: Chance | None, drawn: Interval | None) -> Difference:
    value = float(b.values.mean() - a.values.mean())
    questions = float(variance(b.without.mean(axis=0) - a.without.mean(axis=0)))
    between, own = _between([a, b])
    seeds = (between or 0.0) * (1 / len(a.values) + 1 / len(b.values))
    trusted = freedom([(questions, a.without.shape[1] - 1), *([(seeds, own)] if own else [])])
    error = math.sqrt(questions + seeds)
    ci95 = _recovered([_interval_of(side, between, trusted, bounds) for side in (a, b)], error)
    if chance is None:
        p = 2 * float(special.stdtr(trusted, -abs(value) / error)) if error > 0 else float(value == 0)
        chance = Chance(p, "t over questions and seeds")
    return Difference(
        a=float(a.values.mean()),
        b=float(b.values.mean()),
        value=value,
        error=error,
        freedom=trusted,
        ci95=ci95,
        bootstrap95=drawn,
        p=chance.p,
        test=chance.test,
        questions=questions,
        between=between,
        seeds=seeds,
    )


class _Alone(NamedTuple):
    """A metric of one arm by itself."""

    value: float
    error: float
    ci95: Interval


def _interval_of(side: _Side, between: float | None, trusted: float, bounds: Bounds | None) -> _Alone:
    value, clusters = float(side.values.mean()), side.without.shape[1]
    error = math.sqrt(float(variance(side.without.mean(axis=0))) + (between or 0.0) / len(side.values))
    return _Alone(value, error, interval(value, error, clusters, bounds, trusted))


def _recovered(sides: Sequence[_Alone], error: float) -> Interval:
    """The interval of a difference from those of its sides (R. G. Newcombe 1998; G. Y. Zou and A. Donner 2008).

    Each side's way to its end stands for a standard error, so that what Wilson's intervals know of a range's ends is
    kept; how the sides go together follows from the standard error of the difference. Metrics without a range get
    value ± t · error, as if this were not here.
    """
    a, b = sides
    apart = a.error**2 + b.error**2 - error**2
    together = apart / (2 * a.error * b.error) if a.error > 0 and b.error > 0 else 0.0
    together = min(max(together, -1.0), 1.0)

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(one**2 - 2 * together * one * other + other**2, 0.0))

    value = b.value - a.value
    low = reach(b.value - b.ci95[0], a.ci95[1] - a.value)
    high = reach(b.ci95[1] - b.value, a.value - a.ci95[0])
    return value - low, value + high


def _between(sides: Sequence[_Side]) -> tuple[float | None, int]:
    """The variance of a score between seeds, the same in all arms, and its degrees of freedom.

    Part of it is that each seed finds other questions hard; that is in the variance over questions too. It is counted
    twice, since taking it out leaves estimates from few seeds that are too often too small (docs/decisions.md).
    """
    own = sum(len(side.values) - 1 for side in sides)
    if not own:
        return None, 0
    return sum(float(((side.values - side.values.mean()) ** 2).sum()) for side in sides) / own, own


def _bootstrap(metrics: Metrics, a: Sequence[Table], b: Sequence[Table], seed: int = 0) -> dict[str, Interval]:
    """Percentiles of the difference when whole clusters are drawn, the same for all seeds of both arms."""
    tables = [*a, *b]
    joint = Table(
        tuple(f"{place} {name}" for place, table in enumerate(tables) for name in table.names),
        np.concatenate([table.values for table in tables], axis=1),
    )
    sums = resample(joint, RESAMPLES, seed)
    found = [
        metrics(Sums({name: sums[f"{place} {name}"] for name in table.names})) for place, table in enumerate(tables)
    ]
    drawn: dict[str, Interval] = {}
    for name in found[0]:
        of_a, of_b = (np.mean([each[name] for each in side], axis=0) for side in (found[: len(a)], found[len(a) :]))
        low, high = np.percentile(of_b - of_a, [2.5, 97.5])
        drawn[name] = (float(low), float(high))
    return drawn
