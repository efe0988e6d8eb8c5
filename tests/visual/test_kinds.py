"""Every kind of mark against the published sizes, places and odds (arXiv:2312.00784's code; k is a 336th of the side).

10,000 marks a kind are drawn on real layers; what each call to Pillow was given is looked at.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy import stats

from vertebra.visual.kinds import KINDS, Brush
from vertebra.visual.marks import COLOURS, Mark, layer, random_mark
from vertebra.visual.regions import Box, Region, inside, outlined, region

DRAWS = 10_000
SIZE = (672, 504)
K = 2
BOX = region((200, 150, 400, 250))
L_SHAPE = outlined([[(200, 150), (400, 150), (400, 180), (230, 180), (230, 350), (200, 350)]])
WIDTHS = {"rectangle": (2, 8), "ellipse": (2, 8), "triangle": (2, 8), "scribble": (2, 12), "arrow": (1, 6)}


@pytest.fixture
def calls(monkeypatch):
    """What the pens were asked to draw: (method, coordinates, options)."""
    seen: list[tuple[str, Any, dict[str, Any]]] = []

    class Pen(ImageDraw.ImageDraw):
        pass

    for name in ("rectangle", "ellipse", "line", "polygon"):

        def method(self, xy, *args, _name=name, **options):
            seen.append((_name, xy, options))
            getattr(ImageDraw.ImageDraw, _name)(self, xy, *args, **options)

        setattr(Pen, name, method)
    monkeypatch.setattr("vertebra.visual.kinds.ImageDraw.Draw", Pen)
    return seen


@pytest.fixture
def drawn(calls):
    """Draws a kind many times; the calls of each time."""

    def drawn(kind: str, where: Region = BOX, number: int = DRAWS, size: tuple[int, int] = (84, 63)) -> Iterator[Any]:
        scaled = _scaled(where, size[0] / SIZE[0])
        for seed in range(number):
            calls.clear()
            layer(Mark(kind, scaled, (0, 0, 0), 255, seed), size)
            yield [*calls]

    return drawn


def _scaled(where: Region, scale: float) -> Region:
    shapes = tuple(tuple((x * scale, y * scale) for x, y in shape) for shape in where.polygons)
    return Region(Box(*(side * scale for side in where.box)), shapes)


def is_uniform(values: list[float], low: float, high: float) -> bool:
    return stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4


def is_even(counts: Counter[int], low: int, high: int) -> bool:
    assert set(counts) == set(range(low, high + 1))
    return stats.chisquare([*counts.values()]).pvalue > 1e-4


@pytest.mark.parametrize("kind", WIDTHS)
def test_lines_are_of_every_published_width_alike(drawn, kind):
    low, high = WIDTHS[kind]
    widths = Counter(call[0][2]["width"] for call in drawn(kind, size=SIZE, number=2000))
    assert is_even(widths, low * K, high * K)


def test_an_ellipse_is_around_the_middle_and_up_to_half_as_large_again(drawn):
    scales = []
    for ((_, (x1, y1, x2, y2), _),) in drawn("ellipse"):
        scales.append((x2 - x1) / 25)
        assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((37.5, 25))
        assert (x2 - x1) / (y2 - y1) == pytest.approx(2)
    assert is_uniform(scales, 1, 1.5)


def test_an_ellipse_is_around_all_outlines_where_there_are_any(drawn):
    ((_, (x1, y1, x2, y2), _),) = next(drawn("ellipse", L_SHAPE, 1))
    assert (x2 - x1) == pytest.approx(y2 - y1)


def test_a_triangle_has_its_corners_in_the_region_and_no_angle_over_150_degrees(drawn):
    outside = 0
    for ((_, corners, options),) in drawn("triangle", L_SHAPE):
        first, second, third, again, on = corners
        assert (again, on) == (first, second)
        assert options["joint"] == "curve"
        assert max(_angles(first, second, third)) <= 150 + 1e-6
        shape = _scaled(L_SHAPE, 1 / 8).polygons[0]
        outside += sum(not inside(corner, shape) for corner in (first, second, third))
    assert outside == 0  # 45 % of the box are in it: fifty misses in a row do not happen


def _angles(*corners: tuple[float, float]) -> list[float]:
    found = []
    for at in range(3):
        a, b, c = (np.array(corners[(at + turn) % 3]) for turn in range(3))
        cosine = np.dot(b - a, c - a) / np.linalg.norm(b - a) / np.linalg.norm(c - a)
        found.append(math.degrees(math.acos(min(1, max(-1, cosine)))))
    return found


def test_a_point_lies_about_the_middle_with_a_variance_of_an_eighth_of_the_side(drawn):
    xs, ys = [], []
    for ((_, (x1, y1, x2, y2), _),) in drawn("point"):
        xs.append((x1 + x2) / 2)
        ys.append((y1 + y2) / 2)
    assert stats.kstest(xs, stats.norm(37.5, math.sqrt(25 / 8)).cdf).pvalue > 1e-4
    assert stats.kstest(ys, stats.norm(25, math.sqrt(12.5 / 8)).cdf).pvalue > 1e-4


def test_half_of_the_points_are_round_and_the_others_up_to_four_times_as_long_as_wide(drawn):
    aspects, radii = [], Counter()
    for ((_, (x1, y1, x2, y2), _),) in drawn("point", size=SIZE, number=4000):
        across, down = (x2 - x1) / 2, (y2 - y1) / 2
        radii[round(math.sqrt(across * down))] += 1
        aspects.append(round(math.sqrt(across / down), 9))
    assert is_even(radii, 5 * K, 20 * K)
    odd = [aspect for aspect in aspects if aspect != 1]
    assert stats.binomtest(len(odd), len(aspects)).pvalue > 1e-4
    assert is_uniform(odd, 0.5, 2)


def test_the_constant_point_is_round_and_of_radius_8(calls):
    layer(Mark("point", BOX, (0, 0, 0), 255, 1, constant=True), SIZE)
    ((_, (x1, y1, x2, y2), _),) = calls
    assert (x2 - x1, y2 - y1) == pytest.approx((32, 32))


def test_a_scribble_stays_in_the_hull_of_four_points_of_the_region(drawn):
    for ((_, curve, _),) in drawn("scribble", number=2000):
        assert len(curve) == 1000 * 84 // 336
        assert all(25 <= x <= 50 and 18.75 <= y <= 31.25 for x, y in curve)


def test_the_curve_of_a_scribble_is_cubic(drawn):
    ((_, curve, _),) = next(drawn("scribble", number=1, size=SIZE))
    assert np.abs(np.diff(np.array(curve), n=4, axis=0)).max() < 1e-8
    assert np.abs(np.diff(np.array(curve), n=3, axis=0)).max() > 1e-8


def test_a_mask_fills_the_outlines_and_no_more():
    covered = np.asarray(layer(Mark("mask", L_SHAPE, (0, 0, 0), 77), SIZE))
    assert set(np.unique(covered)) == {0, 77}
    assert covered[160, 390] == covered[340, 210] == 77
    assert covered[300, 300] == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_contour_is_the_outline_at_every_shift_up_to_its_width(calls, seed):
    """As the published code draws it, one polygon for each shift."""
    found = layer(Mark("mask contour", L_SHAPE, (0, 0, 0), 255, seed), SIZE)
    reach = random.Random(seed).randint(K, 2 * K)
    slow = Image.new("L", SIZE)
    for right in range(-reach, reach + 1):
        for down in range(-reach, reach + 1):
            shape = [(x + right, y + down) for x, y in L_SHAPE.polygons[0]]
            ImageDraw.ImageDraw(slow).polygon(shape, outline=255)
    assert np.array_equal(np.asarray(found), np.asarray(slow))


def test_arrows_have_their_tip_in_the_middle_half_and_published_lengths_angles_and_heads(drawn):
    tips, angles, lengths, wobbling, filled = [], [], [], 0, 0
    for shaft, head in drawn("arrow"):
        tip, end = np.array(shaft[1][0]), np.array(shaft[1][-1])
        tips.append(((tip - (37.5, 25)) / (25, 12.5)).tolist())
        corners = [np.array(corner) for corner in head[1]]
        barbs = [corner for corner in corners if not np.array_equal(corner, tip)]
        assert len(barbs) == 2
        size = math.dist(tip, barbs[0])
        assert size == pytest.approx(math.dist(tip, barbs[1]))
        assert math.dist(*barbs) == pytest.approx(math.sqrt(3) * size)  # 60 degrees to each side
        middle = (barbs[0] + barbs[1]) / 2 - tip
        angles.append(math.atan2(middle[1], middle[0]) % (2 * math.pi))
        along = np.dot(end - tip, middle) / np.linalg.norm(middle)
        lengths.append(along + size)
        wobbling += len(shaft[1]) == 3
        filled += head[0] == "polygon"
    for axis in (0, 1):
        assert is_uniform([tip[axis] for tip in tips], -0.25, 0.25)
    assert is_uniform(angles, 0, 2 * math.pi)
    assert is_uniform(lengths, 10, 12)  # 0.8 of the shorter side to int(50 k) = 12 pixels
    for count in (wobbling, filled):
        assert stats.binomtest(count, DRAWS).pvalue > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_opacity_is_that_of_training(kind):
    low, high = (48, 128) if kind == "mask" else (96, 255)
    alphas = Counter(random_mark(kind, BOX, "red", random.Random(seed)).alpha for seed in range(DRAWS))
    assert is_even(alphas, low, high)


@pytest.mark.parametrize("kind", KINDS)
@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    corners=st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4),
)
def test_any_region_of_any_picture_can_be_marked(kind, seed, width, height, corners):
    found = layer(Mark(kind, Region(Box(*corners)), COLOURS["red"], 200, seed), (width, height))
    assert (found.mode, found.size) == ("L", (width, height))
    assert set(np.unique(np.asarray(found))) <= {0, 200}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("corners", [(0, 0, 1, 1), (7, 5, 8, 6), (39, 29, 40, 30)])
def test_a_region_of_one_pixel_is_marked(kind, corners):
    marks = [layer(Mark(kind, region(corners), (0, 0, 0), 255, seed), (40, 30)) for seed in range(20)]
    assert all(found.getbbox() for found in marks)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_pixels_and_other_seeds_others(kind):
    drawn = [layer(Mark(kind, BOX, (0, 0, 0), 255, seed), SIZE).tobytes() for seed in (0, 1, 2, 3, 0)]
    assert drawn[0] == drawn[-1]
    assert (len(set(drawn)) == 1) == (kind == "mask")


def test_chance_comes_from_the_brush_alone():
    state = random.getstate()
    for kind in KINDS.values():
        kind(Brush(Image.new("L", (40, 30)), region((3, 4, 30, 20)), 255, False, None, random.Random(0)))
    assert random.getstate() == state
