"""The dot plot: every dot where its number is, every interval as long as it is, and what is a tie can be seen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.lines import Line2D
from tests.report.drawn import demand_order, every_form, is_hollow, lines, text_at, texts
from tests.report.drawn import dots as dots_of
from tests.report.scored import three

from vertebra.benchmarks import benchmark
from vertebra.report import Cell, dots
from vertebra.report.chart import Chart
from vertebra.report.grid import build_grid
from vertebra.report.matrix import build_matrix
from vertebra.report.sheet import LIGHT, Pen
from vertebra.spec import Study

Axes = Mapping[str, tuple[float, float]]
Cells = Callable[..., list[Cell]]
Card = Callable[..., dict[str, object]]
LONG = [f"a_benchmark_whose_name_never_seems_to_end_{place}" for place in range(16)]


def painted(study: Study, cells: Sequence[Cell], axes: Axes) -> Pen:
    return dots.paint(Chart.of(build_grid(study, cells), axes), LIGHT)


def reader(pen: Pen, low: str, high: str) -> Callable[[float], float]:
    """What a place in inches says, by the printed ends of the axis of a single panel."""
    (left, _), (right, _) = text_at(pen, low), text_at(pen, high)
    return lambda x: float(low) + (x - left) / (right - left) * (float(high) - float(low))


def x_of(line: Line2D) -> list[float]:
    return [float(x) for x in line.get_xdata()]


def test_dots_and_lines_lie_where_the_printed_axis_says(study: Study, card: Card) -> None:
    cells = [Cell("f", "a", 0, "pope", card("pope", 84.5)), Cell("f", "b", 0, "pope", card("pope", 86.0))]
    pen = painted(study, cells, {"pope": (50.0, 100.0)})
    read = reader(pen, "82", "88")
    assert [read(*x_of(dot)) for dot in dots_of(pen)] == pytest.approx([84.5, 86.0])
    assert [[read(x) for x in x_of(line)] for line in lines(pen, 1.6)] == [
        pytest.approx([82.5, 86.5]),
        pytest.approx([84.0, 88.0]),
    ]


def test_the_bar_says_which_part_of_the_scale_the_axis_is(study: Study, card: Card) -> None:
    pen = painted(study, [Cell("f", "a", 0, "pope", card("pope", 85.0))], {"pope": (50.0, 100.0)})
    assert {"50", "100", "83", "87"} <= set(texts(pen))
    whole, part = (x_of(line) for line in lines(pen, 3))
    shares = [(x - whole[0]) / (whole[1] - whole[0]) for x in part]
    assert shares == pytest.approx([(83 - 50) / 50, (87 - 50) / 50])


def test_models_that_lie_close_are_not_blown_up(study: Study, card: Card) -> None:
    bare = [Cell("f", name, 0, "pope", card("pope", value, ci95={})) for name, value in {"a": 85.0, "b": 85.1}.items()]
    pen = painted(study, bare, {"pope": (50.0, 100.0)})
    (first,), (second,) = (x_of(dot) for dot in dots_of(pen))
    whole, _ = (x_of(line) for line in lines(pen, 3))
    assert (second - first) / (whole[1] - whole[0]) < 0.1 / 50 / dots.LEAST * 1.2


def test_the_best_is_a_line_and_who_is_behind_it_is_hollow(study: Study, tmp_path: Path) -> None:
    cells = three(tmp_path)
    grid = build_grid(study, cells, build_matrix(cells, {"gqa": benchmark("gqa")}))
    pen = dots.paint(Chart.of(grid, {"gqa": (0.0, 100.0)}), LIGHT)
    assert [is_hollow(pen, dot) for dot in dots_of(pen)] == [False, False, True]
    (best,) = [line for line in lines(pen, 0.9) if line.get_linestyle() == ":"]
    assert x_of(best)[0] == x_of(dots_of(pen)[0])[0]
    assert "Hollow: behind it, by a paired test" in " ".join(texts(pen))


def test_where_nothing_was_compared_nothing_is_hollow(study: Study, cells: Cells, axes: Axes) -> None:
    pen = painted(study, cells(), axes)
    assert not any(is_hollow(pen, dot) for dot in dots_of(pen))
    assert "Hollow" not in " ".join(texts(pen))


def test_chance_is_drawn_where_the_axis_reaches_below_it(study: Study, card: Card) -> None:
    pen = painted(study, [Cell("f", "a", 0, "pope", card("pope", 50.5))], {"pope": (50.0, 100.0)})
    (chance,) = [line for line in lines(pen, 0.9) if line.get_linestyle() == "--"]
    assert reader(pen, "48", "54")(x_of(chance)[0]) == pytest.approx(50)
    assert "Dashed line: chance." in texts(pen)


def test_a_missing_score_is_a_dash_that_the_notes_name(study: Study, cells: Cells, axes: Axes) -> None:
    first, *others = cells(families=["f"], backbones=["a", "b"])
    pen = painted(study, [replace(first, scorecard=None), *others], axes)
    assert texts(pen).count("–") == 1
    assert "No score, drawn as –: a on POPE." in texts(pen)
    assert len(dots_of(pen)) == len(others)


@pytest.mark.parametrize("count", [0, 1, 2, 4, 16])
@pytest.mark.parametrize("backbone", ["tiny-phi-3-{}", "a-backbone-whose-name-goes-on-{}-and-on", "漢" * 40 + "{}"])
def test_no_two_texts_overlap_and_none_leaves_the_sheet(study: Study, cells: Cells, count: int, backbone: str) -> None:
    names = [backbone.format(place) for place in range(4)]
    some = cells(LONG[:count] or ["gqa"], ["a-family", "<b>$x$" * 20], names)
    demand_order(painted(study, some[:-1], dict.fromkeys(LONG, (25.0, 100.0))))


def test_panels_of_eight_models_on_sixteen_benchmarks_fit_a_printed_page(
    study: Study, cells: Cells, axes: Axes, sixteen: tuple[str, ...]
) -> None:
    pen = painted(study, cells(sixteen), axes)
    assert len(dots_of(pen)) == 8 * 16
    assert pen.height / 9 < 1.7


def test_the_same_input_gives_the_same_bytes(study: Study, cells: Cells, axes: Axes) -> None:
    first, second = (dots.draw(build_grid(study, cells()), axes) for _ in range(2))
    assert every_form(first) == every_form(second)
