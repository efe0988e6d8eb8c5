"""Conversations about scenes: what the tiny models are taught.

A lesson is a picture's worth of talk: one or more exchanges, and which things carry a rectangle of which color.

    Lesson(scene, (Exchange("What color is the seven?\\nAnswer ...", "red"), Exchange("Which digit is blue?", "two")))
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from vertebra.chat import wording
from vertebra.miniature.scenes import WORDS, Scene
from vertebra.miniature.talk import Choice, Exchange, arithmetic, caption, choice, exchange, where, which
from vertebra.miniature.talk import pointing as point_at
from vertebra.scoring.benchmark import OPTION_LETTER, SHORT_ANSWER
from vertebra.visual.marks import COLOURS


@dataclass(frozen=True, slots=True)
class Lesson:
    """Exchanges about one scene, or about none."""

    scene: Scene | None
    exchanges: tuple[Exchange, ...]
    marks: Mapping[int, str] = field(default_factory=dict)
    """Index of a thing in the scene -> color of the rectangle around it."""


def captioning(scene: Scene) -> Lesson:
    """A scene and its caption."""
    return Lesson(scene, (Exchange("Describe the image.", caption(scene)),))


def questions(rng: random.Random, scene: Scene, number: int = 5) -> Lesson:
    """Several short questions about one scene; the first says how to answer, as in LLaVA's mixture."""
    first, *others = [exchange(rng, scene) for _ in range(number)]
    return Lesson(scene, (Exchange(first.question + SHORT_ANSWER, first.answer, first.via), *others))


def choosing(rng: random.Random, scene: Scene, number: int = 2) -> Lesson:
    """Multiple-choice questions about one scene."""
    return Lesson(scene, tuple(_lettered(choice(rng, scene)) for _ in range(number)))


def reckoning(rng: random.Random, number: int = 2) -> Lesson:
    """Multiple-choice questions about numbers, no picture."""
    return Lesson(None, tuple(_lettered(arithmetic(rng)) for _ in range(number)))


def _lettered(asked: Choice) -> Exchange:
    via = (asked.clue, asked.options[asked.answer]) if asked.clue else ()
    return Exchange(asked.text + OPTION_LETTER, wording.LETTERS[asked.answer], via)


def marked(rng: random.Random, scene: Scene, number: int = 5) -> Lesson:
    """Questions on which thing is within which rectangle, and the other way around."""
    marks = _marks(rng, scene)
    exchanges = []
    for index in rng.choices(list(marks), k=number):
        digit, region = WORDS[scene.things[index].digit], wording.phrase("rectangle", marks[index])
        exchanges.append(rng.choice((where(digit, region), which(digit, region))))
    return Lesson(scene, tuple(exchanges), marks)


def pointing(rng: random.Random, scene: Scene, number: int = 1) -> Lesson:
    """Which of four marked things is meant; the same marks each time, their order anew."""
    marks = _marks(rng, scene)
    exchanges = []
    for _ in range(number):
        order = rng.sample(list(marks), len(marks))
        question, thing = point_at(rng, scene)
        index = scene.things.index(thing)
        asked = wording.pointing(question, [marks[each] for each in order])
        via = (WORDS[thing.digit], wording.phrase("rectangle", marks[index]))
        exchanges.append(Exchange(asked, wording.LETTERS[order.index(index)], via))
    return Lesson(scene, tuple(exchanges), marks)


def _marks(rng: random.Random, scene: Scene) -> dict[int, str]:
    return dict(enumerate(rng.sample(list(COLOURS), len(scene.things))))
