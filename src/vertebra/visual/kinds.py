"""The kinds of marks: how each is drawn on a layer that is as large as the picture (arXiv:2312.00784, section 3.1).

A kind is one function. Sizes are in 336ths of the picture's longer side, as ViP-LLaVA's published code has them
(https://github.com/mu-cai/ViP-LLaVA), whole pixels when drawn. All chance comes from the brush's own `rng`.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vertebra.visual.regions import Point, Polygon, Region, bounds, inside, point_in

GRAIN = 336
"""Pixels a side of the vision tower's input in ViP-LLaVA; sizes are in this fraction of the longer side."""


@dataclass(frozen=True, slots=True)
class Brush:
    """Where and how one mark is drawn."""

    layer: Image.Image
    """Of mode L, transparent (0) where nothing is drawn."""
    region: Region
    """Within the picture."""
    alpha: int
    """What is drawn into the layer, 1 to 255."""
    constant: bool
    """One size, that of the benchmarks, instead of a random one."""
    width: float | None
    """Of lines, in 336ths, where it is not the kind's own."""
    rng: random.Random

    @property
    def pen(self) -> ImageDraw.ImageDraw:
        """What draws on the layer."""
        return ImageDraw.Draw(self.layer)

    def pixels(self, size: float) -> int:
        """So many 336ths of the longer side in whole pixels, rounded down."""
        return int(size * max(self.layer.size) / GRAIN)

    def line(self, low: float, high: float) -> int:
        """The width of a line in pixels, uniform between two sizes unless one is given."""
        if self.width is not None:
            return max(1, self.pixels(self.width))
        return max(1, self.rng.randint(self.pixels(low), self.pixels(high)))


def rectangle(brush: Brush) -> None:
    """The outline of the box."""
    width = max(1, brush.pixels(3)) if brush.constant and brush.width is None else brush.line(2, 8)
    brush.pen.rectangle(brush.region.box, outline=brush.alpha, width=width)


def ellipse(brush: Brush) -> None:
    """An outline around the region, up to half as large again."""
    around, scale = brush.region.bounds(), brush.rng.uniform(1, 1.5)
    (x, y), across, down = around.centre, around.width * scale / 2, around.height * scale / 2
    corners = (x - across, y - down, x + across, y + down)
    brush.pen.ellipse(corners, outline=brush.alpha, width=brush.line(2, 8))


def triangle(brush: Brush) -> None:
    """Three points of the region joined, none of the angles wider than 150 degrees."""
    shapes = brush.region.shapes()
    for _ in range(_TRIES):
        corners = [point_in(shapes, brush.rng) for _ in range(3)]
        if _widest_angle(corners) <= 150:
            break
    brush.pen.line([*corners, *corners[:2]], fill=brush.alpha, width=brush.line(2, 8), joint="curve")


def point(brush: Brush) -> None:
    """A filled dot or oval near the middle of one of the region's parts."""
    rng, shape = brush.rng, brush.rng.choice(brush.region.shapes())
    around = bounds(shape)
    (x, y), spread = around.centre, (math.sqrt(around.width / 8), math.sqrt(around.height / 8))
    for _ in range(10):
        centre = rng.gauss(x, spread[0]), rng.gauss(y, spread[1])
        if inside(centre, shape):
            break
    radius = max(1, brush.pixels(8) if brush.constant else rng.randint(brush.pixels(5), brush.pixels(20)))
    aspect = 1.0 if brush.constant or rng.random() < 0.5 else rng.uniform(0.5, 2)
    across, down = radius * aspect, radius / aspect
    corners = (centre[0] - across, centre[1] - down, centre[0] + across, centre[1] + down)
    brush.pen.ellipse(corners, fill=brush.alpha)


def scribble(brush: Brush) -> None:
    """A cubic Bézier curve whose four control points lie in one of the region's parts."""
    shape = brush.rng.choice(brush.region.shapes())
    knots = np.array([point_in((shape,), brush.rng) for _ in range(4)])
    t = np.linspace(0, 1, max(2, brush.pixels(1000)))[:, None]
    weights = np.hstack([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3])
    brush.pen.line([(x, y) for x, y in (weights @ knots).tolist()], fill=brush.alpha, width=brush.line(2, 12))


