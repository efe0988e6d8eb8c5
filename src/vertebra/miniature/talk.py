"""What can be said about a scene: captions, questions with their answers, descriptions in words.

    caption(scene)            "a red seven, a blue two"
    exchange(rng, scene)      Exchange("What color is the seven?", "red")
    pointing(rng, scene)      "Which object is the seven?" with a rectangle around each of four things
    in_words(scene, {})       " empty redseven empty empty empty ..."

The same words teach the tiny language models (a scene told in words) and the vision-language models (a scene seen).
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vertebra.chat.wording import LETTERS
from vertebra.miniature.scenes import COLORS, WORDS, Scene, Thing


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer."""

    question: str
    answer: str
    via: tuple[str, ...] = ()
    """The words that lead to the answer: what is asked about, then what that leads to."""


PHRASES = (
    "Is there a", "Is there an", " in the image?", "What color is the", "Which digit is", "How many digits are there?",
    "Which object is the", "Which digit is in the picture?", "Which number is the", "Describe the image.",
    "Where is the", "Describe the object", "Please provide a short phrase.",
)  # fmt: skip
"""Fixed parts of questions: a tiny tokenizer has one token for each."""


def caption(scene: Scene) -> str:
    """All things in reading order."""
    return ", ".join(f"a {thing.name}" for thing in scene.things)


def in_words(scene: Scene, marks: Mapping[int, str]) -> str:
    """The padded 4×4 board row by row, as a language model without eyes gets it: one word a cell, as one patch a cell.

    A thing's word joins its color and its digit, `redseven`. Things in `marks`, which names the color of the rectangle
    around the thing at an index of `scene.things`, are told by digit and mark instead, `sevenlime`.
    """
    cells = [["empty"] * 4 for _ in range(4)]
    right, down = (4 - scene.columns) // 2, (4 - scene.rows) // 2
    for index, thing in enumerate(scene.things):
        column, row = scene.place(thing)
        word = WORDS[thing.digit]
        cells[row + down][column + right] = word + marks[index] if index in marks else thing.color + word
    return "".join(f" {word}" for row in cells for word in row)


def existence(scene: Scene, digit: int) -> Exchange:
    """Whether a digit is there, in POPE's words."""
    there = any(thing.digit == digit for thing in scene.things)
    article = "an" if digit == 8 else "a"
    return Exchange(f"Is there {article} {WORDS[digit]} in the image?", "yes" if there else "no", (WORDS[digit],))


def _existence(rng: random.Random, scene: Scene) -> Exchange:
    there = [thing.digit for thing in scene.things]
    absent = [digit for digit in range(10) if digit not in there]
    return existence(scene, rng.choice(there if rng.random() < 0.5 else absent))


def color(rng: random.Random, scene: Scene) -> Exchange:
    """A thing's color, from its digit."""
    return color_of(rng.choice(scene.things))


def color_of(thing: Thing) -> Exchange:
    """The color of this thing."""
    return Exchange(f"What color is the {WORDS[thing.digit]}?", thing.color, (WORDS[thing.digit],))


def digit(rng: random.Random, scene: Scene) -> Exchange:
    """A thing's digit, from its color."""
    return digit_of(rng.choice(scene.things))


def digit_of(thing: Thing) -> Exchange:
    """The digit of this thing."""
    return Exchange(f"Which digit is {thing.color}?", WORDS[thing.digit], (thing.color,))


def where(digit: str, region: str) -> Exchange:
    """The region that a digit is in, `within the lime rectangle`."""
    return Exchange(f"Where is the {digit}?", region, (digit,))


def which(digit: str, region: str) -> Exchange:
    """The digit that is in a region."""
    return Exchange(f"Which digit is {region}?", digit, (region,))


def count(rng: random.Random, scene: Scene) -> Exchange:
    """How many things there are."""
    del rng
    return Exchange("How many digits are there?", WORDS[len(scene.things)])


def verify(rng: random.Random, scene: Scene) -> Exchange:
    """Whether a thing has a color."""
    thing = rng.choice(scene.things)
    shown = thing.color if rng.random() < 0.5 else rng.choice([name for name in COLORS if name != thing.color])
    return Exchange(f"Is the {WORDS[thing.digit]} {shown}?", "yes" if shown == thing.color else "no")


