"""The paper under the pictures: forms, marks, and text that keeps its place."""

import io
import re
from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from tests.report.drawn import every_form

from vertebra.report.sheet import DARK, LIGHT, Ink, Pen, Picture, mark_of, measure, wrap

DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
)
"""Of linear RGB, in full (Machado, Oliveira, Fernandes 2009)."""


def a_drawing(ink: Ink) -> Pen:
    pen = Pen(ink, height=2.0)
    pen.text(1, 1, "tiny-phi-3 on $POPE_2$", 10)
    pen.dot(2, 1, mark_of(ink, 0, 1))
    pen.line([(1, 1), (3, 1)], ink.text, 1, style=":")
    return pen


def linear(colour: str) -> np.ndarray:
    return np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)])


def test_a_pdf_has_its_letters_as_truetype_and_as_text_and_no_date() -> None:
    pdf = Picture(a_drawing, "a drawing").pdf
    assert pdf.startswith(b"%PDF-")
    assert b"/FontFile2" in pdf
    assert b"/ToUnicode" in pdf
    assert b"/Type3" not in pdf
    assert not re.search(rb"CreationDate|ModDate|Producer|Creator", pdf)


def test_the_same_drawing_gives_the_same_bytes_in_every_form() -> None:
    assert every_form(Picture(a_drawing, "a drawing")) == every_form(Picture(a_drawing, "a drawing"))


def test_a_dark_picture_is_on_dark_paper_and_the_others_on_white() -> None:
    drawn = Picture(a_drawing, "a drawing")
    assert DARK.paper.encode() in drawn.dark_svg
    assert LIGHT.paper.encode() in drawn.svg
    assert Image.open(io.BytesIO(drawn.png)).convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_the_settings_of_matplotlib_are_left_as_they_were() -> None:
    before = dict(matplotlib.rcParams)
    Picture(a_drawing, "a drawing")
    assert dict(matplotlib.rcParams) == before


def test_no_two_of_twenty_models_are_drawn_alike() -> None:
    assert len({mark_of(LIGHT, place) for place in range(20)}) == 20


def test_no_two_of_forty_backbones_in_eight_families_are_drawn_alike() -> None:
    assert len({mark_of(LIGHT, place, family) for place in range(40) for family in range(8)}) == 320


def test_a_backbone_keeps_colour_and_shape_through_the_families() -> None:
    marks = [mark_of(LIGHT, 3, family) for family in range(4)]
    assert len({(mark.colour, mark.shape) for mark in marks}) == 1
    assert len({mark.style for mark in marks}) == 4


@pytest.mark.parametrize("ink", [LIGHT, DARK], ids=["light", "dark"])
def test_the_first_four_backbones_have_colours_that_stay_apart_without_green_receptors(ink: Ink) -> None:
    seen = [DEUTERANOPIA @ linear(colour) for colour in ink.models[:4]]
    assert min(float(np.abs(one - other).max()) for one, other in combinations(seen, 2)) > 0.08


@pytest.mark.parametrize("ink", [LIGHT, DARK], ids=["light", "dark"])
def test_every_mark_stands_out_from_its_paper(ink: Ink) -> None:
    def luminance(colour: str) -> float:
        return float(linear(colour) @ [0.2126, 0.7152, 0.0722])

    for colour in ink.models[:4]:
        low, high = sorted((luminance(colour), luminance(ink.paper)))
        assert (high + 0.05) / (low + 0.05) > 2.9


def test_backbones_differ_in_shape_so_that_a_print_without_colours_is_read() -> None:
    assert len({mark_of(LIGHT, place).shape for place in range(7)}) == 7


def test_wrapped_lines_keep_every_character_and_their_width() -> None:
    text = "a few words and-one-that-is-much-too-long-for-any-line"
    lines = wrap(text, 10.5, 1.2)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(measure(line, 10.5) <= 1.2 for line in lines)


def test_a_name_that_is_cut_keeps_its_end_which_tells_it_from_its_kin() -> None:
    lines = wrap("mmbench-" * 9 + "cn", 10.5, 1.2, most=2)
    assert len(lines) == 2
    assert lines[1].startswith("…")
    assert lines[1].endswith("mmbench-cn")
