"""The contact sheet: every kind, told apart, whatever the picture."""

import numpy as np
import pytest
from PIL import Image

from vertebra.visual.kinds import KINDS
from vertebra.visual.marks import Mark, layer
from vertebra.visual.regions import Region, inside, region
from vertebra.visual.sheet import CLEAR, Scene, contact_sheet, flower, middle


@pytest.fixture(scope="module")
def sheet():
    return contact_sheet(*flower())


def rows_of(sheet: Image.Image) -> list[np.ndarray]:
    """Each kind's strip of pictures, without what is written."""
    step, first = 225 + 24 + 16, 24
    pixels = np.asarray(sheet)
    return [pixels[first + row * step : first + row * step + 225, 24 + 152 :] for row in range(len(KINDS))]


def coloured(strip: np.ndarray) -> np.ndarray:
    """Where it is not grey."""
    return np.ptp(strip.astype(int), axis=-1) > 40


def test_every_cell_of_every_kind_shows_a_colour(sheet):
    for kind, strip in zip(KINDS, rows_of(sheet), strict=True):
        for column in range(4):
            cell = strip[:, column * 316 : column * 316 + 300]
            assert coloured(cell).sum() > 60, (kind, column)


def test_marks_are_drawn_in_the_named_colours_by_turns(sheet):
    assert (np.asarray(sheet) == (255, 255, 0)).all(axis=-1).any()
    assert (np.asarray(sheet) == (128, 0, 128)).all(axis=-1).any()


def test_the_faintest_comes_first_and_the_most_opaque_last():
    scene = Scene(Image.new("RGB", (400, 300), "white"), region((100, 75, 300, 225)))
    rectangle = rows_of(contact_sheet(*scene))[0].reshape(-1, 3)
    assert (rectangle == (255, 159, 159)).all(axis=-1).any()  # red at 96 of 255
    assert (rectangle == (255, 255, 0)).all(axis=-1).any()  # yellow at 255


def test_the_same_seed_gives_the_same_sheet(sheet):
    assert contact_sheet(*flower(), seed=CLEAR).tobytes() == sheet.tobytes()
    assert contact_sheet(*flower(), seed=CLEAR + 1).tobytes() != sheet.tobytes()


def test_the_middle_half_of_the_flower_s_box_where_arrows_end_is_in_the_flower():
    _, found = flower()
    (x, y), across, down = found.bounds().centre, found.bounds().width / 4, found.bounds().height / 4
    corners = [(x + right * across, y + below * down) for right in (-1, 1) for below in (-1, 1)]
    assert all(inside(corner, found.polygons[0]) for corner in corners)


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (1000, 100), (60, 420), (500, 500)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_picture_of_any_size_and_mode_will_do(size, mode):
    picture = Image.new(mode, size, "white")
    found = contact_sheet(*middle(picture), columns=2)
    assert (found.mode, found.size) == ("RGB", (2 * 24 + 152 + 2 * 316 - 16, 2 * 24 + 8 * 265 - 16))
    assert all(coloured(strip).any() for strip in rows_of(found))


def test_the_picture_stays_as_it_is():
    picture, where = flower()
    before = picture.tobytes()
    contact_sheet(picture, where)
    assert picture.tobytes() == before


def test_the_egg_lies_in_the_picture():
    picture, egg = middle(Image.new("RGB", (200, 100)))
    assert egg == Region(egg.bounds(), egg.polygons)
    assert egg.moved_onto(picture.size) == egg
    assert layer(Mark("mask", egg, (0, 0, 0), 255), picture.size).getpixel((100, 50)) == 255