def choose(rng: random.Random, scene: Scene) -> Exchange:
    """Which of two colors a thing has."""
    thing = rng.choice(scene.things)
    pair = [thing.color, rng.choice([name for name in COLORS if name != thing.color])]
    rng.shuffle(pair)
    return Exchange(f"Is the {WORDS[thing.digit]} {pair[0]} or {pair[1]}?", thing.color)


def relation(rng: random.Random, scene: Scene) -> Exchange:
    """Where one thing is of another; falls back to a color where no two things are apart both ways."""
    pairs = [(one, other) for one in scene.things for other in scene.things if one is not other]
    one, other = rng.choice(pairs)
    (column, row), (column2, row2) = scene.place(one), scene.place(other)
    if column != column2 and (row == row2 or rng.random() < 0.5):
        side, true = rng.choice([("to the left of", column < column2), ("to the right of", column > column2)])
    else:
        side, true = rng.choice([("above", row < row2), ("below", row > row2)])
    return Exchange(f"Is the {WORDS[one.digit]} {side} the {WORDS[other.digit]}?", "yes" if true else "no")


KINDS: Mapping[str, Callable[[random.Random, Scene], Exchange]] = {
    "existence": _existence,
    "color": color,
    "digit": digit,
    "count": count,
    "verify": verify,
    "choose": choose,
    "relation": relation,
}


def exchange(rng: random.Random, scene: Scene) -> Exchange:
    """One short question of a random kind."""
    return KINDS[rng.choices(list(KINDS), weights=(3, 4, 4, 1, 2, 1, 1))[0]](rng, scene)


@dataclass(frozen=True, slots=True)
class Choice:
    """A multiple-choice question; `answer` indexes `options`."""

    question: str
    options: tuple[str, ...]
    answer: int
    clue: str | None = None
    """The word of the question that leads to the right option, where there is one."""
    kind: str = ""
    """What is asked for: color, digit or presence."""

    @property
    def text(self) -> str:
        """The question and its lettered options."""
        return "\n".join([self.question, *map("{}. {}".format, LETTERS, self.options)])


def choice(rng: random.Random, scene: Scene, wrong: Sequence[int] = (1, 2, 3)) -> Choice:
    """A question about a scene, with as many wrong options as one of `wrong` says."""
    thing = rng.choice(scene.things)
    kind = ("color", "digit", "presence")[rng.randrange(3)]
    if kind == "presence":
        shown = {other.digit for other in scene.things}
        absent = [WORDS[number] for number in range(10) if number not in shown]
        return _shuffled(rng, kind, Exchange("Which digit is in the picture?", WORDS[thing.digit]), absent, wrong)
    asked, pool = (color_of(thing), list(COLORS)) if kind == "color" else (digit_of(thing), list(WORDS))
    return _shuffled(rng, kind, asked, pool, wrong)


def arithmetic(rng: random.Random) -> Choice:
    """A question about numbers alone, without a picture."""
    numbers = rng.sample(range(10), rng.choice((2, 3, 4)))
    word, answer = rng.choice([("largest", max(numbers)), ("smallest", min(numbers))])
    options = tuple(WORDS[number] for number in numbers)
    return Choice(f"Which number is the {word}?", options, numbers.index(answer))


def _shuffled(rng: random.Random, kind: str, asked: Exchange, pool: Sequence[str], wrong: Sequence[int]) -> Choice:
    others = [option for option in pool if option != asked.answer]
    options = [asked.answer, *rng.sample(others, rng.choice(wrong))]
    rng.shuffle(options)
    clue = asked.via[0] if asked.via else None
    return Choice(asked.question, tuple(options), options.index(asked.answer), clue, kind)


def looking_twice(rng: random.Random, thing: Thing) -> tuple[str, str]:
    """A question about a marked thing that does not say which it is, and its answer."""
    return rng.choice([("Which digit is it?", WORDS[thing.digit]), ("What color is it?", thing.color)])


def pointing(rng: random.Random, scene: Scene) -> tuple[str, Thing]:
    """A question that one of the scene's things answers, in Visual7W's manner."""
    thing = rng.choice(scene.things)
    name = rng.choice([WORDS[thing.digit], thing.name])
    return f"Which object is the {name}?", thing
