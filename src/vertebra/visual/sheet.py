"""A contact sheet: one picture, every kind of mark on a region of it, several draws of each.

Sheet of 8 rows (kinds) × 4 columns (seeds), each cell the picture with one mark, labelled.
"""

import random
from collections.abc import Sequence

from PIL import Image, ImageDraw

from vertebra.visual.kinds import KINDS
from vertebra.visual.marks import COLOURS, draw, random_mark
from vertebra.visual.regions import Polygon, Region, outlined

_CELL, _LABEL, _GAP = (280, 210), 18, 8
_PAPER, _INK = (250, 250, 248), (30, 30, 30)


def contact_sheet(picture: Image.Image, region: Region, columns: int = 4, seed: int = 0) -> Image.Image:
    """Every kind of mark on a region of an RGB picture, `columns` draws of each, in the named colours by turns."""
    rng, cells = random.Random(seed), []
    for row, kind in enumerate(KINDS):
        for column in range(columns):
            name = [*COLOURS][(row * columns + column) % len(COLOURS)]
            cells.append((f"{kind} · {name}", draw(picture, [random_mark(kind, region, name, rng)])))
    return _laid_out(cells, columns)


def middle(size: tuple[int, int]) -> Region:
    """An egg-shaped region about the middle of a picture of this width and height."""
    width, height = size
    shape: Polygon = tuple(
        (width * (0.5 + 0.18 * x), height * (0.5 + 0.24 * y))
        for x, y in (
            (0, -1),
            (0.5, -0.9),
            (0.8, -0.45),
            (1, 0.2),
            (0.7, 0.8),
            (0, 1),
            (-0.8, 0.7),
            (-0.9, 0),
            (-0.6, -0.7),
        )
    )
    return outlined([shape])


def _laid_out(cells: Sequence[tuple[str, Image.Image]], columns: int) -> Image.Image:
    step = _CELL[0] + _GAP, _CELL[1] + _LABEL + _GAP
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * step[0] + _GAP, rows * step[1] + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, (label, picture) in enumerate(cells):
        x, y = _GAP + number % columns * step[0], _GAP + number // columns * step[1]
        pen.text((x, y), label, fill=_INK)
        small = picture.copy()
        small.thumbnail(_CELL)
        sheet.paste(small, (x, y + _LABEL))
    return sheet
