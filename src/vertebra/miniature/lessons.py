"""Conversations about scenes: what the tiny models are taught.

A lesson is a picture's worth of talk: one to five exchanges, and which things carry a rectangle of which color.

    Lesson(scene, (Exchange("What color is the seven?\\nAnswer ...", "red"), Exchange("Which digit is blue?", "two")))
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vertebra.chat import wording
from vertebra.miniature.scenes import WORDS, Scene
from vertebra.miniature.talk import (
    KINDS,
    Choice,
    Exchange,
    arithmetic,
    caption,
    choice,
    color,
    digit,
    exchange,
    verify,
)
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
    return Lesson(scene, (Exchange(first.question + SHORT_ANSWER, first.answer), *others))


def choosing(rng: random.Random, scene: Scene) -> Lesson:
    """Multiple-choice questions about one scene."""
    return Lesson(scene, tuple(_lettered(choice(rng, scene)) for _ in range(2)))


def pairs(rng: random.Random, scene: Scene) -> Lesson:
    """Statements that pair digits and colors in no order, then questions about the same pairs: dense to learn from."""
    said = [" is ".join(rng.sample([WORDS[thing.digit], thing.color], 2)) for thing in rng.choices(scene.things, k=8)]
    return _stated(scene, said, [rng.choice((color, digit))(rng, scene) for _ in range(6)])


def presence(rng: random.Random, scene: Scene) -> Lesson:
    """Statements on which digits are there, then questions."""
    there = {thing.digit for thing in scene.things}
    absent = [number for number in range(10) if number not in there]
    numbers = [rng.choice(list(there) if rng.random() < 0.5 else absent) for _ in range(12)]
    said = [f"{WORDS[number]} {'yes' if number in there else 'no'}" for number in numbers]
    return _stated(scene, said, [rng.choice((KINDS["existence"], verify))(rng, scene) for _ in range(6)])


def _stated(scene: Scene, said: Sequence[str], asked: Sequence[Exchange]) -> Lesson:
    return Lesson(scene, (Exchange("Tell me about the digits.", ", ".join(said)), *asked))


def reckoning(rng: random.Random) -> Lesson:
    """Multiple-choice questions about numbers, no picture."""
    return Lesson(None, tuple(_lettered(arithmetic(rng)) for _ in range(2)))


def pointing(rng: random.Random, scene: Scene, more: int, statements: int = 0) -> Lesson:
    """Which of four marked things is meant; then statements and `more` questions about the same marks.

    A statement pairs two of a thing's digit, mark and letter.
    """
    order = rng.sample(range(4), 4)
    colors = rng.sample(list(COLOURS), 4)
    marks = dict(zip(order, colors, strict=True))
    told = {
        thing: (WORDS[scene.things[thing].digit], marks[thing], wording.LETTERS[order.index(thing)]) for thing in marks
    }

    def asked() -> Exchange:
        question, thing = point_at(rng, scene)
        return Exchange(question, told[scene.things.index(thing)][2])

    first = asked()
    exchanges = [Exchange(wording.pointing(first.question, colors), first.answer)]
    if statements:
        said = (" is ".join(rng.sample(told[rng.randrange(4)], 2)) for _ in range(statements))
        exchanges.append(Exchange("Tell me about the options.", ", ".join(said)))
    for _ in range(more):
        number, mark, _ = told[rng.randrange(4)]
        kinds = [
            asked(),
            Exchange(f"Which digit is {wording.phrase('rectangle', mark)}?", number),
            Exchange(f"What color is the rectangle of the {number}?", mark),
        ]
        exchanges.append(rng.choices(kinds, weights=(3, 1, 1))[0])
    return Lesson(scene, tuple(exchanges), marks)


def _lettered(question: Choice) -> Exchange:
    return Exchange(question.text + OPTION_LETTER, wording.LETTERS[question.answer])
