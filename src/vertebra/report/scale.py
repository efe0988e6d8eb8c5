"""Where the marks of an axis stand: few, round, and outside of all that is shown.

scale([83.1, 87.4, 85.0])          [82, 84, 86, 88]
scale_log([2.1e6, 13e9])           [2e6, 1e7, 1e8, ...]
"""

from collections.abc import Sequence
from itertools import chain, count
from math import ceil, floor, log10, sqrt

_ROUND = (1, 2, 2.5, 5)
_DENSE: tuple[tuple[tuple[int, ...], int], ...] = (((1, 2, 5), 1), ((1, 3), 1))
"""What stands in a decade, and every how many of them."""


def scale(values: Sequence[float], least: float, most: int = 5) -> list[float]:
    """At most so many round numbers in equal steps; the first and last lie around all values and at least so far apart.

    Either `least` is above 0 or the values differ.
    """
    low, high = min(values), max(values)
    if high - low < least:
        middle = (low + high) / 2
        low, high = middle - least / 2, middle + least / 2
    assert low < high
    rough = 10.0 ** floor(log10((high - low) / (most - 1)))
    steps = (
        rough * factor * times for times in (1, 10, 100) for factor in _ROUND if factor != 2.5 or rough * times >= 10
    )
    for step in steps:
        first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
        if last - first < most:
            break
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def scale_log(values: Sequence[float], most: int = 6) -> list[float]:
    """The same for an axis on which doubling is one length everywhere; all values lie above 0."""
    low, high = min(values), max(values)
    if high / low < 1.2:
        middle = sqrt(low * high)
        low, high = middle / sqrt(1.2), middle * sqrt(1.2)
    even = scale([low, high], 0, most)
    if high / low < 5 and even[0] > 0:
        return even
    for factors, every in chain(_DENSE, (((1,), every) for every in count(1))):
        powers = range(floor(log10(low) / every) * every, ceil(log10(high)) + every, every)
        marks = [factor * 10.0**power for power in powers for factor in factors]
        start = max(place for place, mark in enumerate(marks) if mark <= low * (1 + 1e-9))
        end = min(place for place, mark in enumerate(marks) if mark >= high * (1 - 1e-9))
        if end - start < most:
            return [float(f"{mark:.12g}") for mark in marks[start : end + 1]]
    raise AssertionError("some decades are enough")
