"""MME in small: two questions a picture, one of them with a yes, in fourteen subtasks.

color.txt    0001.jpg    Is the seven red? Please answer yes or no.     Yes
             0001.jpg    Is the seven blue? Please answer yes or no.    No
"""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from vertebra.benchmarks.mme import APART, ENDING, SUBTASKS
from vertebra.files import write_atomically
from vertebra.miniature import talk
from vertebra.miniature.benchmarks import layout
from vertebra.miniature.benchmarks.circular import NUMERALS
from vertebra.miniature.scenes import COLORS, WORDS, paint
from vertebra.visual.marks import constant_mark, draw
from vertebra.visual.regions import Region


class _Pair(NamedTuple):
    """A picture, the question on it whose answer is yes, and the one whose answer is no."""

    picture: Image.Image
    true: str
    false: str


_Ask = Callable[[random.Random], _Pair]


def mme(rng: random.Random, folder: Path, pictures: int) -> None:
    """So many pictures a subtask, which lie where the release has them."""
    for subtask in SUBTASKS:
        home = folder / subtask / ("images" if subtask in APART else "")
        lines = []
        for number in range(1, pictures + 1):
            pair, image = _ASKED[subtask](rng), f"{number:04}.jpg"
            layout.store(pair.picture, home / image)
            rows = [(pair.true, "Yes"), (pair.false, "No")]
            lines += [f"{image}\t{question} {ENDING}\t{truth}\n" for question, truth in rng.sample(rows, 2)]
        write_atomically(folder / f"{subtask}.txt", "".join(lines))


def _existence(*things: int) -> _Ask:
    """Whether a digit is there, in a scene of so many things."""

    def ask(rng: random.Random) -> _Pair:
        scene = layout.scene(rng, things)
        there = [thing.digit for thing in scene.things]
        digits = rng.choice(there), _other_digit(rng, there)
        return _Pair(paint(scene), *(talk.existence(scene, digit).question for digit in digits))

    return ask


def _color(*things: int) -> _Ask:
    """Whether a digit has a color, in a scene of so many things."""

    def ask(rng: random.Random) -> _Pair:
        scene = layout.scene(rng, things)
        thing = rng.choice(scene.things)
        colors = thing.color, rng.choice([other for other in COLORS if other != thing.color])
        return _Pair(paint(scene), *(f"Is the {WORDS[thing.digit]} {color}?" for color in colors))

    return ask


def _position(rng: random.Random) -> _Pair:
    scene = layout.scene(rng)
    one, other = rng.sample(scene.things, 2)
    axis = rng.choice([axis for axis in (0, 1) if scene.place(one)[axis] != scene.place(other)[axis]])
    sides = [("to the left of", "to the right of"), ("above", "below")][axis]
    true, false = sides if scene.place(one)[axis] < scene.place(other)[axis] else reversed(sides)
    return _Pair(
        paint(scene), *(f"Is the {WORDS[one.digit]} {side} the {WORDS[other.digit]}?" for side in (true, false))
    )


def _count(rng: random.Random) -> _Pair:
    scene = layout.scene(rng)
    number = len(scene.things)
    numbers = number, rng.choice([other for other in (2, 3, 4) if other != number])
    return _Pair(paint(scene), *(f"Are there {WORDS[each]} digits in the image?" for each in numbers))


def _boxed(rng: random.Random) -> _Pair:
    """As MME asks for actors: in a red box, with another digit of the picture as the wrong one."""
    scene = layout.scene(rng)
    one, other = rng.sample(scene.things, 2)
    picture = draw(paint(scene), [constant_mark("rectangle", Region(scene.box(one)), "red")])
    return _Pair(picture, *(f"Is the digit inside the red box a {WORDS[each.digit]}?" for each in (one, other)))


def _compared(rng: random.Random) -> _Pair:
    scene = layout.scene(rng, (2,))
    low, high = (WORDS[digit] for digit in sorted(thing.digit for thing in scene.things))
    return _Pair(paint(scene), f"Is the {high} more than the {low}?", f"Is the {low} more than the {high}?")


def _summed(rng: random.Random) -> _Pair:
    scene = layout.scene(rng, (2,))
    total = sum(thing.digit for thing in scene.things)
    totals = total, total + rng.choice((-1, 1))
    return _Pair(paint(scene), *(f"Is the sum of the digits in the image {each}?" for each in totals))


def _alone(question: str, spell: Callable[[int], str]) -> _Ask:
    """A question on the only digit of a picture, and the same with another digit."""

    def ask(rng: random.Random) -> _Pair:
        scene = layout.scene(rng, (1,))
        (thing,) = scene.things
        digits = thing.digit, _other_digit(rng, [thing.digit])
        return _Pair(paint(scene), *(question.format(spell(digit)) for digit in digits))

    return ask


def _other_digit(rng: random.Random, there: list[int]) -> int:
    return rng.choice([digit for digit in range(10) if digit not in there])


_ASKED: Mapping[str, _Ask] = {
    "existence": _existence(2, 3, 4),
    "count": _count,
    "position": _position,
    "color": _color(2, 3, 4),
    "posters": _existence(1),
    "celebrity": _boxed,
    "scene": _existence(4),
    "landmark": _color(1),
    "artwork": _color(4),
    "OCR": _alone('Is the number in the image "{}"?', str),
    "commonsense_reasoning": _compared,
    "numerical_calculation": _summed,
    "text_translation": _alone(
        "Is it appropriate to translate the digit in the image into Chinese '{}'?", NUMERALS.__getitem__
    ),
    "code_reasoning": _alone("Is the digit in the image the output of the python code 'print({} + 0)'?", str),
}
"""The official subtasks that recognise posters, celebrities and the like recognise digits here."""
