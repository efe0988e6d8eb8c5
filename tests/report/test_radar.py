"""The pictures: nothing overlaps, nothing leaves the sheet, nothing is hidden."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from vertebra.report import Cell, radar
from vertebra.report.grid import build_grid
from vertebra.report.radar import draw
from vertebra.report.sheet import LIGHT, WIDTH, Pen, mark_of, measure, shown, wrap
from vertebra.spec import Study

Axes = Mapping[str, tuple[float, float]]
Cells = Callable[..., list[Cell]]
LONG = [f"a_benchmark_whose_name_never_seems_to_end_{place}" for place in range(16)]


def painted(study: Study, cells: Sequence[Cell], axes: Axes) -> Pen:
    grid = build_grid(study, cells)
    columns = tuple(column for column in grid.columns if column.benchmark in axes)
    return radar._paint(radar._Chart(grid, grid.families()[0], columns, axes), LIGHT)


def texts(pen: Pen) -> list[str]:
    return [artist.get_text() for artist in pen.drawn if isinstance(artist, Text)]


def boxes(pen: Pen) -> dict[str, Bbox]:
    """Where every text lies, in inches from the lower left corner."""
    figure = Figure(figsize=(WIDTH, pen.height), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(pen.height, 0))
    for artist in pen.drawn:
        axes.add_artist(artist)
    figure.savefig(io.BytesIO(), format="png", dpi=100)
    found = [artist for artist in pen.drawn if isinstance(artist, Text)]
    extents = [artist.get_window_extent() for artist in found]
    return {
        f"{place} {artist.get_text()}": Bbox(extent.get_points() / 100)
        for place, (artist, extent) in enumerate(zip(found, extents, strict=True))
    }


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize("backbone", ["tiny-phi-3-{}", "a-backbone-whose-name-goes-on-{}-and-on"])
def test_no_two_texts_overlap_and_none_leaves_the_sheet(study: Study, cells: Cells, count: int, backbone: str) -> None:
    some = cells(LONG[:count], ["a-family"], [backbone.format(place) for place in range(9)])
    pen = painted(study, [*some[:-1], replace(some[-1], scorecard=None)], dict.fromkeys(LONG, (25.0, 100.0)))
    found = boxes(pen)
    assert all(b.x0 >= 0 and b.x1 <= WIDTH and b.y0 >= 0 and b.y1 <= pen.height for b in found.values())
    for (name, box), (other, another) in combinations(found.items(), 2):
        overlap = Bbox.intersection(box, another)
        assert overlap is None or overlap.height < 0.04 or overlap.width <= 0, (name, other)


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
    picture = draw(build_grid(study, cells(["pope", "gqa", "v7w"][:count])), "tiny-vip-llava", axes)
    assert picture.alt.startswith(f"{kind} of tiny-vip-llava: tiny-vicuna-s")


def test_a_study_without_any_score_is_a_picture_too(study: Study, axes: Axes) -> None:
    assert draw(build_grid(study, [Cell("f", "b", 0, "pope", None)]), "f", axes).png.startswith(b"\x89PNG")
    assert "Nothing to draw yet." in texts(painted(study, [Cell("f", "b", 0, "pope", None)], {}))


def test_the_same_input_gives_the_same_bytes_and_no_date(study: Study, cells: Cells, axes: Axes) -> None:
    first, second = (
        draw(build_grid(study, cells(families=["tiny-llava-1.5"])), "tiny-llava-1.5", axes) for _ in range(2)
    )
    assert first == second
    assert not re.search(rb"<dc:date>|20\d\d-\d\d-\d\d", first.svg)
    assert "Software" not in Image.open(io.BytesIO(first.png)).info


def test_the_png_is_eighteen_hundred_pixels_across(study: Study, cells: Cells, axes: Axes) -> None:
    picture = draw(build_grid(study, cells(families=["tiny-llava-1.5"])), "tiny-llava-1.5", axes)
    assert Image.open(io.BytesIO(picture.png)).width == 1800


def test_an_svg_refers_to_nothing_outside_itself(study: Study, cells: Cells, axes: Axes) -> None:
    picture = draw(build_grid(study, cells(families=["tiny-llava-1.5"])), "tiny-llava-1.5", axes)
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
    assert b"<script" not in draw(build_grid(study, some), name, axes).svg


def test_the_settings_of_matplotlib_are_left_as_they_were(study: Study, cells: Cells, axes: Axes) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw(build_grid(study, cells(families=["tiny-llava-1.5"])), "tiny-llava-1.5", axes)
    assert dict(matplotlib.rcParams) == before


def test_no_two_of_twenty_models_are_drawn_alike() -> None:
    assert len({mark_of(LIGHT, place) for place in range(20)}) == 20


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
