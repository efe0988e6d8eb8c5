"""Visual prompts on pictures of every sort."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vertebra.errors import UnknownName
from vertebra.visual.images import read_image
from vertebra.visual.kinds import KINDS
from vertebra.visual.marks import COLOURS, Mark, constant_mark, draw, layer, random_colour, random_mark
from vertebra.visual.regions import Box, Region, region

PHOTOS = Path(__file__).parents[2].parent / "shared" / "data" / "images"
SQUARE = region((50, 50, 150, 150))
corner = st.floats(-1e9, 1e9)


def white(width: int = 336, height: int = 336) -> Image.Image:
    return Image.new("RGB", (width, height), "white")


def marked(image: Image.Image) -> np.ndarray:
    return (np.asarray(image) != 255).any(axis=-1)


def test_half_transparent_red_on_white_leaves_half_of_the_other_channels():
    pixel = draw(white(), [constant_mark("rectangle", SQUARE, "red")]).getpixel((50, 60))
    assert pixel == (255, 127, 127)


@pytest.mark.parametrize(("side", "pixels"), [(336, 3), (672, 6), (500, 4), (100, 1), (10, 1)])
def test_the_constant_width_is_three_336ths_of_the_longer_side_floored_to_at_least_one(side, pixels):
    where = region((side * 0.1, side * 0.1, side * 0.4, side * 0.9))
    row = marked(draw(white(side // 2, side), [constant_mark("rectangle", where, "blue")]))[side // 2]
    assert row.sum() == 2 * pixels


def test_a_width_of_one_s_own_goes_before_the_kind_s():
    mark = Mark("rectangle", SQUARE, (0, 0, 0), 255, width=11)
    assert marked(draw(white(), [mark]))[100].sum() == 22


def test_only_the_outline_is_drawn():
    assert not marked(draw(white(), [constant_mark("rectangle", SQUARE, "lime")]))[60:140, 60:140].any()


def test_later_marks_lie_on_top():
    opaque = [Mark("rectangle", SQUARE, COLOURS[name], 255, constant=True) for name in ("red", "blue")]
    assert draw(white(), opaque).getpixel((50, 50)) == (0, 0, 255)


@pytest.mark.parametrize("alpha", [48, 96, 128, 200, 255])
def test_a_layer_is_laid_on_as_alpha_composite_does(alpha):
    """Every value of a channel under every value of a colour."""
    under = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)[None]
    picture = Image.fromarray(under)
    for value in range(256):
        ink = (value, 255 - value, value)
        ours = picture.copy()
        ours.paste(ink, mask=Image.new("L", picture.size, alpha))
        theirs = Image.alpha_composite(picture.convert("RGBA"), Image.new("RGBA", picture.size, (*ink, alpha)))
        assert np.array_equal(np.asarray(ours), np.asarray(theirs.convert("RGB")))


@pytest.mark.parametrize("marks", [[], [constant_mark("rectangle", SQUARE, "red")]])
def test_the_picture_itself_is_not_changed(marks):
    image = white()
    drawn = draw(image, marks)
    drawn.putpixel((0, 0), (1, 2, 3))
    assert not marked(image).any()


@given(x1=corner, y1=corner, x2=corner, y2=corner, width=st.integers(1, 90), height=st.integers(1, 90))
def test_any_box_leaves_a_mark_inside_the_picture(x1, y1, x2, y2, width, height):
    image = draw(white(width, height), [constant_mark("rectangle", Region(Box(x1, y1, x2, y2)), "red")])
    assert (image.mode, image.size) == ("RGB", (width, height))
    assert marked(image).any()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_a_picture_of_any_mode_is_drawn_on(mode):
    image = Image.new("L", (60, 40), 200).convert(mode) if mode != "I;16" else Image.new(mode, (60, 40), 51_400)
    drawn = draw(image, [Mark("mask", region((10, 10, 30, 30)), (255, 0, 0), 255)])
    assert (drawn.mode, drawn.getpixel((20, 20))) == ("RGB", (255, 0, 0))
    elsewhere = image.convert("RGB").getpixel((50, 5)) if mode != "I;16" else (200, 200, 200)
    assert drawn.getpixel((50, 5)) == elsewhere


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photos are not here")
@pytest.mark.parametrize("kind", KINDS)
def test_every_shared_photo_is_drawn_on(kind):
    for path in sorted(path for path in PHOTOS.rglob("*") if path.suffix.lower() in (".jpg", ".png", ".webp", ".gif")):
        image = read_image(path)
        where = region((image.width * 0.2, image.height * 0.2, image.width * 0.8, image.height * 0.8))
        drawn = draw(image, [random_mark(kind, where, "lime", random.Random(1))])
        assert (np.asarray(drawn) != np.asarray(image)).any(), path


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_picture_and_the_largest_are_drawn_on(kind):
    for side in (1, 8_000):
        found = layer(random_mark(kind, region((0, 0, side, side / 2)), "red", random.Random(3)), (side, side))
        assert found.getbbox()


def test_the_nine_named_colours_are_those_of_vip_llava():
    assert list(COLOURS) == ["red", "lime", "blue", "yellow", "fuchsia", "aqua", "orange", "purple", "gold"]


def test_a_colour_without_a_name_may_be_any():
    rng = random.Random(0)
    found = np.array([random_colour(rng) for _ in range(3000)])
    assert found.min(axis=0).tolist() == [0, 0, 0]
    assert found.max(axis=0).tolist() == [255, 255, 255]


@pytest.mark.parametrize("make", [constant_mark, lambda *mark: random_mark(*mark, random.Random(0))])
def test_an_unknown_colour_or_kind_is_named_with_the_one_probably_meant(make):
    with pytest.raises(UnknownName, match="'lime'"):
        make("rectangle", SQUARE, "line")
    with pytest.raises(UnknownName, match="'rectangle'"):
        make("rectangel", SQUARE, "red")


def test_an_unknown_kind_is_not_drawn():
    with pytest.raises(UnknownName, match="'rectangle'"):
        draw(white(), [Mark("rectangel", SQUARE, (0, 0, 0), 255)])
