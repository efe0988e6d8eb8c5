"""Models × benchmarks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.report.scored import cell, three

from vertebra.benchmarks import benchmark
from vertebra.report import Cell
from vertebra.report.grid import Column, Grid, Model, Score, build_grid, plain
from vertebra.report.matrix import build_matrix
from vertebra.spec import Study

Card = Callable[..., dict[str, object]]
Cells = Callable[..., list[Cell]]


def test_models_and_columns_keep_the_order_of_the_cells(study: Study, cells: Cells) -> None:
    grid = build_grid(study, cells(["v7w", "pope"], ["z", "a"], ["y", "b"]))
    assert grid.models == (("z", "y"), ("z", "b"), ("a", "y"), ("a", "b"))
    assert [column.benchmark for column in grid.columns] == ["v7w", "pope"]


def test_protocols_that_differ_never_share_a_column(study: Study, card: Card) -> None:
    with_ocr = Cell("f", "b", 0, "textvqa", card("textvqa", 58.0, protocol="textvqa+ocr"))
    without = Cell("f", "c", 0, "textvqa", card("textvqa", 46.0, protocol="textvqa-pure"))
    grid = build_grid(study, [with_ocr, without])
    assert [column.protocol for column in grid.columns] == ["textvqa+ocr", "textvqa-pure"]
    assert (Model("f", "b"), grid.columns[1]) not in grid.scores
    assert any("several protocols" in remark for remark in grid.remarks)


def test_one_seed_shows_the_interval_over_questions(study: Study, card: Card) -> None:
    grid = build_grid(study, [Cell("f", "b", 0, "pope", card("pope", 80.0))])
    assert next(iter(grid.scores.values())) == Score(80.0, 78.0, 82.0, seeds=1, planned=1)


def test_several_seeds_show_mean_and_standard_deviation(study: Study, card: Card) -> None:
    values = {0: 70.0, 1: 74.0, 2: 78.0}
    grid = build_grid(study, [Cell("f", "b", seed, "pope", card("pope", value)) for seed, value in values.items()])
    assert next(iter(grid.scores.values())) == Score(74.0, 70.0, 78.0, seeds=3, planned=3)
    assert grid.legend()[0] == "Mean ± one standard deviation over seeds."


def test_a_mean_over_fewer_seeds_than_planned_is_marked_and_has_no_interval(study: Study, card: Card) -> None:
    grid = build_grid(study, [Cell("f", "b", 0, "pope", card("pope", 70.0)), Cell("f", "b", 1, "pope", None)])
    (model,), (column,) = grid.models, grid.columns
    assert grid.is_partial(model, column)
    assert grid.scores[model, column].spread == ""
    assert "† fewer seeds than planned: f/b on POPE (1 of 2)." in grid.remarks


def test_a_benchmark_without_any_score_keeps_its_column(study: Study) -> None:
    assert build_grid(study, [Cell("f", "b", 0, "gqa", None)]).columns == (Column("gqa"),)


def test_the_best_of_a_family_is_the_highest_and_ties_as_shown_are_both_best(study: Study, card: Card) -> None:
    values = {"a": 80.01, "b": 80.04, "c": 79.0}
    grid = build_grid(study, [Cell("f", name, 0, "gqa", card("gqa", value)) for name, value in values.items()])
    assert [grid.is_best(model, grid.columns[0]) for model in grid.models] == [True, True, False]


def test_a_model_alone_in_its_family_is_not_called_best(study: Study, card: Card) -> None:
    grid = build_grid(study, [Cell("f", "b", 0, "gqa", card("gqa", 80.0)), Cell("g", "b", 0, "gqa", None)])
    assert not any(grid.is_best(model, grid.columns[0]) for model in grid.models)


def compared(study: Study, cells: list[Cell]) -> Grid:
    return build_grid(study, cells, build_matrix(cells, {"gqa": benchmark("gqa")}))


def test_who_is_not_told_apart_from_the_best_is_tied_and_who_is_lies_behind(study: Study, tmp_path: Path) -> None:
    grid = compared(study, three(tmp_path))
    assert [grid.standing(model, grid.columns[0]) for model in grid.models] == ["best", "tied", "behind"]
    assert [grid.is_tied(model, grid.columns[0]) for model in grid.models] == [False, True, False]
    (tie,) = grid.ties()
    assert (tie["backbone"], tie["best"], tie["benchmark"]) == ("close", "best", "gqa")
    assert tie["p_holm"] > 0.05


def test_seeds_are_compared_together(study: Study, tmp_path: Path) -> None:
    counts = {("best", 0): 90, ("best", 1): 88, ("close", 0): 88, ("close", 1): 89, ("far", 0): 40, ("far", 1): 41}
    cells = [
        cell(tmp_path, f"f/{name}", benchmark("gqa"), [n < count for n in range(100)], seed)
        for (name, seed), count in counts.items()
    ]
    grid = compared(study, cells)
    assert [grid.standing(model, grid.columns[0]) for model in grid.models] == ["best", "tied", "behind"]


def test_a_family_is_measured_by_its_own_best(study: Study, tmp_path: Path) -> None:
    grid = compared(study, [*three(tmp_path, "f"), *three(tmp_path, "g")])
    assert [grid.standing(model, grid.columns[0]) for model in grid.models] == ["best", "tied", "behind"] * 2


def test_a_pair_that_nobody_compared_has_no_standing(study: Study, tmp_path: Path) -> None:
    first, *others = three(tmp_path)
    elsewhere = cell(tmp_path, "f/other", replace(benchmark("gqa"), protocol="another split"), [True] * 100)
    grid = compared(study, [first, *others, elsewhere])
    assert grid.standing(Model("f", "other"), grid.columns[1]) is None
    unknown = build_grid(study, [first, *others])
    assert [unknown.standing(model, unknown.columns[0]) for model in unknown.models] == ["best", None, None]
    assert unknown.ties() == []


def test_unequal_numbers_of_questions_in_a_column_are_pointed_out(study: Study, card: Card) -> None:
    cells = [Cell("f", "b", 0, "gqa", card("gqa", 80.0)), Cell("f", "c", 0, "gqa", card("gqa", 80.0, n=20))]
    assert any("(20, 300)" in remark for remark in build_grid(study, cells).remarks)


def test_unanswered_questions_are_pointed_out(study: Study, card: Card) -> None:
    grid = build_grid(study, [Cell("f", "b", 0, "gqa", card("gqa", 80.0, missing=7))])
    assert "Questions without an answer: f/b/seed0/gqa (7 of 300)." in grid.remarks


def test_a_missing_cell_is_named_in_the_legend_and_many_are_counted(study: Study, cells: Cells) -> None:
    some = cells(["pope"], ["f"])
    assert "tiny-phi-3" in build_grid(study, [*some[:3], replace(some[3], scorecard=None)]).legend()[1]
    none = [replace(cell, scorecard=None) for cell in cells()]
    assert "32 results, named in results.json" in build_grid(study, none).legend()[1]


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(78.0, 82.1, "± 2.0"), (70.0, 82.0, "[70.0, 82.0]"), (None, None, ""), (80.0, 80.0, "± 0.0")],
)
def test_an_interval_is_plus_minus_unless_it_leans(low: float | None, high: float | None, shown: str) -> None:
    assert Score(80.0, low, high, 1, 1).spread == shown


def test_a_tiny_negative_number_is_not_shown_as_minus_zero() -> None:
    assert Score(-0.01, None, None, 1, 1).text == "0.0"


def test_what_could_steer_a_terminal_is_taken_out() -> None:
    assert plain("a\x1b[31mb\x9b2Jc\u202ed\ne\x00f\ud800") == "a[31mb2Jcd ef"
