"""COCO's annotations as region records of one's own, which `chat.records` reads (https://cocodataset.org/#format-data).

    {"images": [{"id": 139, "file_name": "000000000139.jpg", "width": 640, "height": 426}, ...],
     "annotations": [{"id": 1, "image_id": 139, "category_id": 64, "bbox": [236.98, 142.51, 24.7, 69.5],
                      "segmentation": [[240.86, 211.31, 240.16, 197.19, 236.98, 192.26]], "iscrowd": 0}, ...],
     "categories": [{"id": 64, "name": "potted plant"}, ...]}

becomes

    [{"id": "coco-139-0", "image": "val2017/000000000139.jpg", "bboxes": [[236.98, 142.51, 261.68, 212.01], ...],
      "segmentations": [[[240.86, 211.31, ...]], ...],
      "conversations": [{"from": "human", "value": "<image>\\nWhat is <bbox0>?"},
                        {"from": "gpt", "value": "potted plant"}, ...]}]

A box is [x, y, width, height] there and two corners here. An annotation's own `caption`, or the first of its
`sentences`, is its answer instead of its category's name.
"""

import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from vertebra.chat.records import SOURCES
from vertebra.chat.rows import IMAGE, Row, is_inside, is_pixel
from vertebra.chat.streaming import read_json
from vertebra.errors import ConfigError, DataError, UnknownName
from vertebra.spec import Json
from vertebra.visual.kinds import KINDS

_ASKED = "<bbox>"
_PLACE = re.compile(r"<(?:bbox|obj)(?!ect)")


@dataclass(frozen=True, slots=True)
class Asking:
    """How regions are asked about. `ConfigError` for what no record could say."""

    question: str = "What is <bbox>?"
    """Holds <bbox> where the region is spoken of."""
    images: str = ""
    """The folder of the pictures, in the mixture's image folder."""
    most: int = 8
    """Regions that a record has at most; a picture with more gets several records."""
    name: str = "coco"
    """What ids begin with, up to a dash."""
    kinds: tuple[str, ...] = ()
    """The kinds of marks to choose from; all where there are none."""

    def __post_init__(self) -> None:
        """Looks at the words."""
        rest = self.question.replace(_ASKED, "")
        if rest == self.question or IMAGE in rest or _PLACE.search(rest):
            raise ConfigError(f"A question has {_ASKED} in it and no other placeholder, not {self.question!r}.")
        if not self.name or self.name.partition("-")[0] in SOURCES:
            raise ConfigError(f"Ids that begin with {self.name!r} are a published source's. Give another name.")
        if self.images and not is_inside(self.images):
            raise ConfigError(f"The pictures' folder is one inside the mixture's image folder, not {self.images!r}.")
        for kind in self.kinds:
            if kind not in KINDS:
                raise UnknownName("kind of mark", kind, KINDS)


class Converted(NamedTuple):
    """Region records, and what has become of the annotations."""

    records: list[dict[str, Json]]
    regions: int
    crowds: int
    """Annotations of many things at once, left out."""
    faults: tuple[str, ...]
    """What is wrong with each annotation that cannot be used."""

    @property
    def annotations(self) -> int:
        """All that were read."""
        return self.regions + self.crowds + len(self.faults)


def convert(path: Path, asking: Asking) -> Converted:
    """The records of a file of annotations, a question for each region. `DataError` for a file of another layout."""
    instances = _Instances.of(path)
    found: dict[object, list[_Region]] = {}
    crowds, faults = 0, []
    for row in instances.annotations:
        if row.fields.get("iscrowd"):
            crowds += 1
            continue
        try:
            seen = instances.region(row, asking.images)
            found.setdefault(row.fields["image_id"], []).append(seen)
        except DataError as error:
            faults.append(str(error))
    records = [
        _record(f"{asking.name}-{name}-{start // asking.most}", regions[start : start + asking.most], asking)
        for name, regions in found.items()
        for start in range(0, len(regions), asking.most)
    ]
    return Converted(records, sum(map(len, found.values())), crowds, tuple(faults))


class _Region(NamedTuple):
    image: str
    box: list[Json]
    outline: Json
    answer: str


