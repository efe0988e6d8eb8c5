"""Training records: LLaVA's JSON, and ViP-LLaVA's region records whose text is worded on the fly.

    {"id": "17", "image": "train/17.png", "conversations": [{"from": "human", "value": "<image>\\nWhat ...?"},
                                                            {"from": "gpt", "value": "red"}]}
    {"id": "18", "image": ["train/17.png", "train/4.png"],
     "conversations": [{"from": "human", "value": "Compare <image> with <image>."}, {"from": "gpt", "value": "redder"}]}
    {"id": "v7w-4", "image": "train/4.png", "question": "Which object is red?", "bboxes": [[x1, y1, x2, y2], ...],
     "answer": [x1, y1, x2, y2]}
    {"id": "refcocog-9", "image": "train/9.png", "bboxes": [[x1, y1, x2, y2]], "answer": "a red seven"}
    {"id": "mine-1", "image": "train/1.png", "bboxes": [[x1, y1, x2, y2], ...],
     "conversations": [{"from": "human", "value": "<image>\\nWhat is <bbox0>?"}, {"from": "gpt", "value": "red"}, ...]}

One image comes first in its message, several stay where they are mentioned, in the order in which `image` names them.
A published region record is told by what its id begins with, up to the first dash. In any other with `bboxes`, each has
a rectangle of its own colour, of which `<bboxK>` speaks: "What is within the lime rectangle?" Formats:
https://github.com/haotian-liu/LLaVA/blob/main/docs/Finetune_Custom_Data.md, the data of arXiv:2312.00784, and for
several images https://github.com/LLaVA-VL/LLaVA-NeXT/blob/main/llava/train/train.py.
A record that cannot be used is an error that names it; none is left out in silence.
"""

import json
import random
import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, TypeVar

from vertebra.chat import wording
from vertebra.chat.conversation import Conversation, Turn
from vertebra.errors import DataError
from vertebra.spec import read_text
from vertebra.visual.marks import COLOURS, Box, Mark, constant_rectangle, random_rectangle

IMAGE = "<image>"
Kind = TypeVar("Kind")
_REGIONS = ("refcocog", "vcr", "vg_rel", "flickr30k", "v7w", "pointQA_twice")


class Told(NamedTuple):
    """A record put into words: what is said, and what is drawn on its one image."""

    conversation: Conversation
    marks: tuple[Mark, ...] = ()


Teller = Callable[[random.Random, tuple[int, int]], Told]
"""Words a record, given a source of randomness and the first image's width and height in pixels."""


@dataclass(frozen=True, slots=True)
class Record:
    """One training sample before it is worded."""

    id: str
    images: tuple[str, ...]
    """Paths relative to the mixture's image folder, in the order of their places; none for text alone."""
    tell: Teller


def read_records(path: Path) -> list[Record]:
    """All records of a JSON file. `DataError` with the file and the record's id (or number) for the first bad one."""
    return [_record(row, f"{path}: record {number}") for number, row in enumerate(_rows(path))]


def read_conversations(path: Path) -> list[tuple[str, Conversation]]:
    """The ids and conversations of a JSON file, no image looked for; region records are no conversations yet.

    Where `image` is no list, the messages alone say how many images there are. `DataError` with the file
    and the record's id (or number) for the first bad one.
    """
    return [_conversation(row, f"{path}: record {number}") for number, row in enumerate(_rows(path))]


def _rows(path: Path) -> list[object]:
    try:
        rows = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not whole JSON: {error.msg}. Fetch or write it again.") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists nested by the thousand
        raise DataError(f"{path}: its JSON cannot be read: {error}. Fetch or write it again.") from error
    if not isinstance(rows, list):
        raise DataError(f"{path}: expected a JSON list of records, found {type(rows).__name__}.")
    return rows


def _conversation(row: object, where: str) -> tuple[str, Conversation]:
    fields, name, where = _named(row, where)
    images = fields.get("image")
    said = _shown(fields, len(images), where) if isinstance(images, list) else _said(fields, 1, where)
    return name, said


def _named(row: object, where: str) -> tuple[Mapping[str, object], str, str]:
    """The record's fields, its id, and where it is, with the id."""
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, found {type(row).__name__}.")
    name = row.get("id")
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise DataError(f"{where}: `id` must be text or a whole number, found {_found(name)}.")
    return row, str(name), f"{where} (id {name})"


