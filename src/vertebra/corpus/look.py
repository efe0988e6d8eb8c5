"""What is to be seen of a sample, as a line of JSON: its id, its pictures and what is drawn on them.

{"id": "v7w-4", "images": ["v7w/4.jpg"],
     "marks": [["rectangle", [1, 2, 30, 40], [], [255, 0, 0], 96, 0, true, null]]}
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from vertebra.errors import DataError
from vertebra.visual.images import read_image
from vertebra.visual.marks import Mark, draw
from vertebra.visual.regions import Box, Region


@dataclass(frozen=True, slots=True)
class Look:
    """A sample's name, pictures and marks."""

    id: str
    images: tuple[str, ...]
    """Paths in the mixture's image folder, in the order of their places in the conversation."""
    marks: tuple[Mark, ...]

    def line(self) -> bytes:
        """As JSON, from which `of` makes it again."""
        marks = [
            [mark.kind, mark.region.box, mark.region.polygons, mark.colour, mark.alpha, mark.seed, mark.constant,
             mark.width]
            for mark in self.marks
        ]  # fmt: skip
        return _written({"id": self.id, "images": self.images, "marks": marks}).encode()

    @classmethod
    def of(cls, line: bytes) -> "Look":
        """What `line` wrote."""
        fields = json.loads(line)
        marks = tuple(
            Mark(kind, _region(box, polygons), tuple(colour), *others)
            for kind, box, polygons, colour, *others in fields["marks"]
        )
        return cls(fields["id"], tuple(fields["images"]), marks)

    def pictures(self, folder: Path, number: int) -> tuple[Image.Image, ...]:
        """The first so many, RGB at their original sizes, marks drawn.

        `DataError` naming the record when one cannot be read, or does not show a region that is marked.
        """
        where = f"record {self.id}"
        images = [read_image(folder / path, where) for path in self.images[:number]]
        if images and (box := beside(self.marks, images[0].size)):
            raise DataError(f"{folder / self.images[0]} ({where}) does not show its region {[*box]}.")
        return tuple(draw(image, self.marks) for image in images)


def beside(marks: Iterable[Mark], size: tuple[int, int]) -> Box | None:
    """The first marked region of which nothing lies on a picture of this width and height."""
    return next((mark.region.box for mark in marks if mark.region.box.misses(size)), None)


_written = json.JSONEncoder(separators=(",", ":")).encode


def _region(box: list[float], polygons: list[list[list[float]]]) -> Region:
    return Region(Box(*box), tuple(tuple((x, y) for x, y in polygon) for polygon in polygons))
