"""Two JSON documents of a report, number by number, whatever the order of their rows.

    leaves({"rows": [{"family": "f", "backbone": "b", "seed": 0, "benchmark": "pope", "metric": "f1", "value": 98.2}]})
        {("rows", "pope/f/b/seed0/f1", "value"): Leaf(98.2, "pope", step="f/b/seed0/pope/score")}

A row is known by the names in it, so that one that is missing is named and does not move the others.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from vertebra.spec import Json

TOLERANCE = 1e-9
Place = tuple[str, ...]
_NAMES = ("benchmark", "protocol", "family", "backbone", "seed", "metric", "arm", "a", "b")


class Leaf(NamedTuple):
    """A value in a document."""

    value: Json
    benchmark: str
    """That it belongs to; "" where it belongs to none."""
    step: str
    """That computed it; "" where several did."""

    def is_number(self) -> bool:
        """Whether it counts as a number."""
        return isinstance(self.value, int | float) and not isinstance(self.value, bool)


class Difference(NamedTuple):
    """A value that is not what was computed."""

    file: str
    where: str
    benchmark: str
    step: str
    stands: str
    """The JSON that stands there; "" where there is none."""
    computed: str
    """The JSON that was computed; "" where nothing was."""


def leaves(document: Json) -> dict[Place, Leaf]:
    """Every value of a document by its place."""
    return dict(_walk(document, (), "", ""))


def differences(file: str, stands: Mapping[Place, Leaf], computed: Mapping[Place, Leaf]) -> Iterator[Difference]:
    """Where two documents are not equal, numbers to within `TOLERANCE`."""
    for place in dict.fromkeys((*computed, *stands)):
        there, here = stands.get(place), computed.get(place)
        if there and here and equal(there.value, here.value):
            continue
        known = here or there
        assert known
        where = " ".join(place[1:] or place)
        yield Difference(file, where, known.benchmark, known.step, _told(there), _told(here))


def equal(one: Json, other: Json) -> bool:
    """Whether two values are the same, numbers to within `TOLERANCE`."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return one == other


def _walk(value: Json, place: Place, benchmark: str, step: str) -> Iterator[tuple[Place, Leaf]]:
    if isinstance(value, Mapping):
        benchmark = value["benchmark"] if isinstance(value.get("benchmark"), str) else benchmark  # type: ignore[assignment]
        step = _step(value) or step
        for name, inner in value.items():
            yield from _walk(inner, (*place, str(name)), benchmark, step)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        seen: dict[str, int] = {}
        for number, inner in enumerate(value):
            name = _name(inner) or str(number)
            seen[name] = seen.get(name, 0) + 1
            name = name if seen[name] == 1 else f"{name}#{seen[name]}"
            yield from _walk(inner, (*place, name), benchmark, step)
    else:
        yield place, Leaf(value, benchmark, step)


def _name(row: Json) -> str:
    """What tells a row from others."""
    if not isinstance(row, Mapping):
        return ""
    found = [(name, row.get(name)) for name in _NAMES]
    return "/".join(
        f"seed{value}" if name == "seed" else str(value)
        for name, value in found
        if isinstance(value, str) or (name == "seed" and isinstance(value, int))
    )


def _step(row: Mapping[str, Json]) -> str:
    """The label of the step whose result a row is."""
    parts = [row.get(name) for name in ("family", "backbone", "seed", "benchmark")]
    if None in parts:
        return ""
    family, backbone, seed, benchmark = parts
    return f"{family}/{backbone}/seed{seed}/{benchmark}/score"


def _told(leaf: Leaf | None) -> str:
    return "" if leaf is None else repr(leaf.value) if isinstance(leaf.value, str) else f"{leaf.value}"