def _record(record: object, where: str) -> Record:
    row, name, where = _named(record, where)
    images = _images(row, where)
    kind = _region(name)
    if kind is None and "bboxes" not in row:
        return Record(name, images, _spoken(row, where))
    if kind and kind not in _TELLERS:
        raise DataError(f"{where}: region records of the kind {kind!r} are not understood; known: {_known()}.")
    if len(images) != 1:
        raise DataError(f"{where}: a region record needs its `image`, one and no more, found {len(images)}.")
    return Record(name, images, (_TELLERS[kind] if kind else _marked)(row, where))


def _images(row: Mapping[str, object], where: str) -> tuple[str, ...]:
    """A path alone is one image, a list holds as many as it is long."""
    image = row.get("image")
    paths = [] if image is None else image if isinstance(image, list) else [image]
    for path in paths:
        if not (isinstance(path, str) and _is_inside(path)):
            raise DataError(f"{where}: `image` must be a path inside the image folder, found {reprlib.repr(path)}.")
    return tuple(paths)


def _is_inside(image: str) -> bool:
    return bool(image) and not Path(image).is_absolute() and ".." not in Path(image).parts


def _region(name: str) -> str | None:
    """The kind of a region record; GPT-4V's are a kind of their own. None for a record that is told as it stands."""
    kind, _, rest = name.partition("-")
    if kind not in _REGIONS:
        return None
    return f"{kind}-gpt4v" if rest.partition("-")[0] == "gpt4v" else kind


def _known() -> str:
    return ", ".join(_TELLERS)


def _spoken(row: Mapping[str, object], where: str) -> Teller:
    """A conversation that the record holds as it is to be said."""
    told = Told(_shown(row, len(_images(row, where)), where))
    return lambda rng, size: told  # noqa: ARG005


def _shown(row: Mapping[str, object], images: int, where: str) -> Conversation:
    """What a record of so many images says; all of them have their place in it."""
    said = _said(row, images, where)
    if said.images != images:
        raise DataError(
            f"{where}: its messages and its `image` do not match, {said.images} shown by {IMAGE} and {images} named. "
            "Give every image its place and every place its image."
        )
    return said


def _said(row: Mapping[str, object], images: int, where: str) -> Conversation:
    """What a record says that may have so many images."""
    messages = _field(row, "conversations", list, where)
    turns = [_turn(message, images > 1, f"{where}: message {number}") for number, message in enumerate(messages)]
    if turns and turns[0].role == "assistant":
        turns = turns[1:]  # LLaVA's rule: what comes before the first question is left out
    roles = [turn.role for turn in turns]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        raise DataError(f"{where}: `conversations` must go human, gpt, human, gpt, ... and end with an answer.")
    return Conversation(tuple(turns))


def _marked(row: Mapping[str, object], where: str) -> Teller:
    """A conversation about regions, each in a rectangle of its own colour."""
    said = _shown(row, 1, where)
    boxes = _boxes(row, where)
    if not 1 <= len(boxes) <= len(COLOURS):
        raise DataError(f"{where}: `bboxes` must hold 1 to {len(COLOURS)}, as many as there are colours with a name.")
    mentioned = {int(number) for turn in said.turns for number in _REGION.findall(turn.text)}
    if mentioned != set(range(len(boxes))):
        raise DataError(f"{where}: its messages must speak of <bbox0> to <bbox{len(boxes) - 1}>, one for each box.")

    def tell(rng: random.Random, size: tuple[int, int]) -> Told:
        colors = rng.sample(list(COLOURS), len(boxes))

        def region(match: re.Match[str]) -> str:
            return wording.phrase("rectangle", colors[int(match[1])])

        turns = tuple(replace(turn, text=_REGION.sub(region, turn.text)) for turn in said.turns)
        marks = (random_rectangle(box, COLOURS[color], size, rng) for box, color in zip(boxes, colors, strict=True))
        return Told(Conversation(turns), tuple(marks))

    return tell


_REGION = re.compile(r"<bbox(\d{1,3})>")


