"""Visual prompts on a white picture."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vertebra.errors import UnknownName
from vertebra.visual.marks import COLOURS, Box, Mark, constant_rectangle, draw, random_rectangle

corner = st.floats(-1e9, 1e9)


def white(width: int = 336, height: int = 336) -> Image.Image:
    return Image.new("RGB", (width, height), "white")


def marked(image: Image.Image) -> np.ndarray:
    return (np.asarray(image) != 255).any(axis=-1)


def test_half_transparent_red_on_white_leaves_half_of_the_other_channels():
    pixel = draw(white(), [constant_rectangle(Box(50, 60, 150, 160), "red")]).getpixel((50, 60))
    assert pixel == (255, 127, 127)


@pytest.mark.parametrize(("side", "pixels"), [(336, 3), (672, 6), (500, 4), (100, 1), (10, 1)])
def test_the_constant_width_is_three_336ths_of_the_longer_side_floored_to_at_least_one(side, pixels):
    box = Box(side * 0.1, side * 0.1, side * 0.4, side * 0.9)
    row = marked(draw(white(side // 2, side), [constant_rectangle(box, "blue")]))[side // 2]
    assert row.sum() == 2 * pixels


def test_only_the_outline_is_drawn():
    assert not marked(draw(white(), [constant_rectangle(Box(50, 50, 150, 150), "lime")]))[60:140, 60:140].any()


def test_later_marks_lie_on_top():
    box = Box(50, 50, 150, 150)
    opaque = [Mark("rectangle", box, COLOURS[name], 3, 255) for name in ("red", "blue")]
    assert draw(white(), opaque).getpixel((50, 50)) == (0, 0, 255)


def test_the_picture_itself_is_not_changed():
    image = white()
    draw(image, [constant_rectangle(Box(50, 50, 150, 150), "red")])
    assert not marked(image).any()


@given(x1=corner, y1=corner, x2=corner, y2=corner, width=st.integers(1, 90), height=st.integers(1, 90))
def test_any_box_leaves_a_mark_inside_the_picture(x1, y1, x2, y2, width, height):
    image = draw(white(width, height), [constant_rectangle(Box(x1, y1, x2, y2), "red")])
    assert (image.mode, image.size) == ("RGB", (width, height))
    assert marked(image).any()


@given(seed=st.integers(0, 10_000), side=st.integers(1, 3_000))
def test_random_rectangles_are_two_to_eight_336ths_wide_and_96_to_255_opaque(seed, side):
    mark = random_rectangle(Box(0, 0, 9, 9), (1, 2, 3), (side, 1), random.Random(seed))
    drawn = max(1, int(mark.width * side / 336))
    assert max(1, int(2 * side / 336)) <= drawn <= max(1, int(8 * side / 336))
    assert 96 <= mark.alpha <= 255


def test_random_rectangles_take_every_width_of_their_range():
    rng = random.Random(0)
    widths = {int(random_rectangle(Box(0, 0, 9, 9), (1, 2, 3), (336, 336), rng).width) for _ in range(200)}
    assert widths == {2, 3, 4, 5, 6, 7, 8}


def test_the_nine_named_colours_are_those_of_vip_llava():
    assert list(COLOURS) == ["red", "lime", "blue", "yellow", "fuchsia", "aqua", "orange", "purple", "gold"]


def test_an_unknown_colour_or_kind_is_named_with_the_one_probably_meant():
    with pytest.raises(UnknownName, match="'lime'"):
        constant_rectangle(Box(0, 0, 1, 1), "line")
    with pytest.raises(UnknownName, match="'rectangle'"):
        draw(white(), [Mark("rectangel", Box(0, 0, 1, 1), (0, 0, 0), 3, 255)])
