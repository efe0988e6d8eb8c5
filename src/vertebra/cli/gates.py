"""Gates: what must not have happened between A and B, as `vertebra compare A B --fail-if "..."` takes it.

    pope.f1 drop > 1                       B is more than 1 below A
    mme.perception rise > 20 with p < .05  and the paired test says that this is no chance
    mm_vet.total change > 0 with p < 0.01  either way

The number is in the metric's unit (mostly percent points).
"""

import math
import re
from difflib import get_close_matches
from typing import Literal, NamedTuple

from vertebra.errors import ConfigError

Direction = Literal["drop", "rise", "change"]
_DIRECTIONS: tuple[Direction, ...] = ("drop", "rise", "change")
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FORM = "Write it as `BENCHMARK.METRIC drop|rise|change > NUMBER [with p < NUMBER]`."


class Gate(NamedTuple):
    """A condition that must not hold."""

    benchmark: str
    metric: str
    direction: Direction
    by: float
    p: float | None
    """Only where the test's p value is below; None for whatever it is."""

    @property
    def text(self) -> str:
        """As it is written."""
        tail = "" if self.p is None else f" with p < {self.p:g}"
        return f"{self.benchmark}.{self.metric} {self.direction} > {self.by:g}{tail}"

    def holds(self, difference: float, p: float) -> bool:
        """Whether this has happened, B less A being this difference."""
        moved = {"drop": -difference, "rise": difference, "change": abs(difference)}[self.direction]
        return moved > self.by and (self.p is None or p < self.p)


def parse(text: str) -> Gate:
    """The gate of a text. `ConfigError` that points at what it cannot be."""
    words = re.findall(r"[<>]=?|[^\s<>=]+|=", text)
    if not words:
        raise _unread(text, "there is nothing in it")
    benchmark, dot, metric = words[0].partition(".")
    if not (benchmark and dot and metric):
        raise _unread(text, f"{words[0]!r} is no BENCHMARK.METRIC such as pope.f1")
    direction = next((known for known in _DIRECTIONS if words[1:2] == [known]), None)
    if direction is None:
        raise _unread(text, _unlike(words[1:2], _DIRECTIONS))
    _expect(text, words, 2, ">")
    by = _number(text, words, 3)
    if len(words) == 4:
        return Gate(benchmark, metric, direction, by, None)
    for place, expected in ((4, "with"), (5, "p"), (6, "<")):
        _expect(text, words, place, expected)
    p = _number(text, words, 7)
    if not 0 < p <= 1:
        raise _unread(text, f"p < {words[7]} is no share of 1")
    if len(words) > 8:
        raise _unread(text, f"{words[8]!r} follows where it should end")
    return Gate(benchmark, metric, direction, by, p)


def _expect(text: str, words: list[str], place: int, expected: str) -> None:
    if words[place : place + 1] != [expected]:
        raise _unread(text, _unlike(words[place : place + 1], (expected,)))


def _number(text: str, words: list[str], place: int) -> float:
    found = words[place] if len(words) > place else ""
    if not _NUMBER.fullmatch(found) or math.isinf(float(found)):
        raise _unread(text, f"{found!r} is no number" if found else "it ends before its number")
    return float(found)


def _unlike(found: list[str], known: tuple[str, ...]) -> str:
    if not found:
        return f"it ends where {' or '.join(known)} should follow"
    close = get_close_matches(found[0], known, n=1, cutoff=0.5)
    meant = f"did you mean {close[0]!r}?" if close else f"expected {' or '.join(map(repr, known))}"
    return f"{found[0]!r}: {meant}"


def _unread(text: str, why: str) -> ConfigError:
    return ConfigError(f"--fail-if {text!r}: {why}{'' if why.endswith('?') else '.'} {_FORM}")
