"""Markdown, LaTeX, CSV and the terminal."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.report.scored import three

from vertebra.benchmarks import benchmark
from vertebra.catalog import Catalog
from vertebra.report import Cell
from vertebra.report.grid import build_grid
from vertebra.report.matrix import build_matrix
from vertebra.report.published import beside
from vertebra.report.tables import comma_separated, latex, markdown, terminal
from vertebra.spec import Study

Card = Callable[..., dict[str, object]]
Cells = Callable[..., list[Cell]]
NASTY = "<b>|*x*_y_`z`[l](u)\\&$%#{}~^\"'\x1b[2J\n=1+1"


def test_markdown_has_a_line_per_model_and_bold_for_the_best(study: Study, card: Card) -> None:
    cells = [Cell("f", "a", 0, "pope", card("pope", 80.0)), Cell("f", "b", 0, "pope", card("pope", 83.25))]
    lines = markdown(build_grid(study, cells)).splitlines()
    assert "| Family | Backbone | POPE<br>F1<br>llava |" in lines
    assert "| f | a | 80.0 ± 2.0 |" in lines
    assert "| f | b | **83.2** ± 2.0 |" in lines


def test_a_missing_score_is_a_dash_and_the_legend_says_so(study: Study, card: Card) -> None:
    cells = [Cell("f", "a", 0, "pope", card("pope", 80.0)), Cell("f", "b", 0, "pope", None)]
    text = markdown(build_grid(study, cells))
    assert "| f | b | – |" in text
    assert "- – : no score yet for f/b/seed0/pope." in text


@given(st.text(max_size=40))
def test_no_name_breaks_out_of_its_markdown_cell(name: str) -> None:
    study = Study(study="s", families=("a",), backbones=("b",))
    text = markdown(build_grid(study, [Cell(name, "b", 0, "gqa", None)]))
    row = text.split("\n")[4]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 4
    assert "<" not in row


def test_latex_is_a_booktabs_table_and_bold_for_the_best(study: Study, card: Card) -> None:
    cells = [Cell("f", "a", 0, "pope", card("pope", 80.0)), Cell("f", "b", 0, "pope", card("pope", 83.25))]
    text = latex(build_grid(study, cells))
    assert r"\toprule" in text
    assert r" & b & \textbf{83.2} \ensuremath{\pm} 2.0 \\" in text


def test_latex_of_sixteen_benchmarks_is_scaled_to_the_line(
    study: Study, cells: Cells, sixteen: tuple[str, ...]
) -> None:
    text = latex(build_grid(study, cells(sixteen)))
    assert r"\resizebox{\linewidth}{!}{%" in text
    assert r"\begin{tabular}{llrrrrrrrrrrrrrrrr}" in text


def test_every_special_character_of_latex_is_escaped(study: Study) -> None:
    text = latex(build_grid(study, [Cell(NASTY, "b", 0, "gqa", None)]))
    row = next(line for line in text.splitlines() if line.endswith(r"& b & -- \\"))
    bare = re.sub(r"\\[{}$&#%_]|\\text\w+\{\}|\{\[\}|\{\]\}", "", row.removesuffix(r" & b & -- \\"))
    assert not re.search(r"[\\{}$&#%_^~]", bare)


def test_braces_of_latex_are_balanced_whatever_the_name(study: Study) -> None:
    bare = re.sub(r"\\[{}]", "", latex(build_grid(study, [Cell(NASTY, NASTY, 0, NASTY, None)])))
    assert bare.count("{") == bare.count("}")


def test_csv_keeps_every_digit_and_leaves_missing_scores_empty(study: Study, card: Card) -> None:
    cells = [Cell("f", "a", 0, "pope", card("pope", 83.123456789)), Cell("f", "b", 0, "pope", None)]
    head, first, second = csv.reader(io.StringIO(comma_separated(build_grid(study, cells))))
    name = "pope f1 llava"
    assert head == ["family", "backbone", name, f"{name} low95", f"{name} high95", f"{name} standing"]
    assert first[2:] == ["83.123456789", "81.123456789", "85.123456789", ""]
    assert second == ["f", "b", "", "", "", ""]


def test_a_name_that_a_spreadsheet_would_run_becomes_text(study: Study) -> None:
    text = comma_separated(build_grid(study, [Cell("=HYPERLINK(1)", "@b", 0, "pope", None)]))
    assert list(csv.reader(io.StringIO(text)))[1][:2] == ["'=HYPERLINK(1)", "'@b"]


def test_eight_models_on_four_benchmarks_fit_eighty_columns_a_model_a_row(study: Study, cells: Cells) -> None:
    lines = terminal(build_grid(study, cells())).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert sum(line.startswith("  tiny-phi-3 ") for line in lines) == 2


def test_sixteen_benchmarks_become_rows_with_a_family_s_backbones_side_by_side(
    study: Study, cells: Cells, sixteen: tuple[str, ...]
) -> None:
    lines = terminal(build_grid(study, cells(sixteen))).splitlines()
    assert max(map(cell_len, lines)) <= 80
    heads = [line.split() for line in lines if line.startswith("tiny-")]
    assert heads == [
        [family, "tiny-vicuna-s", "tiny-vicuna-m", "tiny-llama-3", "tiny-phi-3"]
        for family in ("tiny-llava-1.5", "tiny-vip-llava")
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_long_and_wide_names_never_leave_the_terminal_s_width(study: Study, cells: Cells, width: int) -> None:
    names = ["backbone-" * 9, "骨干" * 30, "b"]
    lines = terminal(build_grid(study, cells(families=["f" * 90], backbones=names)), width).splitlines()
    assert max(map(cell_len, lines)) <= width


def test_every_score_is_in_the_terminal_s_table_however_narrow(study: Study, cells: Cells) -> None:
    some = cells(families=["f"], backbones=["a", "b", "c"])
    text = terminal(build_grid(study, some), 40)
    grid = build_grid(study, some)
    assert all(score.text in text for score in grid.scores.values())


def test_no_control_character_reaches_the_terminal(study: Study, card: Card) -> None:
    name = "a\x1b]0;owned\x07\x9b31m[bold red]x[/] :smile:"
    text = terminal(build_grid(study, [Cell(name, name, 0, name, card(name, 50.0, protocol=name))]), 200)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert "[bold red]x[/] :smile:" in text


def test_a_title_goes_into_every_table_without_its_markup(study: Study, card: Card) -> None:
    titled = study.model_copy(update={"title": "<script>alert(1)</script> 100 %"})
    grid = build_grid(titled, [Cell("f", "a", 0, "pope", replace(Cell("", "", 0, "", None)).scorecard)])
    assert "&lt;script&gt;" in markdown(grid)
    assert r"100 \%" in latex(grid)


def test_a_tie_is_marked_and_explained_in_every_table(study: Study, tmp_path: Path) -> None:
    cells = three(tmp_path)
    grid = build_grid(study, cells, build_matrix(cells, {"gqa": benchmark("gqa")}))
    rows = markdown(grid).splitlines()
    assert r"| f | close | 89.0 \[81.2, 93.8\] ≈ |" in rows
    assert "| f | far | 40.0 ± 9.6 |" in rows
    assert any(row.startswith("- ≈ : not told apart from the bold number") for row in rows)
    tex = latex(grid)
    assert r" & close & 89.0\ensuremath{^{\approx}} {[}81.2, 93.8{]} \\" in tex
    assert r"\ensuremath{\approx} : not told apart" in tex
    head, *lines = csv.reader(io.StringIO(comma_separated(grid)))
    assert head[-1] == "gqa accuracy testdev_balanced standing"
    assert [line[-1] for line in lines] == ["best", "tied", "behind"]


def test_no_mark_is_explained_that_is_not_there(study: Study, cells: Cells) -> None:
    grid = build_grid(study, cells())
    assert "≈" not in markdown(grid)
    assert "approx" not in latex(grid)
    assert "where intervals overlap the order may be chance" in markdown(grid).lower()


def test_published_numbers_stand_beside_ours_in_latex_and_csv(study: Study, card: Card) -> None:
    cells = [Cell("llava-1.5", name, 0, "pope", card("pope", 86.0)) for name in ("vicuna-7b", "mine")]
    grid = build_grid(study, cells)
    published = beside(grid, Catalog.installed().references())
    text = latex(grid, published)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1 + len({each.table for each in published})
    assert r"llava-1.5 & vicuna-7b & 87.3 ($-1.3$) \\" in text
    assert "Published in Study on LLM Backbones (https://" in text
    assert "mine" not in text.split("Published in")[-2].split(r"\begin{tabular}")[-1]
    head, first, second = csv.reader(io.StringIO(comma_separated(grid, published)))
    told, other = (dict(zip(head, line, strict=True)) for line in (first, second))
    (theirs,) = [name for name in head if "published" in name and told[name] == "87.3"]
    assert float(told[theirs.replace("published", "difference")]) == pytest.approx(-1.3)
    assert other[theirs] == ""
    assert "published" not in comma_separated(grid)
    assert latex(grid).count(r"\begin{tabular}") == 1
