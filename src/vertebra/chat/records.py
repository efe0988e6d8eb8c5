"""Training records: LLaVA's JSON, and ViP-LLaVA's region records whose text is worded on the fly.

    {"id": "17", "image": "train/17.png", "conversations": [{"from": "human", "value": "<image>\\nWhat ...?"},
                                                            {"from": "gpt", "value": "red"}]}
    {"id": "18", "image": ["train/17.png", "train/4.png"],
     "conversations": [{"from": "human", "value": "Compare <image> with <image>."}, {"from": "gpt", "value": "redder"}]}
    {"id": "mine-1", "image": "train/1.png", "bboxes": [[x1, y1, x2, y2], ...],
     "conversations": [{"from": "human", "value": "<image>\\nWhat is <bbox0>?"}, {"from": "gpt", "value": "red"}, ...]}

One image comes first in its message, several stay where they are mentioned, in the order in which `image` names them.
Records with regions, `chat.regions` and `chat.vcr` put into words. Formats:
https://github.com/haotian-liu/LLaVA/blob/main/docs/Finetune_Custom_Data.md, the data of arXiv:2312.00784, and for
several images https://github.com/LLaVA-VL/LLaVA-NeXT/blob/main/llava/train/train.py.
A record that cannot be used is an error that names it; none is left out in silence.
"""

import re
import reprlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path

from vertebra.chat import regions
from vertebra.chat.conversation import Conversation, Turn
from vertebra.chat.regions import Teller, Told
from vertebra.chat.rows import IMAGE, Row, identified
from vertebra.chat.streaming import read_list
from vertebra.chat.vcr import meta, vcr
from vertebra.errors import DataError
from vertebra.spec import DataCompat

_REGION = re.compile(r"<bbox\d*>")
_NONE: frozenset[DataCompat] = frozenset()


@dataclass(frozen=True, slots=True)
class Record:
    """One training sample before it is worded."""

    id: str
    images: tuple[str, ...]
    """Paths relative to the mixture's image folder, in the order of their places; none for text alone."""
    tell: Teller
    kind: str
    """A published source, such as refcocog or refcocog-gpt4v; `own regions`, `images` or `text alone`."""
    beside: tuple[str, ...] = ()
    """Further files that it is told from, relative to the same folder."""

    @property
    def files(self) -> tuple[str, ...]:
        """All that it needs."""
        return *self.images, *self.beside


def read_records(path: Path, compat: frozenset[DataCompat] = _NONE) -> list[Record]:
    """All records of a JSON file. `DataError` with the file and the record's id (or number) for the first bad one."""
    with closing(read_list(path)) as entries:
        return [record(entry.value, path, number, compat) for number, entry in enumerate(entries)]


def record(value: object, path: Path, number: int, compat: frozenset[DataCompat] = _NONE) -> Record:
    """The record that stands at this place of a file. `DataError` for one that cannot be used."""
    row = _row(value, path, number)
    name, images = row.name, row.images()
    source, _, rest = name.partition("-")
    kind = f"{source}-gpt4v" if rest.partition("-")[0] == "gpt4v" else source
    tell = SOURCES.get(kind)
    if tell is None and source in SOURCES:
        raise row.wrong(f"region records of the kind {kind} are not understood; known: {', '.join(SOURCES)}.")
    if tell is None and not {"bbox", "bboxes"} & row.fields.keys():
        told = Told(_shown(row, len(images)))
        if images and (odd := _REGION.search(" ".join(turn.text for turn in told.conversation.turns))):
            raise row.wrong(f"speaks of {odd[0]}, but has no `bboxes`.")
        return Record(name, images, lambda rng, folder: told, "images" if images else "text alone")  # noqa: ARG005
    beside = (meta(row),) if "meta_dir" in row.fields else ()
    return Record(name, (row.image(),), (tell or _own)(row, compat), kind if tell else "own regions", beside)


def read_conversations(path: Path) -> list[tuple[str, Conversation]]:
    """The ids and conversations of a JSON file, no image looked for; region records are no conversations yet.

    Where `image` is no list, the messages alone say how many images there are. `DataError` with the file
    and the record's id (or number) for the first bad one.
    """
    return [_conversation(_row(entry.value, path, number)) for number, entry in enumerate(read_list(path))]


def _row(value: object, path: Path, number: int) -> Row:
    return identified(value, f"{path}: record {number}")


def _conversation(row: Row) -> tuple[str, Conversation]:
    images = row.fields.get("image")
    return row.name, _shown(row, len(images)) if isinstance(images, list) else _said(row, 1)


def _own(row: Row, _: frozenset[DataCompat]) -> Teller:
    """A user's own conversation about regions."""
    return regions.conversed(row, _shown(row, 1))


def _by_gpt4v(row: Row, compat: frozenset[DataCompat], *, sees: bool, coin: bool) -> Teller:
    """A conversation that GPT-4V wrote, about an image that its text need not mention."""
    said = _said(row, 1)
    if not said.images and (sees or "region_without_image" not in compat):
        first, *rest = said.turns
        said = Conversation((replace(first, images=1, places=()), *rest))
    kinds = ("rectangle", "ellipse") if coin else ()
    return regions.conversed(row, said, kinds=kinds, coin=coin, compat=compat)


SOURCES: Mapping[str, Callable[[Row, frozenset[DataCompat]], Teller]] = {
    **regions.TELLERS,
    "vcr": vcr,
    "refcocog-gpt4v": partial(_by_gpt4v, sees=True, coin=False),
    "vg_rel-gpt4v": partial(_by_gpt4v, sees=False, coin=True),
}
"""The published kinds of region records, by what their ids begin with."""


def _shown(row: Row, images: int) -> Conversation:
    """What a record of so many images says; all of them have their place in it."""
    said = _said(row, images)
    if said.images != images:
        raise row.wrong(
            f"its messages and its `image` do not match, {said.images} shown by {IMAGE} and {images} named. "
            "Give every image its place and every place its image."
        )
    return said


def _said(row: Row, images: int) -> Conversation:
    """What a record says that may have so many images."""
    messages = row.get("conversations", list)
    turns = [_turn(message, images > 1, f"{row.where}: message {number}") for number, message in enumerate(messages)]
    if turns and turns[0].role == "assistant":
        turns = turns[1:]  # LLaVA's rule: what comes before the first question is left out
    roles = [turn.role for turn in turns]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        raise row.wrong("`conversations` must go human, gpt, human, gpt, ... and end with an answer.")
    return Conversation(tuple(turns))


def _turn(fields: object, several: bool, where: str) -> Turn:
    if not isinstance(fields, dict):
        raise DataError(f"{where}: expected an object, found {type(fields).__name__}.")
    message = Row(fields, where)
    speaker = message.get("from", str)
    if speaker == "gpt":
        return Turn("assistant", message.answer("value"))
    if speaker != "human":
        raise message.wrong(f"`from` must be human or gpt, found {reprlib.repr(speaker)}.")
    text = message.text("value")
    first, *rest = text.split(IMAGE)
    if not rest:
        return Turn("user", text)
    if not several:
        # LLaVA's rule: the image comes first, wherever in the message it was mentioned.
        return Turn("user", "".join([first, *rest]).strip(), images=1)
    # A newline behind an image is the chat format's to write, here as for one image.
    pieces = [first, *(piece.removeprefix("\n") for piece in rest)]
    return Turn("user", "".join(pieces), len(rest), tuple(accumulate(map(len, pieces[:-1]))))
