"""How far a score may be off: 95 % intervals, clustered by image, of any metric that is made of sums.

    ci95(accuracy, tabulate(tallies, clusters))        {"accuracy": (81.9, 91.3)}

The standard error is the jackknife's over clusters. A metric that has a lowest and a highest value (percent: 0 and 100)
gets the score interval of E. B. Wilson (1927) in that range, for as many independent questions as have this standard
error, with Student's t for the number of clusters in place of the normal quantile: never beyond the range, wide
where every answer is right. Franco et al. (J. Survey Stat. Methodol. 7, 2019) find it the best for proportions in
clustered samples. Other metrics get value ± t · standard error. Nothing is drawn at random; docs/decisions.md has how
often these and other intervals hold the truth.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vertebra.scoring.metrics import Column, Sums, Table, leave_one_out

Bounds = tuple[float, float]
Interval = tuple[float, float]
PERCENT: Bounds = (0.0, 100.0)


def ci95(
    metrics: Callable[[Sums], dict[str, Column]], table: Table, bounds: Mapping[str, Bounds | None]
) -> dict[str, Interval]:
    """Metric -> 95 % interval; none at all where there are not two clusters. Metrics without `bounds` are percent."""
    clusters = len(table.values)
    values = metrics(table.sums(table.values.sum(axis=0, keepdims=True)))
    return {
        name: interval(float(values[name][0]), error, clusters, bounds.get(name, PERCENT))
        for name, error in standard_errors(metrics, table).items()
    }


def standard_errors(metrics: Callable[[Sums], dict[str, Column]], table: Table) -> dict[str, float]:
    """Metric -> the jackknife's standard error; none at all where there are not two clusters."""
    clusters = len(table.values)
    if clusters < 2:
        return {}
    without = metrics(leave_one_out(table))
    return {name: math.sqrt(float(variance(np.broadcast_to(column, (clusters,))))) for name, column in without.items()}


def variance(without: NDArray[np.float64]) -> NDArray[np.float64]:
    """The jackknife's variance of numbers, of their values without one cluster: float[..., clusters] -> float[...]."""
    clusters = without.shape[-1]
    found: NDArray[np.float64] = without.var(axis=-1) * (clusters - 1)
    return found


def quantile(freedom: float, share: float = 0.975) -> float:
    """Student's t."""
    return float(special.stdtrit(freedom, share))


def freedom(parts: Sequence[tuple[float, float]]) -> float:
    """Degrees of freedom of a sum of independent variances, each with its own, by F. E. Satterthwaite (1946)."""
    total = sum(part for part, _ in parts)
    guessed = sum(part**2 / own for part, own in parts)
    if not total:
        return parts[0][1]
    return total**2 / guessed if guessed else math.inf  # none of them was estimated


def interval(
    value: float, error: float, clusters: int, bounds: Bounds | None, trusted: float | None = None
) -> Interval:
    """The 95 % interval of a value over so many clusters, with a standard error of `trusted` degrees of freedom.

    By default these are those of the clusters.
    """
    t = quantile(clusters - 1 if trusted is None else trusted)
    if bounds is None:
        return value - t * error, value + t * error
    low, high = bounds
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    spread, error = share * (1 - share), error / (high - low)
    # Questions that would have this error if they were independent; of clusters that are all alike only their number.
    alike = error < 1e-9 or spread == 0
    number = clusters if alike else spread / error**2
    centre = (share + t * t / 2 / number) / (1 + t * t / number)
    half = t * math.sqrt(spread / number + (t / number / 2) ** 2) / (1 + t * t / number)
    return low + max(centre - half, 0.0) * (high - low), low + min(centre + half, 1.0) * (high - low)
