"""Sign-flip tests: how often chance alone sets two models as far apart, were their answers exchangeable.

Each cluster's answers keep their model or change it, together; every metric is computed anew from the exchanged sums.
With up to 13 clusters that differ, all exchanges are looked at, else 10,000 drawn ones. (E. S. Edgington's
randomization test for pairs; in language processing "approximate randomization", A. Yeh, COLING 2000.)
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vertebra.scoring.metrics import Column, Sums, Table

FLIPS = 10_000
_IN_HAND = 1 << 21
_TAIL = 3.178
"""Sums of sign-flips lie beyond z at most so many times as often as the normal distribution does (Bentkus and
Dzindzalieta, Bernoulli 21, 2015)."""
_TIE = 1e-9
"""Differences that are equal but for how they were added up."""


class Chance(NamedTuple):
    """A p value, and the test that it is of."""

    p: float
    test: str


def sign_flip(
    metrics: Callable[[Sums], Mapping[str, Column]],
    a: Table,
    b: Table,
    single: bool = False,
    flips: int = FLIPS,
    seed: int = 0,
) -> dict[str, Chance]:
    """Metric -> chance, two-sided, of two tables with the same clusters.

    `single` says that each of them is one question that is right or wrong. Where no drawn exchange reaches the
    difference, the bound by `_TAIL` goes on where counting ends.
    """
    names = tuple(dict.fromkeys((*a.names, *b.names)))
    exchange = _Exchange.of(metrics, a.under(names), b.under(names))
    found = exchange.at(np.zeros((1, len(names))))
    alone = exchange.at(exchange.moved) if len(exchange.moved) else {}
    exact = len(exchange.moved) < flips.bit_length()
    chances: dict[str, Chance] = {}
    for name, column in found.items():
        steps = np.broadcast_to(alone[name], len(exchange.moved)) - column[0] if alone else np.zeros(0)
        chance = _counted(steps, single)
        if chance is not None:
            chances[name] = chance
    if len(chances) == len(found):
        return chances
    drawn = exchange.all() if exact else exchange.draw(flips, seed)
    for name, column in found.items():
        if name not in chances:
            chances[name] = Chance(_share(np.abs(drawn[name]), abs(float(column[0])), exact), "sign-flip over images")
    return chances


class _Exchange(NamedTuple):
    """Two models whose answers may be exchanged."""

    metrics: Callable[[Sums], Mapping[str, Column]]
    names: tuple[str, ...]
    totals: tuple[NDArray[np.float64], NDArray[np.float64]]
    """Both models' sums, float[names]."""
    moved: NDArray[np.float64]
    """What exchanging a cluster adds to A's sums and takes from B's, where it does: float[clusters, names]."""

    @classmethod
    def of(cls, metrics: Callable[[Sums], Mapping[str, Column]], a: Table, b: Table) -> "_Exchange":
        swing = b.values - a.values
        totals = a.values.sum(axis=0), b.values.sum(axis=0)
        return cls(metrics, a.names, totals, swing[swing.any(axis=1)])

    def at(self, added: NDArray[np.float64]) -> dict[str, Column]:
        """The differences when this is added to A's sums and taken from B's: float[exchanges] by metric."""
        of_a, of_b = (
            self.metrics(Table(self.names, added).sums(total + sign * added))
            for total, sign in zip(self.totals, (1, -1), strict=True)
        )
        return {name: np.broadcast_to(of_b[name] - of_a[name], len(added)) for name in of_a}

    def all(self) -> dict[str, Column]:
        """Of every exchange."""
        number = len(self.moved)
        bits = (np.arange(2**number)[:, None] >> np.arange(number)) & 1
        return self.at(bits.astype(np.float64) @ self.moved)

    def draw(self, flips: int, seed: int) -> dict[str, Column]:
        """Of so many exchanges drawn at random."""
        rng, clusters = np.random.default_rng(seed), len(self.moved)
        added = np.empty((flips, len(self.names)))
        block = max(1, _IN_HAND // clusters)
        for start in range(0, flips, block):
            number = min(block, flips - start)
            drawn = np.frombuffer(rng.bytes(number * -(-clusters // 8)), np.uint8).reshape(number, -1)
            bits = np.unpackbits(drawn, axis=1, count=clusters)
            added[start : start + number] = bits.astype(np.float64) @ self.moved
        return self.at(added)


def _counted(steps: NDArray[np.float64], single: bool) -> Chance | None:
    """The exact chance where every cluster that moves the metric moves it as far; None where they do not.

    The difference then follows from how many of them favour one side, which is binomial.
    """
    size = np.abs(steps)
    largest = size.max(initial=0.0)
    moving = steps[size > _TIE * largest]
    if len(moving) and np.abs(moving).min() < largest * (1 - _TIE):
        return None
    fewer = int(min((moving > 0).sum(), (moving < 0).sum()))
    p = min(1.0, 2 * float(special.bdtr(fewer, len(moving), 0.5))) if len(moving) else 1.0
    return Chance(p, "exact McNemar" if single else "exact sign test over images")


def _share(drawn: NDArray[np.float64], seen: float, exact: bool) -> float:
    """How many of the differences are at least as large as the one that is seen."""
    reached = int((drawn >= seen - _TIE * max(1.0, seen)).sum())
    if exact:
        return reached / len(drawn)
    counted = (1 + reached) / (1 + len(drawn))
    if reached:
        return counted
    normal = float(special.ndtr(-seen / np.sqrt((drawn**2).mean())))
    return min(counted, 2 * _TAIL * normal)
