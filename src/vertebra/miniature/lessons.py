"""Conversations about scenes: what the tiny models are taught.

A lesson is a picture's worth of talk: one to five exchanges, and which things carry a rectangle of which color.

    Lesson(scene, (Exchange("What color is the seven?\\nAnswer ...", "red"), Exchange("Which digit is blue?", "two")))
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from vertebra.chat import wording
from vertebra.miniature.scenes import WORDS, Scene
from vertebra.miniature.talk import (
    LETTER,
    LETTERS,
    SHORT,
    Choice,
    Exchange,
    arithmetic,
    caption,
    choice,
    color,
    digit,
    exchange,
)
from vertebra.miniature.talk import pointing as point_at
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
    return Lesson(scene, (Exchange(first.question + SHORT, first.answer), *others))


def choosing(rng: random.Random, scene: Scene) -> Lesson:
    """Multiple-choice questions about one scene."""
    return Lesson(scene, tuple(_lettered(choice(rng, scene)) for _ in range(2)))


def listing(rng: random.Random, scene: Scene, number: int = 8, more: int = 6) -> Lesson:
    """Statements that pair digits and colors in no order, then questions about the same pairs: dense to learn from."""
    said = []
    for thing in rng.choices(scene.things, k=number):
        pair = [WORDS[thing.digit], thing.color]
        rng.shuffle(pair)
        said.append(" is ".join(pair))
    asked = [rng.choice((color, digit))(rng, scene) for _ in range(more)]
    return Lesson(scene, (Exchange("Tell me about the digits.", ", ".join(said)), *asked))


def reckoning(rng: random.Random) -> Lesson:
    """Multiple-choice questions about numbers, no picture."""
    return Lesson(None, tuple(_lettered(arithmetic(rng)) for _ in range(2)))


def pointing(rng: random.Random, scene: Scene, more: int) -> Lesson:
    """Which of four marked things is meant; then `more` questions about the same marks."""
    order = rng.sample(range(4), 4)
    colors = rng.sample(list(COLOURS), 4)
    marks = dict(zip(order, colors, strict=True))

    def asked() -> tuple[str, str]:
        question, thing = point_at(rng, scene)
        return question, LETTERS[order.index(scene.things.index(thing))]

    question, answer = asked()
    exchanges = [Exchange(wording.pointing(question, colors), answer)]
    for _ in range(more):
        thing = rng.randrange(4)
        region = wording.phrase("rectangle", marks[thing])
        kinds = [
            asked(),
            (f"Which digit is {region}?", WORDS[scene.things[thing].digit]),
            (f"What color is the rectangle of the {WORDS[scene.things[thing].digit]}?", marks[thing]),
        ]
        exchanges.append(Exchange(*rng.choices(kinds, weights=(3, 1, 1))[0]))
    return Lesson(scene, tuple(exchanges), marks)


def _lettered(question: Choice) -> Exchange:
    return Exchange(question.text + LETTER, LETTERS[question.answer])
