"""A contact sheet: every kind of mark on one region of one picture, a row each, from its faintest to its most opaque.

    sheet = contact_sheet(*flower())                                              1,448 × 2,152 pixels
    sheet = contact_sheet(Image.open("photo.jpg"), region((12, 20, 96, 88)))

Marks are drawn as training draws them, on the picture at its own size, here without its colours so that all of theirs
show; then its part around the region is cut out. A dotted line tells where the region is.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from vertebra.visual.images import read_image, rgb
from vertebra.visual.kinds import KINDS
from vertebra.visual.marks import COLOURS, draw, opacity, random_mark
from vertebra.visual.regions import Box, Polygon, Region, outlined

_CELL, _GAP, _EDGE, _SIDE, _CAPTION = (300, 225), 16, 24, 152, 24
_PAPER, _INK, _FAINT = (250, 250, 248), (34, 34, 34), (120, 120, 116)
_PETALS: Polygon = (
    *((315, 85), (345, 92), (380, 103), (405, 118), (425, 140), (433, 170), (445, 205), (444, 240), (432, 270)),
    *((420, 300), (405, 325), (375, 345), (330, 359), (290, 357), (250, 351), (215, 330), (195, 305), (178, 275)),
    *((171, 250), (170, 210), (176, 170), (188, 150), (205, 120), (235, 102), (270, 96), (290, 90)),
)


CLEAR = 9
"""A draw of which every kind is plain to see on the flower."""


class Scene(NamedTuple):
    """A picture, RGB, and a region of it."""

    picture: Image.Image
    region: Region


def flower() -> Scene:
    """scikit-learn's photo of a dahlia, and the flower in it."""
    found = find_spec("sklearn")  # where it is, without the seconds that importing it takes
    assert found and found.origin
    photo = Path(found.origin).parent / "datasets" / "images" / "flower.jpg"
    return Scene(read_image(photo), outlined([_PETALS]))


def middle(picture: Image.Image) -> Scene:
    """Any picture, and an egg-shaped region about its middle."""
    width, height = picture.size
    corners = ((0, -1), (0.5, -0.9), (0.8, -0.45), (1, 0.2), (0.7, 0.8), (0, 1), (-0.8, 0.7), (-0.9, 0), (-0.6, -0.7))
    egg: Polygon = tuple((width * (0.5 + 0.18 * x), height * (0.5 + 0.24 * y)) for x, y in corners)
    return Scene(picture, outlined([egg]))


def contact_sheet(picture: Image.Image, region: Region, columns: int = 4, seed: int = CLEAR) -> Image.Image:
    """Every kind of mark on a region of a picture, `columns` of each, evenly over its opacities; colours by turns."""
    rng, names = random.Random(seed), [*COLOURS]
    dotted = _dotted(rgb(picture).convert("L").convert("RGB"), region)
    window = _window(region.moved_onto(picture.size).bounds(), picture.size)
    sheet = Image.new("RGB", _size(columns), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for row, kind in enumerate(KINDS):
        y = _EDGE + row * (_CELL[1] + _CAPTION + _GAP)
        pen.text((_EDGE, y + _CELL[1] / 2), kind, _INK, ImageFont.load_default(21), "lm")
        for column, alpha in enumerate(_opacities(kind, columns)):
            x = _EDGE + _SIDE + column * (_CELL[0] + _GAP)
            name = names[(row * columns + column) % len(names)]
            mark = replace(random_mark(kind, region, name, rng), alpha=alpha)
            _place(sheet, draw(dotted, [mark]).crop(window), (x, y))
            told = f"{name}, {alpha / 255:.0%} opaque"
            pen.text((x + _CELL[0] / 2, y + _CELL[1] + 4), told, _FAINT, ImageFont.load_default(14), "ma")
    return sheet


def _size(columns: int) -> tuple[int, int]:
    down = _CELL[1] + _CAPTION + _GAP
    return 2 * _EDGE + _SIDE + columns * (_CELL[0] + _GAP) - _GAP, 2 * _EDGE + len(KINDS) * down - _GAP


def _opacities(kind: str, columns: int) -> Iterator[int]:
    """From the faintest that training draws to the most opaque, 1 to 255."""
    low, high = opacity(kind)
    for column in range(columns):
        yield round(low + (high - low) * column / max(1, columns - 1))


def _window(around: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """What is shown of a picture: 4:3, the region in its middle with room to each side, as far as the picture goes."""
    down = min(max(1.5 * around.height, 1.5 * around.width * _CELL[1] / _CELL[0], 60), max(size))
    across = down * _CELL[0] / _CELL[1]
    spans = []
    for middle, wanted, side in zip(around.centre, (across, down), size, strict=True):
        length = min(max(1, round(wanted)), side)
        start = min(max(0, round(middle - length / 2)), side - length)
        spans.append((start, start + length))
    (left, right), (upper, lower) = spans
    return left, upper, right, lower


def _dotted(picture: Image.Image, region: Region) -> Image.Image:
    """A copy with the region's outlines dotted faintly, white and black by turns, so that they show on anything."""
    dotted = picture.copy()
    pen, dot = ImageDraw.Draw(dotted, "RGBA"), max(picture.size) / 1000
    for shape in region.moved_onto(picture.size).shapes():
        for number, (x, y) in enumerate(_walk(shape, 7 * dot)):
            shade = (0, 0, 0, 200) if number % 2 else (255, 255, 255, 200)
            pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=shade)
    return dotted


def _walk(shape: Polygon, step: float) -> Iterator[tuple[float, float]]:
    """Points along a closed outline, about `step` pixels apart."""
    for (x1, y1), (x2, y2) in zip(shape, (*shape[1:], shape[0]), strict=True):
        steps = max(1, round(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5 / step))
        for at in range(steps):
            yield x1 + (x2 - x1) * at / steps, y1 + (y2 - y1) * at / steps


def _place(sheet: Image.Image, shown: Image.Image, corner: tuple[int, int]) -> None:
    """Scaled into its cell, in the middle of it."""
    scale = min(_CELL[0] / shown.width, _CELL[1] / shown.height)
    width, height = max(1, round(shown.width * scale)), max(1, round(shown.height * scale))
    at = corner[0] + (_CELL[0] - width) // 2, corner[1] + (_CELL[1] - height) // 2
    sheet.paste(shown.resize((width, height), Image.Resampling.LANCZOS), at)
