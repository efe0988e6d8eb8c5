"""Metrics as functions of sums, so that a score and its bootstrap interval come from the same line of code.

What one question adds is its tally, `{"right": 1.0, "all": 1.0}`; sums of tallies are columns, one row per resample:

    accuracy(add(tallies))                          {"accuracy": array([87.4])}
    accuracy(resample(tallies, clusters, 400, 0))   {"accuracy": array([86.9, 88.1, ...])}
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
Tally = Mapping[str, float]
ZERO: Column = np.zeros(1)


class Sums(dict[str, Column]):
    """Sums of tallies by name, each float[resamples]; what no question added to is zero."""

    def __missing__(self, key: str) -> Column:
        return ZERO


def ratio(part: Column, whole: Column) -> Column:
    """part / whole, and 0 where the whole is 0 (where official code divides by zero and stops)."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole != 0)


def accuracy(sums: Sums) -> dict[str, Column]:
    """Percent of the questions that are right."""
    return {"accuracy": 100 * ratio(sums["right"], sums["all"])}


def add(tallies: Iterable[Tally]) -> Sums:
    """The sums over all questions, each float[1], added in their order."""
    totals: dict[str, float] = {}
    for tally in tallies:
        for key, value in tally.items():
            totals[key] = totals.get(key, 0.0) + value
    return Sums({key: np.array([total]) for key, total in totals.items()})


def resample(tallies: Sequence[Tally], clusters: Sequence[str], resamples: int, seed: int) -> Sums:
    """The sums of bootstrap resamples, each float[resamples]: whole clusters are drawn with replacement.

    `clusters` names each question's cluster. The same input gives the same numbers on every machine.
    """
    assert len(tallies) == len(clusters)
    rows = {cluster: row for row, cluster in enumerate(dict.fromkeys(clusters))}
    columns = {key: column for column, key in enumerate(dict.fromkeys(key for tally in tallies for key in tally))}
    table = np.zeros((len(rows), len(columns)))
    for tally, cluster in zip(tallies, clusters, strict=True):
        for key, value in tally.items():
            table[rows[cluster], columns[key]] += value
    rng = np.random.default_rng(seed)
    totals = np.zeros((resamples, len(columns)))
    for draw in range(resamples if rows else 0):
        times = np.bincount(rng.integers(0, len(rows), len(rows)), minlength=len(rows))
        totals[draw] = times @ table
    return Sums({key: totals[:, column] for key, column in columns.items()})