class _Instances(NamedTuple):
    """A file of annotations, not looked at in detail yet."""

    images: Mapping[int | str, Row]
    categories: Mapping[int | str, Row]
    annotations: Sequence[Row]

    @classmethod
    def of(cls, path: Path) -> "_Instances":
        """The file's three lists."""
        tree = read_json(path)
        if not isinstance(tree, dict):
            raise DataError(f"{path}: expected an object with images, annotations and categories, as COCO has them.")
        images, annotations, categories = (_rows(tree, name, path) for name in ("images", "annotations", "categories"))
        return cls(_by_id(images), _by_id(categories), annotations)

    def region(self, row: Row, folder: str) -> _Region:
        """An annotation's region. `DataError` where its image or category is unknown or its box has no area."""
        image = _named(self.images, row, "image_id", "image")
        (name,) = Row({"image": image.text("file_name")}, image.where).images()
        box = row.get("bbox", list)
        if len(box) != 4 or not all(map(is_pixel, box)):
            raise row.wrong(f"`bbox` is [x, y, width, height] in pixels, found {reprlib.repr(box)}.")
        x, y, across, down = box
        if min(across, down) <= 0:
            raise row.wrong(f"`bbox` {box} has no area.")
        corners: list[Json] = [round(side, 2) for side in (x, y, x + across, y + down)]
        outline = row.fields.get("segmentation")
        shapes = [shape for shape in outline if _is_shape(shape)] if isinstance(outline, list) else []
        found = row.region(corners, shapes, "`bbox`")
        size = image.fields.get("width"), image.fields.get("height")
        if isinstance(size[0], int) and isinstance(size[1], int) and found.box.misses((size[0], size[1])):
            raise row.wrong(f"`bbox` {box} lies beside its image, {size[0]}×{size[1]} pixels.")
        return _Region((PurePosixPath(folder) / name).as_posix(), corners, shapes or None, self._answer(row))

    def _answer(self, row: Row) -> str:
        caption = row.fields.get("caption") or _first(row.fields.get("sentences"))
        if caption:
            answer = Row({"caption": caption}, row.where).answer("caption")
        else:
            answer = _named(self.categories, row, "category_id", "category").answer("name")
        if odd := _PLACE.search(answer):
            raise row.wrong(f"its answer holds {odd[0]}, with which placeholders begin.")
        return answer


def _rows(tree: Mapping[str, object], name: str, path: Path) -> list[Row]:
    found = tree.get(name, [] if name == "categories" else None)
    if not isinstance(found, list) or not all(isinstance(fields, dict) for fields in found):
        raise DataError(f"{path}: `{name}` must be a list of objects, as COCO has them.")
    what = {"categories": "category"}.get(name, name.removesuffix("s"))
    return [Row(fields, f"{path}: {what} {fields.get('id', f'number {at}')}") for at, fields in enumerate(found)]


def _by_id(rows: Sequence[Row]) -> dict[int | str, Row]:
    found: dict[int | str, Row] = {}
    for row in rows:
        key = row.fields.get("id")
        if not isinstance(key, int | str):
            raise row.wrong("`id` must be text or a whole number.")
        if key in found:
            raise row.wrong("its id is another's, too.")
        found[key] = row
    return found


def _named(shelf: Mapping[int | str, Row], row: Row, field: str, what: str) -> Row:
    key = row.fields.get(field)
    if not isinstance(key, int | str) or key not in shelf:
        raise row.wrong(f"no {what} has its `{field}`, {reprlib.repr(key)}.")
    return shelf[key]


def _is_shape(shape: object) -> bool:
    """Whether it counts as an outline: two points enclose nothing. What is no list is for the reader to complain of."""
    return not isinstance(shape, list) or len(shape) >= 6


def _first(sentences: object) -> object:
    """The first of several captions, which RefCOCO has as objects with the text in `sent`."""
    first = sentences[0] if isinstance(sentences, list) and sentences else None
    return first.get("sent") or first.get("raw") if isinstance(first, dict) else first


def _record(name: str, regions: Sequence[_Region], asking: Asking) -> dict[str, Json]:
    said: list[Json] = []
    for number, each in enumerate(regions):
        question = asking.question.replace(_ASKED, f"<bbox{number}>")
        said.append({"from": "human", "value": question if number else f"{IMAGE}\n{question}"})
        said.append({"from": "gpt", "value": each.answer})
    record: dict[str, Json] = {"id": name, "image": regions[0].image, "bboxes": [each.box for each in regions]}
    if any(each.outline for each in regions):
        record["segmentations"] = [each.outline for each in regions]
    if asking.kinds:
        record["kinds"] = [*asking.kinds]
    return {**record, "conversations": said}
