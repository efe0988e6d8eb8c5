"""Parts of a picture: a box and, where they are known, outlines, in pixels of the picture as it is stored.

Region(Box(12.0, 20.0, 96.5, 88.0))
outlined([[(12, 20), (96, 20), (54, 88)]])     its box is that of all its outlines
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

Point = tuple[float, float]
Polygon = tuple[Point, ...]


class Box(NamedTuple):
    """Corners in pixels of the original picture; may be inverted or reach beyond the border."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """In pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """In pixels."""
        return self.y2 - self.y1

    @property
    def centre(self) -> Point:
        """In pixels."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def upright(self) -> "Box":
        """The same box, its corners in order."""
        (x1, x2), (y1, y2) = sorted((self.x1, self.x2)), sorted((self.y1, self.y2))
        return Box(x1, y1, x2, y2)

    def misses(self, size: tuple[int, int]) -> bool:
        """Whether no part of it lies on a picture of this width and height."""
        x1, y1, x2, y2 = self.upright()
        return x2 <= 0 or y2 <= 0 or x1 >= size[0] or y1 >= size[1]

    def moved_onto(self, size: tuple[int, int]) -> "Box":
        """Its corners in order and moved onto the pixels of a picture of this width and height."""
        x1, y1, x2, y2 = self.upright()
        return Box(*_onto((x1, y1), size), *_onto((x2, y2), size))


@dataclass(frozen=True, slots=True)
class Region:
    """What a mark points out."""

    box: Box
    polygons: tuple[Polygon, ...] = ()
    """Closed outlines of at least three points, of which the region is the union; none where only its box is known."""

    def moved_onto(self, size: tuple[int, int]) -> "Region":
        """All its points moved onto the pixels of a picture of this width and height."""
        polygons = tuple(tuple(_onto(point, size) for point in polygon) for polygon in self.polygons)
        return Region(self.box.moved_onto(size), polygons)

    def bounds(self) -> Box:
        """The box around its outlines, or its box."""
        return bounds([point for polygon in self.polygons for point in polygon]) if self.polygons else self.box

    def shapes(self) -> tuple[Polygon, ...]:
        """Its outlines, or the corners of its box as the only one."""
        x1, y1, x2, y2 = self.box
        return self.polygons or (((x1, y1), (x2, y1), (x2, y2), (x1, y2)),)


def region(box: Sequence[float]) -> Region:
    """The region of a box (x1, y1, x2, y2). `ValueError` for one without area or with corners that are no numbers."""
    found = Box(*map(float, box)).upright()
    if not all(map(math.isfinite, found)):
        raise ValueError(f"the box {list(box)} has a corner that is no number")
    if not (found.width > 0 and found.height > 0):
        raise ValueError(f"the box {list(box)} has no area")
    return Region(found)


def outlined(polygons: Sequence[Sequence[Point]]) -> Region:
    """The region inside any of some outlines. `ValueError` where none of them encloses anything."""
    if not all(math.isfinite(side) for polygon in polygons for point in polygon for side in point):
        raise ValueError("an outline has a corner that is no number")
    closed = tuple(tuple(polygon) for polygon in polygons if len(polygon) >= 3)
    if not closed:
        raise ValueError("there is no outline of at least three points")
    return Region(bounds([point for polygon in closed for point in polygon]), closed)


def bounds(points: Sequence[Point]) -> Box:
    """The smallest box around some points."""
    xs, ys = zip(*points, strict=True)
    return Box(min(xs), min(ys), max(xs), max(ys))


def inside(point: Point, polygon: Polygon) -> bool:
    """Whether a point lies in a polygon, by the parity of the edges that a ray to the right crosses."""
    x, y = point
    odd = False
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            odd = not odd
    return odd


def point_in(polygons: Sequence[Polygon], rng: random.Random, tries: int = 50) -> Point:
    """A uniform point of their union; after so many misses, of the box around them."""
    around = bounds([point for polygon in polygons for point in polygon])
    for _ in range(tries):
        point = rng.uniform(around.x1, around.x2), rng.uniform(around.y1, around.y2)
        if any(inside(point, polygon) for polygon in polygons):
            return point
    return rng.uniform(around.x1, around.x2), rng.uniform(around.y1, around.y2)


def _onto(point: Point, size: tuple[int, int]) -> Point:
    return min(max(point[0], 0), size[0] - 1), min(max(point[1], 0), size[1] - 1)
