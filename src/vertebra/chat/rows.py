"""One record of a training file, read field by field; what is wrong with it is said with its file and id.

row = Row({"id": "v7w-4", "bboxes": [[1, 2, 30, 40]], ...}, "records.json: record 4 (id v7w-4)")
row.words("question")    row.regions()
"""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vertebra.errors import DataError
from vertebra.visual.regions import Region, outlined, region

IMAGE = "<image>"
"""Where an image is mentioned in a human's message."""

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Row:
    """A JSON object and where it stands. Every method raises `DataError` for a field that is not as it should be."""

    fields: Mapping[str, object]
    where: str

    @property
    def name(self) -> str:
        """Its id as text."""
        name = self.fields.get("id")
        if not isinstance(name, str | int) or isinstance(name, bool):
            raise self.wrong(f"`id` must be text or a whole number, found {_found(name)}.")
        return str(name)

    def wrong(self, complaint: str) -> DataError:
        """An error about this record."""
        return DataError(f"{self.where}: {complaint}")

    def get(self, name: str, kind: type[Kind]) -> Kind:
        """A field of this type."""
        value = self.fields.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.wrong(f"`{name}` must be {_KINDS[kind]}, found {_found(value)}.")
        return value

    def text(self, name: str) -> str:
        """Any text."""
        text = self.get(name, str)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = text[error.start]
            raise self.wrong(f"`{name}` holds {half!r}, half of a character. Write it as UTF-8 anew.") from error
        return text

    def words(self, name: str) -> str:
        """Text that shows no image."""
        text = self.text(name)
        if IMAGE in text:
            raise self.wrong(f"`{name}` holds {IMAGE}, which belongs into a human's message.")
        return text

    def answer(self, name: str = "answer") -> str:
        """Text that is not empty and shows no image."""
        text = self.words(name)
        if not text.strip():
            raise self.wrong(f"its answer, `{name}`, is empty.")
        return text

    def images(self) -> tuple[str, ...]:
        """Paths inside the image folder: a path alone is one image, a list holds as many as it is long."""
        image = self.fields.get("image")
        paths = [] if image is None else image if isinstance(image, list) else [image]
        for path in paths:
            if not (isinstance(path, str) and is_inside(path)):
                raise self.wrong(f"`image` must be a path inside the image folder, found {reprlib.repr(path)}.")
        return tuple(paths)

    def image(self) -> str:
        """The path of a record's one image."""
        images = self.images()
        if len(images) != 1:
            raise self.wrong(f"a region record needs its `image`, one and no more, found {len(images)}.")
        return images[0]

    def regions(self, number: int | None = None, boxes: str = "bboxes") -> list[Region]:
        """Those of a list of boxes, with the outlines of `segmentations` where there are any; `number` of them."""
        found = self.get(boxes, list)
        if number is not None and len(found) != number:
            raise self.wrong(f"`{boxes}` must hold {number}, found {len(found)}.")
        outlines = self.fields.get("segmentations")
        if outlines is None:
            outlines = [None] * len(found)
        if not isinstance(outlines, list) or len(outlines) != len(found):
            raise self.wrong(f"`segmentations` must be a list as long as `{boxes}`, found {reprlib.repr(outlines)}.")
        return [
            self.region(box, outline, f"`{boxes}` {at}")
            for at, (box, outline) in enumerate(zip(found, outlines, strict=True))
        ]

    def region(self, box: object, outline: object = None, what: str = "its box") -> Region:
        """A region of [x1, y1, x2, y2] and, or null, flat polygons [x, y, x, y, ...], all in pixels."""
        if not (isinstance(box, list) and len(box) == 4 and all(map(is_pixel, box))):
            raise self.wrong(f"{what}: a box is [x1, y1, x2, y2] in pixels, found {reprlib.repr(box)}.")
        try:
            found = region(box)
            if not outline:
                return found
            return Region(found.box, outlined(self._polygons(outline, what)).polygons)
        except ValueError as error:
            raise self.wrong(f"{what}: {error}.") from error

    def _polygons(self, outline: object, what: str) -> list[list[tuple[float, float]]]:
        polygons = []
        for flat in outline if isinstance(outline, list) else [None]:
            if not (isinstance(flat, list) and len(flat) % 2 == 0 and all(map(is_pixel, flat))):
                raise self.wrong(f"{what}: an outline is [x, y, x, y, ...] in pixels, found {reprlib.repr(flat)}.")
            polygons.append(list(zip(map(float, flat[::2]), map(float, flat[1::2]), strict=True)))
        return polygons


def identified(fields: object, where: str) -> Row:
    """A record that is told by its id. `DataError` for what is no object or has none."""
    if not isinstance(fields, dict):
        raise DataError(f"{where}: expected an object, found {type(fields).__name__}.")
    return Row(fields, f"{where} (id {Row(fields, where).name})")


def is_inside(path: str) -> bool:
    """Whether a relative path leads out of no folder."""
    return bool(path) and not Path(path).is_absolute() and ".." not in Path(path).parts


def is_pixel(side: object) -> bool:
    """Whether it is a number that can be a place in a picture."""
    return isinstance(side, int | float) and not isinstance(side, bool) and abs(side) < 1e9  # NaN is not


def _found(value: object) -> str:
    return "nothing" if value is None else type(value).__name__


_KINDS: Mapping[type, str] = {str: "text", list: "a list", int: "a whole number"}
