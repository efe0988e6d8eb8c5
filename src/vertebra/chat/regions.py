"""ViP-LLaVA's region records put into words and marks (arXiv:2312.00784, section 3; `vip-llava_stage2_mix.json`).

    {"id": "refcocog-9", "image": "9.jpg", "bboxes": [[x1, y1, x2, y2]], "segmentations": null, "answer": "a red cup"}
    {"id": "vg_rel-2", "image": "2.jpg", "bboxes": [[...], [...]], "answer": "(man, rides, horse)"}
    {"id": "flickr30k-5", "image": "5.jpg", "bbox": [[[...]], [[...], [...]]],
     "grounding": "a man <bbox0> walks two dogs <bbox1>"}
    {"id": "v7w-4", "image": "4.jpg", "question": "Which object is red?", "bboxes": [four of them], "answer": [...]}
    {"id": "pointQA_twice-1", "image": "1.jpg", "bboxes": [[...]], "general_question": "How many?", "answer": "2"}
    {"id": "mine-1", "image": "1.png", "bboxes": [[...], ...], "kinds": ["arrow"],
     "conversations": [{"from": "human", "value": "<image>\\nWhat is <bbox0>?"}, {"from": "gpt", "value": "red"}, ...]}

A published record is told by what its id begins with, up to the first dash; `-gpt4v-` behind it stands for a
conversation that GPT-4V wrote, with placeholders like a user's own. `chat.vcr` has the sixth source.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from vertebra.chat import wording
from vertebra.chat.conversation import Conversation, Turn
from vertebra.chat.rows import Row
from vertebra.spec import DataCompat
from vertebra.visual.images import RGB
from vertebra.visual.kinds import KINDS
from vertebra.visual.marks import COLOURS, Mark, constant_mark, opacity, random_colour, random_mark
from vertebra.visual.regions import Region

_OUTLINED = ("rectangle", "ellipse")
_ALL = tuple(KINDS)


class Told(NamedTuple):
    """A record put into words: what is said, and what is drawn on its one image."""

    conversation: Conversation
    marks: tuple[Mark, ...] = ()


Teller = Callable[[random.Random, Path], Told]
"""Words a record, given a source of randomness and the folder that its image lies in."""


class Untellable(Exception):
    """The published code fails on this record, and takes another one in its place; raised under `compat` alone."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """How one object is marked."""

    kind: str
    name: str | None
    """Of its colour; None for one without a name."""
    ink: RGB

    def phrase(self, article: bool = True) -> str:
        """The region as text refers to it."""
        return wording.phrase(self.kind, self.name, article)

    def mark(self, region: Region, rng: random.Random, *, constant: bool = False) -> Mark:
        """What is drawn: as the training data have it or, `constant`, as the benchmarks have it."""
        if constant:
            return constant_mark(self.kind, region, self.ink, rng.getrandbits(32))
        return random_mark(self.kind, region, self.ink, rng)


def choose(rng: random.Random, number: int, kinds: Sequence[str]) -> list[Chosen]:
    """Kinds at random; those that share one have different named colours, one of its own kind may have any colour."""
    drawn = [rng.choice(kinds) for _ in range(number)]
    free = {kind: [*COLOURS] for kind in drawn}
    chosen = []
    for kind in drawn:
        if drawn.count(kind) == 1:
            chosen.append(_any_colour(rng, kind))
        elif free[kind]:
            name = free[kind].pop(rng.randrange(len(free[kind])))
            chosen.append(Chosen(kind, name, COLOURS[name]))
        else:
            chosen.append(Chosen(kind, None, random_colour(rng)))
    return chosen


def _any_colour(rng: random.Random, kind: str) -> Chosen:
    """A named colour or any other, even odds."""
    if rng.random() < 0.5:
        return Chosen(kind, None, random_colour(rng))
    name = rng.choice([*COLOURS])
    return Chosen(kind, name, COLOURS[name])


def refcocog(row: Row, compat: frozenset[DataCompat]) -> Teller:
    """What is the region? In 25 of 100 the question does not say where to look."""
    answer = row.answer()
    (region,) = row.regions(1)

    def tell(rng: random.Random, _: Path) -> Told:
        (chosen,) = _as_published([_any_colour(rng, rng.choice(_ALL))], [region], compat)
        there = chosen.phrase() if "unnamed_region" not in compat else ""
        asked = rng.choice(wording.UNTOLD) if rng.random() < 0.25 else wording.describing(there)
        return _asked(asked, answer, [chosen.mark(region, rng)], compat)

    return tell


def vg_rel(row: Row, compat: frozenset[DataCompat]) -> Teller:
    """How are subject and object related?"""
    answer, regions = row.answer(), row.regions(2)

    def tell(rng: random.Random, _: Path) -> Told:
        chosen = _as_published(choose(rng, 2, _OUTLINED), regions, compat)
        marks = [each.mark(region, rng) for each, region in zip(chosen, regions, strict=True)]
        return _asked(wording.relating(*(each.phrase() for each in chosen)), answer, marks, compat)

    return tell


def _as_published(
    chosen: Sequence[Chosen], regions: Sequence[Region], compat: frozenset[DataCompat]
) -> Sequence[Chosen]:
    """A choice as the published code makes it, as far as that is wanted. `Untellable` where it fails on it."""
    if "point_needs_outline" in compat and any(
        each.kind == "point" and not region.polygons for each, region in zip(chosen, regions, strict=True)
    ):
        raise Untellable
    if "shared_colour" in compat and len(chosen) == 2 and chosen[0].kind != chosen[1].kind:
        return chosen[0], replace(chosen[0], kind=chosen[1].kind)
    return chosen


def _asked(question: str, answer: str, marks: Sequence[Mark], compat: frozenset[DataCompat]) -> Told:
    """One question; in the published code two sources forget the image."""
    if "region_without_image" in compat:
        return Told(Conversation((Turn("user", question), Turn("assistant", answer))))
    return _seen(question, answer, marks)


def _seen(question: str, answer: str, marks: Sequence[Mark]) -> Told:
    return Told(Conversation((Turn("user", question, images=1), Turn("assistant", answer))), tuple(marks))


def flickr30k(row: Row, _: frozenset[DataCompat]) -> Teller:
    """A caption about marked objects, which mentions the marks or does not; half of the questions list the marks."""
    caption, phrases = row.answer("grounding"), row.get("bbox", list)
    regions = [
        [row.region(box, what=f"`bbox` {number}") for box in Row({"bbox": boxes}, row.where).get("bbox", list)]
        for number, boxes in enumerate(phrases)
    ]
    _demand_known(row, [caption], len(phrases))

    def tell(rng: random.Random, _: Path) -> Told:
        mode = rng.choice([*wording.CAPTIONING])
        question = rng.choice(wording.CAPTIONING[mode])
        chosen = choose(rng, len(regions), ("rectangle", "ellipse", "arrow"))
        if rng.random() < 0.5 and chosen:
            listed = [" ".join(filter(None, [each.name, each.kind])) for each in chosen]
            question += wording.hinting(rng.choice(wording.HINTS), listed)

        def mention(match: re.Match[str]) -> str:
            each = chosen[int(match[1] or 0)]
            return f" {each.phrase()}" if mode == "semantic_visual_prompt" and each.name else ""

        marks = [each.mark(region, rng) for each, found in zip(chosen, regions, strict=True) for region in found]
        return _seen(question, _sentence(_SPACED.sub(mention, caption)), marks)

    return tell


def _sentence(text: str) -> str:
    """A capital first, a full stop last, a blank behind each comma and none before it."""
    text = re.sub(r"\s*,\s*", ", ", text.strip())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def v7w(row: Row, _: frozenset[DataCompat]) -> Teller:
    """Which of four regions is meant?"""
    question, regions = row.words("question"), row.regions(4)
    answer = row.region(row.get("answer", list), what="`answer`")
    if answer not in regions:
        raise row.wrong("`answer` is none of its `bboxes`.")

    def tell(rng: random.Random, _: Path) -> Told:
        colors = rng.sample([*COLOURS], 4)
        articles = [rng.random() < 0.5 for _ in colors]
        marks = [constant_mark("rectangle", region, color) for region, color in zip(regions, colors, strict=True)]
        marks = [replace(mark, alpha=rng.randint(*opacity("rectangle"))) for mark in marks]
        return _seen(wording.pointing(question, colors, articles), wording.LETTERS[regions.index(answer)], marks)

    return tell


def point_qa(row: Row, _: frozenset[DataCompat]) -> Teller:
    """A question about things like the one in the red rectangle."""
    question, number = row.words("general_question"), row.fields.get("answer")
    answer = str(number) if type(number) is int else row.answer()  # counts are written either way
    (region,) = row.regions(1)

    def tell(rng: random.Random, _: Path) -> Told:
        mark = replace(constant_mark("rectangle", region, "red"), alpha=rng.randint(*opacity("rectangle")))
        return _seen(wording.looking_twice(question), answer, [mark])

    return tell


def conversed(
    row: Row,
    said: Conversation,
    *,
    kinds: Sequence[str] = (),
    coin: bool = False,
    compat: frozenset[DataCompat] = frozenset(),
) -> Teller:
    """A conversation with placeholders, one for each region; with a `coin`, some phrases have no "the".

    Marks are of the record's own `kinds`, else of those given here, else of all.
    """
    boxes = "bboxes" if "bboxes" in row.fields else "bbox"
    regions = row.regions(boxes=boxes)
    kinds = _own_kinds(row) or kinds or _ALL
    mentioned = _demand_known(row, [turn.text for turn in said.turns], len(regions))
    if mentioned != set(range(len(regions))):
        raise row.wrong(f"its messages must speak of <bbox0> to <bbox{len(regions) - 1}>, one for each box.")

    def tell(rng: random.Random, _: Path) -> Told:
        chosen = _as_published(choose(rng, len(regions), kinds), regions, compat)
        phrases = [each.phrase(not coin or rng.random() < 0.5) for each in chosen]
        turns = [
            replace(turn, text=_PLACE.sub(lambda found: phrases[int(found[1] or 0)], turn.text)) for turn in said.turns
        ]
        marks = [each.mark(region, rng) for each, region in zip(chosen, regions, strict=True)]
        return Told(Conversation(tuple(turns)), tuple(marks))

    return tell


def _own_kinds(row: Row) -> tuple[str, ...]:
    if "kinds" not in row.fields:
        return ()
    kinds = row.get("kinds", list)
    for kind in kinds:
        if kind not in KINDS:
            raise row.wrong(f"`kinds` may hold {', '.join(KINDS)}, not {kind!r}.")
    return tuple(kinds)


def _demand_known(row: Row, texts: Sequence[str], regions: int) -> set[int]:
    """The regions that some texts speak of; all of them must be there."""
    mentioned = {int(number or 0) for text in texts for number in _PLACE.findall(text)}
    if unknown := sorted(number for number in mentioned if number >= regions):
        raise row.wrong(f"speaks of <bbox{unknown[0]}>, but has {regions} regions, counted from 0.")
    for text in texts:
        if odd := _ODD.search(_PLACE.sub("", text)):
            raise row.wrong(f"{odd[0]} is no placeholder; regions are <bbox0>, <bbox1>, ..., or <bbox> for one alone.")
    return mentioned


_PLACE = re.compile(r"<(?:bbox|obj)(\d{0,3})>")
_SPACED = re.compile(r" ?<(?:bbox|obj)(\d{0,3})>")
_ODD = re.compile(r"<(?:bbox|obj)(?!ect)[^<>]{0,20}>")

TELLERS: Mapping[str, Callable[[Row, frozenset[DataCompat]], Teller]] = {
    "refcocog": refcocog,
    "vg_rel": vg_rel,
    "flickr30k": flickr30k,
    "v7w": v7w,
    "pointQA_twice": point_qa,
}
"""By what the record's id begins with."""
