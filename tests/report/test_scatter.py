"""Score against cost: every mark where its numbers are, the stairs along the front."""

from collections.abc import Callable
from itertools import pairwise
from math import log
from typing import Any

import pytest
from tests.report.drawn import demand_order, dots, every_form, lines, text_at, texts

from vertebra.report import Cell, scatter
from vertebra.report.chart import Chart
from vertebra.report.costs import Cost, Costs
from vertebra.report.grid import Grid, build_grid
from vertebra.report.sheet import LIGHT, Pen
from vertebra.spec import Study

Cells = Callable[..., list[Cell]]


@pytest.fixture
def grid(study: Study, cells: Cells) -> Grid:
    return build_grid(study, cells())


def priced(grid: Grid, **changes: Any) -> Costs:
    """All models of the grid, in rising scores and costs."""
    lines = [
        Cost(model, 50.0 + n, 48.0 + n, 52.0 + n, int(4e9 + 1e9 * n), 600.0 + 10 * n, 0.02 + n / 100)
        for n, model in enumerate(grid.models)
    ]
    return Costs(grid.columns, tuple(line._replace(**changes) for line in lines), "ci95")


def painted(grid: Grid, costs: Costs) -> Pen:
    return scatter.paint(Chart(grid, None, costs.columns, {}), costs, LIGHT)


def test_marks_lie_where_the_printed_axes_say(grid: Grid) -> None:
    costs = priced(grid, tokens=None, seconds=None)
    pen = painted(grid, costs)
    assert "Billion parameters" in texts(pen)
    (left, _), (right, _) = text_at(pen, "2"), text_at(pen, "12")
    (_, bottom), (_, top) = text_at(pen, "48"), text_at(pen, "60")
    for dot, line in zip(dots(pen), costs.lines, strict=False):
        (x,), (y,) = dot.get_xdata(), dot.get_ydata()
        assert line.parameters is not None
        assert (x - left) / (right - left) == pytest.approx(log(line.parameters / 2e9) / log(6))
        assert (y - bottom) / (top - bottom) == pytest.approx((line.score - 48) / 12)


def test_intervals_are_upright_lines_around_the_scores(grid: Grid) -> None:
    pen = painted(grid, priced(grid, tokens=None, seconds=None))
    (_, bottom), (_, top) = text_at(pen, "48"), text_at(pen, "60")
    lengths = [abs(line.get_ydata()[1] - line.get_ydata()[0]) for line in lines(pen, 1.6)[:8]]
    assert lengths == pytest.approx([4 * (bottom - top) / 12] * 8)


def test_the_stairs_join_the_front(grid: Grid) -> None:
    costs = priced(grid, tokens=None, seconds=None)
    worse = tuple(line._replace(score=49.0) if n % 2 else line for n, line in enumerate(costs.lines))
    pen = painted(grid, Costs(costs.columns, worse, "ci95"))
    (stairs,) = lines(pen, 1.2)
    corners = set(zip(map(float, stairs.get_xdata()), map(float, stairs.get_ydata()), strict=True))
    marks = [(float(dot.get_xdata()[0]), float(dot.get_ydata()[0])) for dot in dots(pen)[:8]]
    assert [mark in corners for mark in marks] == [True, False] * 4


def test_models_of_the_same_cost_do_not_hide_each_other(grid: Grid) -> None:
    pen = painted(grid, priced(grid, score=55.0, parameters=7_000_000_000, tokens=None, seconds=None))
    places = sorted(float(dot.get_xdata()[0]) for dot in dots(pen)[:8])
    assert all(b - a == pytest.approx(scatter.ASIDE) for a, b in pairwise(places))
    assert "Models of the same cost stand side by side." in texts(pen)


def test_what_is_not_known_is_left_out_and_said(grid: Grid) -> None:
    costs = priced(grid, tokens=None)
    lines_ = (costs.lines[0]._replace(seconds=None), *costs.lines[1:])
    pen = painted(grid, Costs(costs.columns[:1], lines_, "ci95"))
    told = " ".join(texts(pen))
    assert "Tokens per question are not known of any model." in told
    assert "Seconds are not known of tiny-llava-1.5/tiny-vicuna-s." in told
    assert "Not in the mean, because a model has no score there:" in told
    assert "Tokens per question" not in texts(pen)
    assert "Seconds are of this run on its machine, and no result: another run has other ones." in texts(pen)


@pytest.mark.parametrize("kinds", [1, 2, 3])
@pytest.mark.parametrize("name", ["tiny-phi-3-{}", "a-backbone-whose-name-goes-on-{}-and-on", "<b>$x_{{{}}}$ 漢"])
def test_no_two_texts_overlap_and_none_leaves_the_sheet(study: Study, cells: Cells, kinds: int, name: str) -> None:
    grid = build_grid(study, cells(families=["f", "g" * 90], backbones=[name.format(n) for n in range(5)]))
    unknown: dict[str, None] = dict.fromkeys(("seconds", "tokens")[: 3 - kinds])
    demand_order(painted(grid, priced(grid, **unknown)))


def test_the_same_input_gives_the_same_bytes(grid: Grid) -> None:
    first, second = (scatter.draw(grid, priced(grid)) for _ in range(2))
    assert every_form(first) == every_form(second)
