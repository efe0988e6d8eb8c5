"""Visual prompts: a region of a picture pointed out by drawing on it (ViP-LLaVA, arXiv:2312.00784, section 3).

    from vertebra.visual.marks import draw, random_mark
    picture = draw(Image.open("photo.jpg"), [random_mark("arrow", region((12, 20, 96, 88)), "red", Random(0))])

A mark is plain data; what chance decides about it follows from its own seed, so it is the same wherever it is drawn.
Marks are drawn at the picture's own size, before it is made square, each on a layer of its own, later ones on top.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from PIL import Image

from vertebra.errors import UnknownName
from vertebra.visual.images import RGB, rgb
from vertebra.visual.kinds import KINDS, Brush
from vertebra.visual.regions import Region


@dataclass(frozen=True, slots=True)
class Mark:
    """One region drawn in one colour."""

    kind: str
    """One of `KINDS`."""
    region: Region
    """Where it reaches beyond the picture, it is moved onto the border."""
    colour: RGB
    alpha: int
    """Opacity, 1 to 255."""
    seed: int = 0
    """Decides what is random about the kind: widths, places, angles."""
    constant: bool = False
    """The benchmarks' size instead of a random one, for the kinds that have it: rectangle and point."""
    width: float | None = None
    """Of lines, in 336ths of the picture's longer side, instead of the kind's own."""


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

_ALPHA = {"mask": (48, 128)}
_OPAQUE = (96, 255)
_HALF = 128


def draw(image: Image.Image, marks: Iterable[Mark]) -> Image.Image:
    """A picture of any mode with its marks, RGB; the picture itself stays as it is.

    `UnknownName` for a kind that `KINDS` does not have.
    """
    picture = rgb(image)
    if picture is image:
        picture = image.copy()
    for mark in marks:
        covered = layer(mark, picture.size)
        # Onto an opaque picture, pasting through a layer gives what Image.alpha_composite gives, and only where it is.
        if box := covered.getbbox():
            picture.paste(mark.colour, box, covered.crop(box))
    return picture


def layer(mark: Mark, size: tuple[int, int]) -> Image.Image:
    """What a mark covers of a picture of this width and height: mode L, 0 or its alpha."""
    if mark.kind not in KINDS:
        raise UnknownName("kind of mark", mark.kind, KINDS)
    blank = Image.new("L", size)
    region = mark.region.moved_onto(size)
    KINDS[mark.kind](Brush(blank, region, mark.alpha, mark.constant, mark.width, random.Random(mark.seed)))
    return blank


def random_mark(kind: str, region: Region, colour: str | RGB, rng: random.Random) -> Mark:
    """A mark as the training data have it: its size, place and opacity by chance.

    `UnknownName` for a colour that has no name, or a kind that there is none of.
    """
    if kind not in KINDS:
        raise UnknownName("kind of mark", kind, KINDS)
    alpha = rng.randint(*opacity(kind))
    return Mark(kind, region, _ink(colour), alpha, rng.getrandbits(32))


def constant_mark(kind: str, region: Region, colour: str | RGB, seed: int = 0) -> Mark:
    """A mark as the region benchmarks have it: one size (where the kind has one), half transparent.

    `UnknownName` as for `random_mark`.
    """
    if kind not in KINDS:
        raise UnknownName("kind of mark", kind, KINDS)
    return Mark(kind, region, _ink(colour), _HALF, seed, constant=True)


def opacity(kind: str) -> tuple[int, int]:
    """The faintest and the most opaque that training draws a kind, 1 to 255."""
    return _ALPHA.get(kind, _OPAQUE)


def random_colour(rng: random.Random) -> RGB:
    """Any colour, one that text has no name for."""
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def _ink(colour: str | RGB) -> RGB:
    if not isinstance(colour, str):
        return colour
    if colour not in COLOURS:
        raise UnknownName("colour", colour, COLOURS)
    return COLOURS[colour]
