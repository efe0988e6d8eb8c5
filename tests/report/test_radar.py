"""The pictures: nothing overlaps, nothing leaves the sheet, nothing is hidden."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from PIL import Image
from tests.report import drawn
from tests.report.drawn import demand_order, every_form, texts

from vertebra.report import Cell, dots, radar
from vertebra.report.chart import Chart
from vertebra.report.grid import build_grid
from vertebra.report.radar import draw
from vertebra.report.sheet import LIGHT, Pen, shown
from vertebra.spec import Study

Axes = Mapping[str, tuple[float, float]]
Cells = Callable[..., list[Cell]]
LONG = [f"a_benchmark_whose_name_never_seems_to_end_{place}" for place in range(16)]


def painted(study: Study, cells: Sequence[Cell], axes: Axes, family: str | None = None) -> Pen:
    """The first family's picture, or that of another one; `all` for all."""
    grid = build_grid(study, cells)
    chart = Chart.of(grid, axes, None if family == "all" else family or grid.families()[0])
    return (radar if len(chart.columns) >= 3 else dots).paint(chart, LIGHT)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize("backbone", ["tiny-phi-3-{}", "a-backbone-whose-name-goes-on-{}-and-on"])
def test_no_two_texts_overlap_and_none_leaves_the_sheet(study: Study, cells: Cells, count: int, backbone: str) -> None:
    some = cells(LONG[:count], ["a-family"], [backbone.format(place) for place in range(9)])
    pen = painted(study, [*some[:-1], replace(some[-1], scorecard=None)], dict.fromkeys(LONG, (25.0, 100.0)))
    demand_order(pen)


def test_the_ends_of_every_axis_stand_at_its_label(study: Study, cells: Cells) -> None:
    axes = {"pope": (50.0, 100.0), "gqa": (33.333, 95.5), "v7w": (25.0, 100.0)}
    lines = texts(painted(study, cells(list(axes)), axes))
    assert {"F1 · 50–100", "accuracy · 33.3–95.5", "accuracy · 25–100"} <= set(lines)


def test_a_missing_score_is_a_gap_that_the_notes_name(study: Study, cells: Cells, axes: Axes) -> None:
    first, *others = cells(families=["f"], backbones=["a", "b"])
    lines = texts(painted(study, [replace(first, scorecard=None), *others], axes))
    assert "No score, left as a gap: a on POPE." in lines


def test_a_value_below_chance_is_drawn_at_the_centre_and_named(
    study: Study, cells: Cells, card: Callable[..., dict[str, object]], axes: Axes
) -> None:
    first, *others = cells(families=["f"], backbones=["a", "b"])
    lines = texts(painted(study, [replace(first, scorecard=card("pope", 12.34)), *others], axes))
    assert "Below chance, drawn at the centre: a on POPE (12.3)." in lines


def test_a_benchmark_without_an_axis_is_left_out_and_named(study: Study, cells: Cells, axes: Axes) -> None:
    lines = texts(
        painted(study, cells(families=["tiny-llava-1.5"]), {name: axes[name] for name in ("pope", "gqa", "v7w")})
    )
    assert "Not drawn, because chance and ceiling are not known: ScienceQA-IMG." in lines


@pytest.mark.parametrize(("count", "kind"), [(1, "Dot plot"), (2, "Dot plot"), (3, "Radar chart")])
def test_fewer_than_three_benchmarks_make_a_dot_plot(
    study: Study, cells: Cells, axes: Axes, count: int, kind: str
) -> None:
    picture = draw(build_grid(study, cells(["pope", "gqa", "v7w"][:count])), axes, "tiny-vip-llava")
    assert picture.alt.startswith(f"{kind} of tiny-vip-llava: tiny-vicuna-s")


def test_a_study_without_any_score_is_a_picture_too(study: Study, axes: Axes) -> None:
    assert draw(build_grid(study, [Cell("f", "b", 0, "pope", None)]), axes, "f").png.startswith(b"\x89PNG")
    assert "Nothing to draw yet." in texts(painted(study, [Cell("f", "b", 0, "pope", None)], {}))


def test_the_same_input_gives_the_same_bytes_and_no_date(study: Study, cells: Cells, axes: Axes) -> None:
    first, second = (
        draw(build_grid(study, cells(families=["tiny-llava-1.5"])), axes, "tiny-llava-1.5") for _ in range(2)
    )
    assert every_form(first) == every_form(second)
    assert not re.search(rb"<dc:date>|20\d\d-\d\d-\d\d", first.svg)
    assert "Software" not in Image.open(io.BytesIO(first.png)).info


