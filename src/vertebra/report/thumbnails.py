"""Pictures made small enough that thousands of them fit into one page, with their marks drawn on them.

    found = thumbnails([Wanted(Path("data/v7w/v7w/v7w_0.jpg"), sample.marks, "v7w, question v7w-0")], budget=24_000_000)
    found.pictures[0]       b"RIFF....WEBP", at most 192 pixels a side
    found.place[0]          0, or LEFT_OUT, or BROKEN

A picture that cannot be read is told, and never ends a report.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from vertebra.errors import DataError
from vertebra.prefetching import prefetched
from vertebra.visual.images import read_image
from vertebra.visual.marks import Mark, draw

SIDE = 192
"""Pixels of the longer side; a smaller picture stays as it is."""
NO_PICTURE, LEFT_OUT, BROKEN = -1, -2, -3
"""In place of a picture's number: the question has none; it did not fit; it is missing or broken."""
_GAP = 1.5
"""How much larger than wanted a picture may be made by the quick way first; half the time of the usual 3."""
_QUALITY = 62
_METHOD = 2
"""WebP's effort, 0 to 6: a quarter of the time of 6 for a tenth more bytes."""
_THREADS = 4


class Wanted(NamedTuple):
    """A picture as a question shows it."""

    path: Path
    marks: tuple[Mark, ...]
    where: str
    """Who asks for it, for complaints."""


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """What became of the pictures that were wanted."""

    pictures: tuple[bytes, ...]
    """WebP, each once."""
    place: tuple[int, ...]
    """For each that was wanted its number in `pictures`, or `LEFT_OUT` or `BROKEN`."""
    complaints: tuple[str, ...]
    """One sentence for each that could not be read."""

    @property
    def left_out(self) -> int:
        """How many did not fit."""
        return self.place.count(LEFT_OUT)


def thumbnails(wanted: Sequence[Wanted], budget: int) -> Thumbnails:
    """The pictures in this order, until `budget` bytes are full; those after that are not even opened."""
    numbers: dict[bytes, int] = {}
    place, complaints, size = [LEFT_OUT] * len(wanted), [], 0
    with closing(prefetched(_small, wanted, _THREADS)) as made:
        for number, found in enumerate(made):
            if isinstance(found, str):
                place[number] = BROKEN
                complaints.append(found)
                continue
            if found not in numbers:
                if size + len(found) > budget:
                    break
                size += len(found)
            place[number] = numbers.setdefault(found, len(numbers))
    return Thumbnails(tuple(numbers), tuple(place), tuple(complaints))


def _small(wanted: Wanted) -> bytes | str:
    """The small picture, or what is wrong with it."""
    try:
        picture = read_image(wanted.path, wanted.where)
    except DataError as error:
        return str(error)
    if wanted.marks:
        picture = draw(picture, wanted.marks)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=_GAP)
    file = BytesIO()
    picture.save(file, "WEBP", quality=_QUALITY, method=_METHOD)
    return file.getvalue()
