"""What a model costs and what it is worth."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.anatomy import assembled

from vertebra.benchmarks import benchmark
from vertebra.model.checkpoint import save
from vertebra.report import Answering, Cell
from vertebra.report.costs import QUESTIONS, Cost, Costs, costs
from vertebra.report.grid import Model, build_grid
from vertebra.report.questions import Questions
from vertebra.scoring.benchmark import Benchmark, Sample
from vertebra.spec import Study

Card = Callable[..., dict[str, object]]
KNOWN = {name: benchmark(name) for name in ("pope", "gqa", "v7w")}


def of(study: Study, cells: list[Cell], known: dict[str, Benchmark] = KNOWN, data: Path | None = None) -> Costs:
    return costs(build_grid(study, cells), cells, known, Questions(known, data))


def test_the_score_is_the_mean_of_what_lies_between_chance_and_ceiling(study: Study, card: Card) -> None:
    cells = [Cell("f", "a", 0, "pope", card("pope", 75.0)), Cell("f", "a", 0, "v7w", card("v7w", 85.0))]
    (line,) = of(study, cells).lines
    assert line.score == pytest.approx((50 + 80) / 2)


def test_its_interval_adds_the_squares_of_what_each_benchmark_may_be_off(study: Study, card: Card) -> None:
    pope = card("pope", 75.0, ci95={"f1": [73.5, 77.0]})
    gqa = card("gqa", 60.0, ci95={"accuracy": [56.0, 63.0]})
    (line,) = of(study, [Cell("f", "a", 0, "pope", pope), Cell("f", "a", 0, "gqa", gqa)]).lines
    assert line.low == pytest.approx(55 - (3**2 + 4**2) ** 0.5 / 2)
    assert line.high == pytest.approx(55 + (4**2 + 3**2) ** 0.5 / 2)


def test_a_score_without_an_interval_leaves_the_mean_without_one(study: Study, card: Card) -> None:
    (line,) = of(study, [Cell("f", "a", 0, "gqa", card("gqa", 60.0, ci95={}))]).lines
    assert (line.low, line.high) == (None, None)


def test_below_chance_the_score_is_below_zero(study: Study, card: Card) -> None:
    (line,) = of(study, [Cell("f", "a", 0, "v7w", card("v7w", 10.0))]).lines
    assert line.score == pytest.approx(-20)


def test_several_seeds_give_the_deviation_of_their_means(study: Study, card: Card) -> None:
    values = {0: (70.0, 40.0), 1: (75.0, 50.0), 2: (80.0, 60.0)}
    cells = [
        Cell("f", "a", seed, name, card(name, value))
        for seed, pair in values.items()
        for name, value in zip(("pope", "gqa"), pair, strict=True)
    ]
    (line,) = of(study, cells).lines
    assert (line.score, line.low, line.high) == pytest.approx((50, 40, 60))


def test_models_are_compared_on_what_all_of_them_have(study: Study, card: Card) -> None:
    cells = [
        *(Cell("f", "a", 0, name, card(name, 80.0)) for name in ("gqa", "v7w")),
        *(Cell("f", "b", 0, name, score) for name, score in (("gqa", card("gqa", 70.0)), ("v7w", None))),
        *(Cell("f", "none", 0, name, None) for name in ("gqa", "v7w")),
    ]
    found = of(study, cells)
    assert [column.benchmark for column in found.columns] == ["gqa"]
    assert {line.model.backbone: line.score for line in found.lines} == {"a": 80.0, "b": 70.0}


def test_a_study_without_scores_costs_nothing(study: Study) -> None:
    found = of(study, [Cell("f", "a", 0, "gqa", None)])
    assert (found.lines, found.kinds) == ((), [])


def test_seconds_are_the_mean_of_the_benchmarks_each_over_its_seeds_and_asked_questions(
    study: Study, card: Card
) -> None:
    times = {("gqa", 0): (10, 2.0), ("gqa", 1): (10, 4.0), ("pope", 0): (5, 0.5), ("pope", 1): (5, 0.5)}
    cells = [
        Cell("f", "a", seed, name, card(name, 60.0), Answering(questions=99, asked=asked, seconds=seconds))
        for (name, seed), (asked, seconds) in times.items()
    ]
    assert of(study, cells).lines[0].seconds == pytest.approx((0.3 + 0.1) / 2)
    unknown = [replace(cell, answering=None) if cell.benchmark == "pope" else cell for cell in cells]
    assert of(study, unknown).lines[0].seconds is None


def test_a_checkpoint_tells_parameters_and_the_tokens_of_its_questions(
    study: Study, card: Card, tmp_path: Path
) -> None:
    model = assembled("llava", "phi-3")
    save(model, tmp_path / "model")
    many = [Sample(str(n), "why?", "1.jpg", (), {}, str(n)) for n in range(3 * QUESTIONS)]
    known = {"gqa": replace(KNOWN["gqa"], read=lambda _: many)}
    cells = [
        Cell("f", "ours", 0, "gqa", card("gqa", 60.0), model=tmp_path / "model"),
        Cell("f", "adopted", 0, "gqa", card("gqa", 60.0)),
    ]
    ours, adopted = of(study, cells, known, tmp_path).lines
    assert ours.parameters == sum(weight.numel() for weight in model.network.parameters())
    assert ours.tokens is not None
    assert ours.tokens > model.image_tokens
    assert (adopted.parameters, adopted.tokens) == (None, None)
    assert of(study, cells, known, None).lines[0].tokens is None
    assert of(study, cells, KNOWN, tmp_path).lines[0].tokens is None, "there are no such files"


def a_line(name: str, score: float, size: int | None) -> Cost:
    return Cost(Model("f", name), score, None, None, size, None, None)


def test_the_front_is_whom_nobody_beats_at_its_cost() -> None:
    lines = (
        a_line("dear", 60, 13), a_line("cheap", 50, 3), a_line("bad", 40, 7), a_line("good", 58, 7),
        a_line("same", 58, 7), a_line("as-good-but-dearer", 60, 20), a_line("unknown", 99, None),
    )  # fmt: skip
    found = Costs((), lines, "ci95")
    assert [line.model.backbone for line in found.front("parameters")] == ["cheap", "good", "same", "dear"]
    assert found.kinds == ["parameters"]


def test_the_table_is_json_and_names_the_fronts(study: Study, card: Card) -> None:
    found = Costs((), (a_line("a", 60, 13), a_line("b", 50, 20)), "ci95").to_json()
    assert json.loads(json.dumps(found)) == {
        "benchmarks": [],
        "interval": "ci95",
        "models": [
            {"family": "f", "backbone": name, "score": score, "low": None, "high": None, "parameters": size,
             "tokens": None, "seconds": None, "front": front}
            for name, score, size, front in (("a", 60, 13, ["parameters"]), ("b", 50, 20, []))
        ],
    }  # fmt: skip