def test_the_png_is_eighteen_hundred_pixels_across(study: Study, cells: Cells, axes: Axes) -> None:
    picture = draw(build_grid(study, cells(families=["tiny-llava-1.5"])), axes, "tiny-llava-1.5")
    assert Image.open(io.BytesIO(picture.png)).width == 1800


def test_an_svg_refers_to_nothing_outside_itself(study: Study, cells: Cells, axes: Axes) -> None:
    picture = draw(build_grid(study, cells(families=["tiny-llava-1.5"])), axes, "tiny-llava-1.5")
    tree = ElementTree.fromstring(picture.svg)  # noqa: S314
    links = [value for node in tree.iter() for key, value in node.attrib.items() if key.endswith("href")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not any(
        node.tag.endswith(("script", "image", "style")) and "url(" in (node.text or "") for node in tree.iter()
    )


def test_names_with_markup_dollars_and_foreign_letters_are_drawn_as_they_are(
    study: Study, cells: Cells, axes: Axes
) -> None:
    name = "<script>$x_{2}$ 漢 \x1b[2J"
    some = cells(families=[name], backbones=[name, "b"])
    assert shown("<script>$x_{2}$ 漢") == "<script>$x_{2}$ �"
    assert b"<script" not in draw(build_grid(study, some), axes, name).svg


def corners(pen: Pen) -> list[tuple[float, float]]:
    """Of all marks in the plot: their distance from the centre, in radii, and how far they stand to the right."""
    (cx, cy) = next(a.center for a in pen.drawn if hasattr(a, "center"))
    at = [(float(d.get_xdata()[0]) - cx, float(d.get_ydata()[0]) - cy) for d in drawn.dots(pen)]
    return [(((x * x + y * y) ** 0.5) / radar.RADIUS, x) for x, y in at]


def test_a_corner_lies_as_far_out_as_its_score_between_chance_and_ceiling(
    study: Study, card: Callable[..., dict[str, object]]
) -> None:
    axes = {"pope": (50.0, 100.0), "gqa": (0.0, 100.0), "v7w": (25.0, 100.0)}
    values = {"pope": 75.0, "gqa": 30.0, "v7w": 100.0}
    pen = painted(study, [Cell("f", "a", 0, name, card(name, value)) for name, value in values.items()], axes)
    assert [round(radius, 6) for radius, _ in corners(pen)[:3]] == [0.5, 0.3, 1.0]


def test_all_families_stand_in_one_picture_in_styles_of_their_own(study: Study, cells: Cells, axes: Axes) -> None:
    pen = painted(study, cells(), axes, "all")
    assert {"tiny-llava-1.5", "tiny-vip-llava"} <= set(texts(pen))
    outlines = drawn.lines(pen, 1.3)
    assert len({(line.get_color(), line.get_linestyle()) for line in outlines}) == len(outlines) == 8
    marks = drawn.dots(pen)[: 8 * 4]
    assert [drawn.is_hollow(pen, mark) for mark in marks] == [False] * 16 + [True] * 16
    assert "Intervals are in the dot plot." in " ".join(texts(pen))


def test_a_backbone_has_the_same_colour_in_every_picture(study: Study, cells: Cells, axes: Axes) -> None:
    some = [cell for cell in cells() if (cell.family, cell.backbone) != ("tiny-vip-llava", "tiny-vicuna-s")]
    alone = drawn.dots(painted(study, some, axes, "tiny-vip-llava"))[0]
    together = drawn.dots(painted(study, some, axes, "all"))[4 * 4]
    assert alone.get_color() == together.get_color() or alone.get_marker() == together.get_marker()
    assert alone.get_markerfacecolor() == together.get_markeredgecolor()


@pytest.mark.parametrize("families", [2, 5])
def test_no_text_of_many_families_overlaps_another(study: Study, cells: Cells, families: int) -> None:
    names = ["a-family", "b" * 90, "c-family-of-long-names", "d", "e"][:families]
    some = cells(LONG[:7], names, [f"backbone-{place}" for place in range(8)])
    demand_order(painted(study, some[:-9], dict.fromkeys(LONG, (80.0, 100.0)), "all"))