def _turn(message: object, several: bool, where: str) -> Turn:
    if not isinstance(message, dict):
        raise DataError(f"{where}: expected an object, found {type(message).__name__}.")
    speaker = _field(message, "from", str, where)
    if speaker == "gpt":
        return Turn("assistant", _answer(message, "value", where))
    if speaker != "human":
        raise DataError(f"{where}: `from` must be human or gpt, found {reprlib.repr(speaker)}.")
    text = _text(message, "value", where)
    first, *rest = text.split(IMAGE)
    if not rest:
        return Turn("user", text)
    if not several:
        # LLaVA's rule: the image comes first, wherever in the message it was mentioned.
        return Turn("user", "".join([first, *rest]).strip(), images=1)
    # A newline behind an image is the chat format's to write, here as for one image.
    pieces = [first, *(piece.removeprefix("\n") for piece in rest)]
    return Turn("user", "".join(pieces), len(rest), tuple(accumulate(map(len, pieces[:-1]))))


def _visual7w(row: Mapping[str, object], where: str) -> Teller:
    question = _words(row, "question", where)
    boxes = _boxes(row, where, 4)
    answer = _box(_field(row, "answer", list, where), f"{where}: `answer`")
    if answer not in boxes:
        raise DataError(f"{where}: `answer` is none of its `bboxes`.")

    def tell(rng: random.Random, size: tuple[int, int]) -> Told:
        del size
        colors = rng.sample(list(COLOURS), 4)
        articles = [rng.random() < 0.5 for _ in colors]
        asked = Turn("user", wording.pointing(question, colors, articles), images=1)
        answered = Turn("assistant", wording.LETTERS[boxes.index(answer)])
        return Told(Conversation((asked, answered)), tuple(map(constant_rectangle, boxes, colors)))

    return tell


def _refcocog(row: Mapping[str, object], where: str) -> Teller:
    answer = _answer(row, "answer", where)
    (box,) = _boxes(row, where, 1)

    def tell(rng: random.Random, size: tuple[int, int]) -> Told:
        named = rng.choice(list(COLOURS)) if rng.random() < 0.5 else None
        ink = COLOURS[named] if named else (rng.randrange(256), rng.randrange(256), rng.randrange(256))
        told = wording.describing(wording.phrase("rectangle", named))
        asked = Turn("user", rng.choice(wording.UNTOLD) if rng.random() < 0.25 else told, images=1)
        return Told(Conversation((asked, Turn("assistant", answer))), (random_rectangle(box, ink, size, rng),))

    return tell


_TELLERS: Mapping[str, Callable[[Mapping[str, object], str], Teller]] = {"v7w": _visual7w, "refcocog": _refcocog}


def _boxes(row: Mapping[str, object], where: str, number: int | None = None) -> list[Box]:
    boxes = _field(row, "bboxes", list, where)
    if number is not None and len(boxes) != number:
        raise DataError(f"{where}: `bboxes` must hold {number}, found {len(boxes)}.")
    return [_box(box, f"{where}: `bboxes`") for box in boxes]


def _box(value: object, where: str) -> Box:
    if isinstance(value, list) and len(value) == 4 and all(map(_is_pixel, value)):
        return Box(*map(float, value))
    raise DataError(f"{where}: a box is [x1, y1, x2, y2] in pixels, found {reprlib.repr(value)}.")


def _is_pixel(side: object) -> bool:
    return isinstance(side, int | float) and not isinstance(side, bool) and abs(side) < 1e9  # NaN is not


def _answer(row: Mapping[str, object], name: str, where: str) -> str:
    text = _words(row, name, where)
    if not text.strip():
        raise DataError(f"{where}: its answer, `{name}`, is empty.")
    return text


def _words(row: Mapping[str, object], name: str, where: str) -> str:
    """Text that shows no image."""
    text = _text(row, name, where)
    if IMAGE in text:
        raise DataError(f"{where}: `{name}` holds {IMAGE}, which belongs into a human's message.")
    return text


def _text(row: Mapping[str, object], name: str, where: str) -> str:
    text = _field(row, name, str, where)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        raise DataError(f"{where}: `{name}` holds {half!r}, half of a character. Write it as UTF-8 anew.") from error
    return text


def _field(row: Mapping[str, object], name: str, kind: type[Kind], where: str) -> Kind:
    value = row.get(name)
    if not isinstance(value, kind):
        raise DataError(f"{where}: `{name}` must be {_KINDS[kind]}, found {_found(value)}.")
    return value


def _found(value: object) -> str:
    return "nothing" if value is None else type(value).__name__


_KINDS: Mapping[type, str] = {str: "text", list: "a list"}
