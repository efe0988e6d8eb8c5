"""Scenes: handwritten digits, each in a colour of its own, on a dark board of 28-pixel cells.

The digits are the 1,797 scans of 8×8 pixels that come inside scikit-learn (E. Alpaydin, C. Kaynak, "Optical
Recognition of Handwritten Digits", UCI 1998, https://doi.org/10.24432/C50P49). Every fourth scan of a digit is kept
for testing and appears in no training scene. A scene of 4×2 cells, 112×56 pixels:

    Scene(columns=4, rows=2, board=(12, 30, 41), things=(Thing(digit=7, color="red", cell=2, scan=391, ...), ...))
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vertebra.visual.regions import Box

CELL = 28
"""Side of a cell in pixels."""

SHAPES = ((4, 2), (2, 4), (4, 4))
"""Columns and rows of a board."""

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COLORS = {
    "red": (240, 50, 50),
    "green": (50, 200, 70),
    "blue": (80, 110, 255),
    "yellow": (240, 220, 60),
    "white": (245, 245, 245),
    "pink": (255, 140, 200),
}

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class Thing:
    """One handwritten digit in a scene."""

    digit: int
    color: str
    cell: int
    """Counted row by row from the top left."""
    scan: int
    """Index into scikit-learn's digits."""
    size: int
    """Side of the enlarged scan in pixels."""
    shift: tuple[int, int]
    """Offset (right, down) of the scan inside its cell in pixels."""

    @property
    def name(self) -> str:
        """Such as `red seven`."""
        return f"{self.color} {WORDS[self.digit]}"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows; digits and colors are each distinct, cells are in reading order."""

    columns: int
    rows: int
    board: tuple[int, int, int]
    things: tuple[Thing, ...]

    def place(self, thing: Thing) -> tuple[int, int]:
        """Column and row of a thing."""
        return thing.cell % self.columns, thing.cell // self.columns

    def box(self, thing: Thing) -> Box:
        """The thing's bounding box, xyxy pixels."""
        column, row = self.place(thing)
        left, top = column * CELL + thing.shift[0], row * CELL + thing.shift[1]
        return Box(left, top, left + thing.size - 1, top + thing.size - 1)


def draw_scene(rng: random.Random, split: Split, things: Sequence[int] = (2, 3, 4)) -> Scene:
    """A random scene whose number of things is one of `things` and whose scans are of one split."""
    columns, rows = rng.choice(SHAPES)
    number = rng.choice(things)
    cells = sorted(rng.sample(range(columns * rows), number))
    digits = _skewed_sample(rng, number)
    colors = rng.sample(list(COLORS), number)
    board = (rng.randint(0, 50), rng.randint(0, 50), rng.randint(0, 50))
    return Scene(columns, rows, board, tuple(map(_thing, [rng] * number, [split] * number, digits, colors, cells)))


def _thing(rng: random.Random, split: Split, digit: int, color: str, cell: int) -> Thing:
    size = rng.randint(22, 26)
    room = CELL - size
    shift = (rng.randint(0, room), rng.randint(0, room))
    return Thing(digit, color, cell, rng.choice(_scans_of(digit, split)), size, shift)


def _skewed_sample(rng: random.Random, number: int) -> list[int]:
    """Distinct digits; low ones are a little more frequent, so that "popular" means something."""
    return sorted(range(10), key=lambda digit: rng.random() ** (1 / (13 - digit)), reverse=True)[:number]


def paint(scene: Scene) -> Image.Image:
    """The scene as an RGB picture of columns·28 × rows·28 pixels."""
    canvas = np.empty((scene.rows * CELL, scene.columns * CELL, 3), dtype=np.float32)
    canvas[:] = scene.board
    for thing in scene.things:
        box = scene.box(thing)
        left, top = int(box.x1), int(box.y1)
        ink = _enlarged(thing.scan, thing.size)[:, :, None]
        patch = canvas[top : top + thing.size, left : left + thing.size]
        patch += ink * (np.array(COLORS[thing.color], np.float32) - patch)
    return Image.fromarray(np.rint(canvas).astype(np.uint8))


@cache
def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All scans, uint8[1797, 8, 8] of 0..255, and the digit each shows."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.rint(bunch.images * (255 / 16)).astype(np.uint8), bunch.target


@cache
def _scans_of(digit: int, split: Split) -> tuple[int, ...]:
    indices = np.flatnonzero(_digits()[1] == digit)
    return tuple(int(index) for rank, index in enumerate(indices) if (rank % 4 == 3) == (split == "test"))


@cache
def _enlarged(scan: int, size: int) -> NDArray[np.float32]:
    """A scan as float32[size, size] ink of 0..1."""
    image = Image.fromarray(_digits()[0][scan]).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32) / np.float32(255)
