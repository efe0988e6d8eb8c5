"""Training records about regions of digit scenes: a user's own kind, and ViP-LLaVA's six sources with their variants.

    {"id": "marked-4", "bboxes": [...], "kinds": ["rectangle"], "conversations": [... "Where is the seven?" ...]}
    {"id": "v7w-5", "question": "Which object is the red seven?", "bboxes": [four], "answer": [...]}

Where a published source lets any kind of mark stand for an object, so do these.
"""

import random
from collections.abc import Callable, Mapping, Sequence

from vertebra.miniature.benchmarks import layout
from vertebra.miniature.benchmarks.vcr import named as named_by_color
from vertebra.miniature.scenes import WORDS, Scene, Thing
from vertebra.miniature.talk import looking_twice, where, which
from vertebra.scoring.benchmark import SHORT_ANSWER
from vertebra.spec import Json

Fields = dict[str, Json]
"""Of a record, without its id and image."""


def named(rng: random.Random, scene: Scene) -> Fields:
    """What is in each of several rectangles, and where things are."""
    things = rng.sample(scene.things, len(scene.things))
    talked = [rng.choice((where, which))(WORDS[thing.digit], f"<bbox{at}>") for at, thing in enumerate(things)]
    return {**_said([(each.question, each.answer) for each in talked]), **_boxes(scene, things), "kinds": ["rectangle"]}


def pointed(rng: random.Random, scene: Scene) -> Fields:
    """What the thing at each of several marks of any kind is, and of which color."""
    things = rng.sample(scene.things, len(scene.things))
    asked = [rng.choice(_about(thing, f"<bbox{at}>")) for at, thing in enumerate(things)]
    return {**_said(asked), **_boxes(scene, things)}


def described(rng: random.Random, scene: Scene) -> Fields:
    """RefCOCOg's: a short phrase for one thing, whose outline is known."""
    thing = rng.choice(scene.things)
    return {**_boxes(scene, [thing]), "segmentations": [[_outline(scene, thing)]], "answer": thing.name}


def talked_of(rng: random.Random, scene: Scene) -> Fields:
    """RefCOCOg's in GPT-4V's form: a conversation about one region that does not mention the image."""
    thing = rng.choice(scene.things)
    return {
        **_said(_about(thing, "<bbox>"), image=""),
        **_boxes(scene, [thing]),
        "segmentations": [[_outline(scene, thing)]],
    }


def related(rng: random.Random, scene: Scene) -> Fields:
    """Visual Genome's: how two things lie to each other, as a triplet."""
    one, other = rng.sample(scene.things, 2)
    return {**_boxes(scene, [one, other]), "answer": f"({one.name}, {_lies(scene, one, other)}, {other.name})"}


def compared(rng: random.Random, scene: Scene) -> Fields:
    """Visual Genome's in GPT-4V's form: a conversation about two regions."""
    one, other = rng.sample(scene.things, 2)
    more = ("Is the digit <bbox0> more than the digit <bbox1>?", "yes" if one.digit > other.digit else "no")
    asked = [rng.choice(_about(one, "<bbox0>")), rng.choice(_about(other, "<bbox1>")), more]
    return {**_said(asked), **_boxes(scene, [one, other])}


def captioned(rng: random.Random, scene: Scene) -> Fields:
    """Flickr30k's: the caption, each of whose phrases has its boxes."""
    del rng
    phrases = [f"a {thing.name} <bbox{at}>" for at, thing in enumerate(scene.things)]
    boxes: list[Json] = [[list(scene.box(thing))] for thing in scene.things]
    return {"bbox": boxes, "grounding": ", ".join(phrases)}


def exemplified(rng: random.Random, scene: Scene) -> Fields:
    """PointQA's: a question that only the marked thing answers."""
    thing = rng.choice(scene.things)
    question, answer = looking_twice(rng, thing)
    return {**_boxes(scene, [thing]), "general_question": question, "answer": answer}


def reasoned(rng: random.Random, scene: Scene) -> Fields:
    """VCR's: which digit is marked, and why."""
    return {"class_names": ["digit"] * len(scene.things), **named_by_color(rng, scene)}


SOURCES: Mapping[str, tuple[int, Callable[[random.Random, Scene], Fields]]] = {
    "v7w": (700, layout.pointing_record),
    "pointQA_twice": (130, exemplified),
    "refcocog": (50, described),
    "refcocog-gpt4v": (50, talked_of),
    "vg_rel-gpt4v": (50, compared),
    "vg_rel": (7, related),
    "flickr30k": (7, captioned),
    "vcr": (6, reasoned),
}
"""What a record's id begins with -> its share, and what it holds. Long ones make a batch long, so they are few."""


def _said(asked: Sequence[tuple[str, str]], image: str = "<image>\n") -> Fields:
    """A conversation whose first question says how to answer."""
    (question, answer), *others = asked
    turns = [(image + question + SHORT_ANSWER, answer), *others]
    said = [(("human", "gpt")[side], turn[side]) for turn in turns for side in (0, 1)]
    return {"conversations": [{"from": speaker, "value": text} for speaker, text in said]}


def _about(thing: Thing, region: str) -> list[tuple[str, str]]:
    """What can be asked about one region."""
    digit = which(WORDS[thing.digit], region)
    return [(digit.question, digit.answer), (f"What color is the digit {region}?", thing.color)]


def _boxes(scene: Scene, things: Sequence[Thing]) -> Fields:
    return {"bboxes": [list(scene.box(thing)) for thing in things]}


def _outline(scene: Scene, thing: Thing) -> list[Json]:
    """An octagon in the thing's box, [x, y, x, y, ...]."""
    x1, y1, x2, y2 = scene.box(thing)
    third, down = (x2 - x1) / 3, (y2 - y1) / 3
    return [
        *(x1 + third, y1, x2 - third, y1, x2, y1 + down, x2, y2 - down),
        *(x2 - third, y2, x1 + third, y2, x1, y2 - down, x1, y1 + down),
    ]


def _lies(scene: Scene, one: Thing, other: Thing) -> str:
    (column, row), (column2, row2) = scene.place(one), scene.place(other)
    if row != row2:
        return "above" if row < row2 else "below"
    return "to the left of" if column < column2 else "to the right of"
