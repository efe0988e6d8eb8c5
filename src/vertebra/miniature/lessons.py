"""Conversations about scenes: what the tiny models are taught.

A lesson is a picture's worth of talk: one to five exchanges, and which things carry a rectangle of which color.

    Lesson(scene, (Exchange("What color is the seven?\\nAnswer ...", "red"), Exchange("Which digit is blue?", "two")))
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from vertebra.chat import wording
from vertebra.miniature.scenes import WORDS, Scene
from vertebra.miniature.talk import (
    KINDS,
    Choice,
    Exchange,
    arithmetic,
    caption,
    choice,
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


def options(rng: random.Random, scene: Scene) -> Lesson:
    """A multiple-choice question, then statements which letter stands before which option."""
    asked = choice(rng, scene)
    return Lesson(scene, (_lettered(asked), _listed(rng, zip(asked.options, wording.LETTERS, strict=False))))


def matching(rng: random.Random, scene: Scene) -> Lesson:
    """The scene's digits are the options and its colors the clues, or the other way round; then statements on all."""
    things = rng.sample(scene.things, len(scene.things))
    numbers, colors = [WORDS[thing.digit] for thing in things], [thing.color for thing in things]
    answer = rng.randrange(len(things))
    by_color = rng.random() < 0.5
    clues, shown = (colors, numbers) if by_color else (numbers, colors)
    question = _of_plain(numbers[answer], colors[answer])[by_color].question
    asked = _lettered(Choice(question, tuple(shown), answer))
    return Lesson(scene, (asked, _listed(rng, zip(clues, wording.LETTERS, strict=False))))


def _listed(rng: random.Random, pairs: Iterable[tuple[str, str]]) -> Exchange:
    """Sixteen statements: a clue and the letter it leads to, always in this order, so that what follows is certain."""
    return _stated("options", [" ".join(pair) for pair in rng.choices(list(pairs), k=16)])


def pairs(rng: random.Random, scene: Scene) -> Lesson:
    """Statements that pair digits and colors in no order, then questions about the same pairs.

    Some of the things carry a rectangle; of these its color is told.
    """
    shown = {thing.color for thing in scene.things}
    marked = [index for index in range(len(scene.things)) if rng.random() < 0.4]
    marks = dict(zip(marked, rng.sample([name for name in COLOURS if name not in shown], len(marked)), strict=True))
    told = [(WORDS[thing.digit], marks.get(index, thing.color)) for index, thing in enumerate(scene.things)]
    said = [" ".join(rng.sample(pair, 2)) for pair in rng.choices(told, k=8)]
    asked = []
    for _ in range(6):
        index = rng.randrange(len(told))
        asked.append(rng.choice((_of_marked if index in marks else _of_plain)(*told[index])))
    return Lesson(scene, (_stated("digits", said), *asked), marks)


def _of_plain(number: str, color: str) -> tuple[Exchange, Exchange]:
    return Exchange(f"What color is the {number}?", color), Exchange(f"Which digit is {color}?", number)


def _of_marked(number: str, mark: str) -> tuple[Exchange, Exchange]:
    return (
        Exchange(f"What color is the rectangle of the {number}?", mark),
        Exchange(f"Which digit is {wording.phrase('rectangle', mark)}?", number),
    )


def presence(rng: random.Random, scene: Scene) -> Lesson:
    """Statements on which digits are there, then questions."""
    there = {thing.digit for thing in scene.things}
    absent = [number for number in range(10) if number not in there]
    numbers = [rng.choice(list(there) if rng.random() < 0.5 else absent) for _ in range(12)]
    said = [f"{WORDS[number]} {'yes' if number in there else 'no'}" for number in numbers]
    asked = [rng.choice((KINDS["existence"], verify))(rng, scene) for _ in range(6)]
    return Lesson(scene, (_stated("digits", said), *asked))


def _stated(topic: str, said: Sequence[str]) -> Exchange:
    return Exchange(f"Tell me about the {topic}.", ", ".join(said))


def reckoning(rng: random.Random) -> Lesson:
    """Multiple-choice questions about numbers, no picture."""
    return Lesson(None, tuple(_lettered(arithmetic(rng)) for _ in range(2)))


def pointing(rng: random.Random, scene: Scene, more: int = 0, clues: Sequence[Literal["digit", "mark"]] = ()) -> Lesson:
    """Which of four marked things is meant; then statements which `clues` lead to which letter, if there are any, and
    `more` questions about the same marks.
    """
    order = rng.sample(range(4), 4)
    colors = rng.sample(list(COLOURS), 4)
    marks = dict(zip(order, colors, strict=True))
    numbers = [WORDS[scene.things[thing].digit] for thing in order]

    def asked() -> Exchange:
        question, thing = point_at(rng, scene)
        return Exchange(question, wording.LETTERS[order.index(scene.things.index(thing))])

    first = asked()
    exchanges = [Exchange(wording.pointing(first.question, colors), first.answer)]
    told = {"digit": numbers, "mark": colors}
    pairs = [pair for clue in clues for pair in zip(told[clue], wording.LETTERS, strict=True)]
    if pairs:
        exchanges.append(_listed(rng, pairs))
    for _ in range(more):
        index = rng.randrange(4)
        exchanges.append(rng.choices((asked(), *_of_marked(numbers[index], colors[index])), weights=(3, 1, 1))[0])
    return Lesson(scene, tuple(exchanges), marks)


def _lettered(question: Choice) -> Exchange:
    return Exchange(question.text + OPTION_LETTER, wording.LETTERS[question.answer])
