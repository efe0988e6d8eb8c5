"""Metrics as functions of sums, so that a score and its bootstrap interval come from the same line of code.

What one question adds is its tally, `{"right": 1.0, "all": 1.0}`; sums of tallies are columns, one row per resample:

    accuracy(add(tallies))                                   {"accuracy": array([87.4])}
    accuracy(resample(tabulate(tallies, clusters), 400, 0))  {"accuracy": array([86.9, 88.1, ...])}
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
Tally = Mapping[str, float]
ZERO: Column = np.zeros(1)
_IN_HAND = 1 << 20
"""How often clusters are drawn at a time, so that it fits into a processor's cache."""


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


class Table(NamedTuple):
    """Tallies added up by cluster, of which every resample is made."""

    names: tuple[str, ...]
    values: NDArray[np.float64]
    """float[clusters, names]"""

    def sums(self, totals: NDArray[np.float64]) -> Sums:
        """`totals`, float[resamples, names], under their names."""
        return Sums({name: totals[:, column] for column, name in enumerate(self.names)})

    def under(self, names: Sequence[str]) -> "Table":
        """The same with these columns, of zeros where it has none of a name."""
        places = {name: column for column, name in enumerate(self.names)}
        empty = np.zeros(len(self.values))
        columns = [self.values[:, places[name]] if name in places else empty for name in names]
        return Table(tuple(names), np.stack(columns, axis=1) if columns else self.values[:, :0])


def tabulate(tallies: Sequence[Tally], clusters: Sequence[str]) -> Table:
    """The table of these tallies; `clusters` names each question's, rows are in the order of their first question."""
    assert len(tallies) == len(clusters)
    rows = {cluster: row for row, cluster in enumerate(dict.fromkeys(clusters))}
    columns = {key: column for column, key in enumerate(dict.fromkeys(key for tally in tallies for key in tally))}
    values = np.zeros((len(rows), len(columns)))
    for tally, cluster in zip(tallies, clusters, strict=True):
        for key, value in tally.items():
            values[rows[cluster], columns[key]] += value
    return Table(tuple(columns), values)


def leave_one_out(table: Table) -> Sums:
    """The sums without one cluster, each float[clusters]."""
    return table.sums(table.values.sum(axis=0) - table.values)


def resample(table: Table, resamples: int, seed: int) -> Sums:
    """The sums of bootstrap resamples, each float[resamples]: whole clusters are drawn with replacement.

    The same table gives the same numbers on every machine.
    """
    clusters, rng = len(table.values), np.random.default_rng(seed)
    totals = np.zeros((resamples, len(table.names)))
    if not clusters:
        return table.sums(totals)
    block = max(1, _IN_HAND // clusters)
    for start in range(0, resamples, block):
        drawn = rng.integers(0, clusters, (min(block, resamples - start), clusters))
        times = np.empty(drawn.shape)
        for row, each in enumerate(drawn):
            times[row] = np.bincount(each, minlength=clusters)
        totals[start : start + block] = times @ table.values
    return table.sums(totals)
