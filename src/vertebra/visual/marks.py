"""Visual prompts: a region of a picture pointed out by drawing on it (ViP-LLaVA, arXiv:2312.00784, section 3).

    Mark("rectangle", Box(12.0, 20.0, 96.5, 88.0), COLOURS["red"], width=3, alpha=128)

A width is given in 336ths of the picture's longer side, so that a mark looks alike on the 336 pixels that the vision
tower sees; it is floored to whole pixels, at least one, when drawn. A kind of mark is a function in `KINDS`.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image, ImageDraw

from vertebra.errors import UnknownName
from vertebra.visual.images import RGB


class Box(NamedTuple):
    """Corners in pixels of the original picture; may be empty, inverted or reach beyond the border."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Mark:
    """One region drawn in one colour."""

    kind: str
    box: Box
    colour: RGB
    width: float
    """Of the line, in 336ths of the picture's longer side."""
    alpha: int
    """Opacity, 0 to 255."""


COLOURS: Mapping[str, RGB] = {
    "red": (255, 0, 0),
    "lime": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "fuchsia": (255, 0, 255),
    "aqua": (0, 255, 255),
    "orange": (255, 165, 0),
    "purple": (128, 0, 128),
    "gold": (255, 215, 0),
}
"""The colours that text can name."""


def draw(image: Image.Image, marks: Iterable[Mark]) -> Image.Image:
    """The picture with its marks, RGB: each on a transparent layer of its own, later ones on top.

    `UnknownName` for a kind that `KINDS` does not have.
    """
    marks = tuple(marks)
    if not marks:
        return image
    canvas = image.convert("RGBA")
    for mark in marks:
        if mark.kind not in KINDS:
            raise UnknownName("kind of mark", mark.kind, KINDS)
        layer = Image.new("RGBA", canvas.size)
        width = max(1, int(mark.width * max(canvas.size) / GRAIN))
        KINDS[mark.kind](ImageDraw.Draw(layer), _inside(mark.box, canvas.size), (*mark.colour, mark.alpha), width)
        canvas.alpha_composite(layer)
    return canvas.convert("RGB")


def constant_rectangle(box: Box, colour: str) -> Mark:
    """The rectangle of the region benchmarks: a named colour, width 3, half transparent."""
    if colour not in COLOURS:
        raise UnknownName("colour", colour, COLOURS)
    return Mark("rectangle", box, COLOURS[colour], 3, 128)


def random_rectangle(box: Box, colour: RGB, image_size: tuple[int, int], rng: random.Random) -> Mark:
    """The rectangle of the training data: a width of 2 to 8, in whole pixels of this picture, opacity 96 to 255."""
    grain = max(image_size) / GRAIN
    pixels = rng.randint(int(2 * grain), int(8 * grain))
    # Half a pixel more, so that flooring gives these pixels whatever the rounding.
    return Mark("rectangle", box, colour, (pixels + 0.5) / grain, rng.randint(96, 255))


GRAIN = 336
"""Pixels a side of the vision tower's input in ViP-LLaVA, the unit of widths."""

Ink = tuple[int, int, int, int]
Kind = Callable[[ImageDraw.ImageDraw, Box, Ink, int], None]


def _rectangle(draw: ImageDraw.ImageDraw, box: Box, ink: Ink, width: int) -> None:
    draw.rectangle(box, outline=ink, width=width)


KINDS: Mapping[str, Kind] = {"rectangle": _rectangle}
"""How each kind of mark is drawn on a transparent layer: its box (in order, inside the picture), ink, pixels wide."""


def _inside(box: Box, size: tuple[int, int]) -> Box:
    """The box with its corners in order, moved onto the picture's pixels."""
    (left, right), (upper, lower) = sorted((box.x1, box.x2)), sorted((box.y1, box.y2))
    width, height = size[0] - 1, size[1] - 1
    return Box(
        min(max(left, 0), width), min(max(upper, 0), height), min(max(right, 0), width), min(max(lower, 0), height)
    )
