"""Boxes and outlines."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.visual.regions import Box, Region, bounds, inside, outlined, point_in, region

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
side = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("box", "complaint"),
    [
        ((0, 0, 0, 5), "has no area"),
        ((3, 3, 3, 3), "has no area"),
        ((0, 0, float("nan"), 5), "no number"),
        ((0, 0, float("inf"), 5), "no number"),
    ],
)
def test_a_box_that_is_none_is_refused(box, complaint):
    with pytest.raises(ValueError, match=complaint):
        region(box)


def test_an_inverted_box_is_put_upright():
    assert region((30, 40, 10, 20)).box == (10, 20, 30, 40)


@pytest.mark.parametrize("polygons", [[], [[]], [[(0, 0), (1, 1)]]])
def test_outlines_that_enclose_nothing_are_refused(polygons):
    with pytest.raises(ValueError, match="no outline"):
        outlined(polygons)


def test_outlines_have_the_box_around_all_of_them():
    assert outlined([SQUARE, [(20, 5), (30, 5), (25, 40)]]).box == (0, 0, 30, 40)


@given(x=side, y=side)
def test_inside_a_square_is_between_its_sides(x, y):
    assert inside((x, y), SQUARE) == (0 <= x < 10 and 0 <= y < 10)


def test_points_are_spread_over_the_union_alike():
    far = tuple((x + 90, y) for x, y in SQUARE)
    rng = random.Random(0)
    points = [point_in((SQUARE, far), rng) for _ in range(2000)]
    assert all(inside(point, SQUARE) or inside(point, far) for point in points)
    assert 900 < sum(inside(point, far) for point in points) < 1100


def test_where_hardly_anything_is_inside_a_point_of_the_box_does():
    sliver = ((0.0, 0.0), (1000.0, 1000.0), (1000.0, 1000.001))
    x, y = point_in((sliver,), random.Random(0), tries=1)
    assert 0 <= x <= 1000
    assert 0 <= y <= 1001


@given(corners=st.tuples(side, side, side, side), width=st.integers(1, 500), height=st.integers(1, 500))
def test_moved_onto_a_picture_every_corner_is_a_pixel_of_it(corners, width, height):
    x1, y1, x2, y2 = Region(Box(*corners)).moved_onto((width, height)).box
    assert 0 <= x1 <= x2 <= width - 1
    assert 0 <= y1 <= y2 <= height - 1


@pytest.mark.parametrize(
    ("box", "misses"),
    [((-5, 0, 0, 5), True), ((-5, 0, 1, 5), False), ((39, 0, 60, 5), False), ((40, 0, 60, 5), True)],
)
def test_a_box_beside_the_picture_misses_it(box, misses):
    assert Box(*box).misses((40, 30)) == misses


@given(st.lists(st.tuples(side, side), min_size=1))
def test_bounds_touch_every_side(points):
    box = bounds(points)
    assert all(box.x1 <= x <= box.x2 and box.y1 <= y <= box.y2 for x, y in points)
    assert {box.x1, box.x2} <= {x for x, _ in points}
