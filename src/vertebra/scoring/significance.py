"""What a study can show: chance over many tests, the smallest effect to be seen, and what would settle the rest.

holm([0.001, 0.02, 0.04])                             [0.003, 0.04, 0.04]
detectable(1.36)                                      3.8, in the unit of the standard error
questions_needed(5_000, 0.5, variance=0.5, fixed=0)   78,489 questions
"""

import math
from collections.abc import Sequence

from scipy import special

ALPHA = 0.05
POWER = 0.8
_REACH = float(special.ndtri(1 - ALPHA / 2) + special.ndtri(POWER))
"""Standard errors that a difference must have to be found, two-sided, four times in five: 2.80."""


def holm(chances: Sequence[float]) -> list[float]:
    """p values adjusted by S. Holm (1979): all at most .05 are wrong together in at most 5 % of the studies."""
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    adjusted, highest = [0.0] * len(chances), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = highest
    return adjusted


def detectable(error: float) -> float:
    """The smallest difference that a two-sided test at 5 % finds in 80 % of all studies with this standard error."""
    return _REACH * error


def questions_needed(questions: int, difference: float, variance: float, fixed: float) -> int | None:
    """Questions with which a true difference of this size would be found with 80 % power; None where none suffice.

    `variance` is what so many `questions` leave; `fixed` what more of them would not lessen.
    """
    room = (difference / _REACH) ** 2 - fixed
    return math.ceil(questions * variance / room) if room > 0 else None


def seeds_needed(difference: float, between: float, fixed: float) -> int | None:
    """Training seeds of each model likewise. `between` is a score's variance over seeds, `fixed` that of questions."""
    room = (difference / _REACH) ** 2 - fixed
    return max(2, math.ceil(2 * between / room)) if room > 0 else None