def mask(brush: Brush) -> None:
    """The region itself, filled."""
    for shape in brush.region.shapes():
        brush.pen.polygon(shape, fill=brush.alpha)


def mask_contour(brush: Brush) -> None:
    """The region's outlines, drawn at every shift of up to a width to each side."""
    reach, around = brush.line(1, 2), brush.region.bounds()
    # Room for two shifts to each side, and a pixel for Pillow's rounding.
    left, upper = int(around.x1) - 2 * reach, int(around.y1) - 2 * reach
    outline = Image.new("L", (int(around.x2) + 2 * reach + 2 - left, int(around.y2) + 2 * reach + 2 - upper))
    pen = ImageDraw.Draw(outline)
    for shape in brush.region.shapes():
        pen.polygon([(x - left, y - upper) for x, y in shape], outline=255)
    if outline.getbbox() is None:  # of a single pixel Pillow draws no polygon
        outline.putpixel((2 * reach, 2 * reach), 255)
    spread = _spread(np.asarray(outline), 2 * reach + 1) > 0
    stamp = Image.fromarray(np.where(spread, np.uint8(brush.alpha), np.uint8(0)))
    brush.layer.paste(stamp, (left + reach, upper + reach))


def arrow(brush: Brush) -> None:
    """An arrow from anywhere, its tip in the middle half of the box."""
    rng, box = brush.rng, brush.region.box
    (x, y), across, down = box.centre, box.width, box.height
    tip = x + rng.uniform(-0.25, 0.25) * across, y + rng.uniform(-0.25, 0.25) * down
    angle = rng.uniform(0, 2 * math.pi)
    length = rng.uniform(0.8 * min(across, down), max(brush.pixels(50), 1))
    head = max(rng.uniform(0.2, 0.5) * length, brush.pixels(6))
    end = _from(tip, angle, length - head)
    shaft = [tip, end]
    if rng.random() < 0.5:
        bend = brush.pixels(1)
        middle = (tip[0] + end[0]) / 2 + rng.uniform(-5, 5) * bend, (tip[1] + end[1]) / 2 + rng.uniform(-5, 5) * bend
        shaft = [tip, middle, end]
    width, pen = brush.line(1, 6), brush.pen
    barbs = [_from(tip, angle + side * math.pi / 3, head) for side in (-1, 1)]
    pen.line(shaft, fill=brush.alpha, width=width)
    if rng.random() < 0.5:
        pen.polygon([tip, *barbs], fill=brush.alpha)
    else:
        pen.line([barbs[0], tip, barbs[1]], fill=brush.alpha, width=width)


KINDS: Mapping[str, Callable[[Brush], None]] = {
    kind.__name__.replace("_", " "): kind
    for kind in (rectangle, ellipse, triangle, point, scribble, mask, mask_contour, arrow)
}
"""By the name that text uses."""

_TRIES = 50


def _from(start: Point, angle: float, length: float) -> Point:
    return start[0] + length * math.cos(angle), start[1] + length * math.sin(angle)


def _widest_angle(corners: Polygon | Sequence[Point]) -> float:
    """In degrees; 180 where two corners are one."""
    a, b, c = (math.dist(corners[one], corners[two]) for one, two in ((1, 2), (0, 2), (0, 1)))
    longest, rest = max(a, b, c), sorted((a, b, c))[:2]
    sides = 2 * rest[0] * rest[1]
    if sides == 0:
        return 180.0
    cosine = (rest[0] ** 2 + rest[1] ** 2 - longest**2) / sides
    return math.degrees(math.acos(min(1.0, max(-1.0, cosine))))


def _spread(drawn: np.ndarray, size: int) -> np.ndarray:
    """Of every window of size × size pixels, whether any is drawn: one axis after the other, windows doubled."""
    for _ in range(2):
        reached = 1
        while reached < size:
            step = min(reached, size - reached)
            drawn = drawn[step:] | drawn[:-step]
            reached += step
        drawn = drawn.T
    return drawn
