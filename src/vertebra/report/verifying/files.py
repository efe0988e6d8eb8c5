"""Whether two files of a report say the same: byte by byte, or with numbers that differ in their last digits.

Pictures inside the page are left out: what they show stands in its tables, and how matplotlib draws them differs from
version to version.
"""

import json
import re

from vertebra.report.verifying.numbers import equal, leaves

_PICTURE = re.compile(rb"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]*")
_NUMBER = re.compile(r"(-?\d+\.\d+(?:e[+-]?\d+)?)")


def alike(name: str, stands: bytes, computed: bytes) -> bool:
    """Whether they say the same; `name` tells what kind of file they are."""
    if stands == computed:
        return True
    try:
        if name.endswith(".json"):
            return _same_json(stands, computed)
        if name.endswith(".jsonl"):
            pairs = zip(stands.split(b"\n"), computed.split(b"\n"), strict=True)
            return all(one == other or _same_json(one, other) for one, other in pairs)
        if name.endswith(".html"):
            stands, computed = (_PICTURE.sub(b"", data) for data in (stands, computed))
        return _same_text(stands.decode(), computed.decode())
    except (ValueError, RecursionError):  # not JSON, not text, or of another length
        return False


def _same_json(one: bytes, other: bytes) -> bool:
    stands, computed = leaves(json.loads(one)), leaves(json.loads(other))
    return stands.keys() == computed.keys() and all(
        equal(leaf.value, computed[place].value) for place, leaf in stands.items()
    )


def _same_text(one: str, other: str) -> bool:
    stands, computed = _NUMBER.split(one), _NUMBER.split(other)  # every second piece is a number
    if len(stands) != len(computed) or stands[::2] != computed[::2]:
        return False
    return all(equal(float(a), float(b)) for a, b in zip(stands[1::2], computed[1::2], strict=True))
