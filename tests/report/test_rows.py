"""The JSON of `vertebra report --json`."""

import json
import math
from collections.abc import Callable

import pytest

from vertebra.errors import DataError
from vertebra.report import Answering, Cell, answering, results, rows

Card = Callable[..., dict[str, object]]


def test_a_row_is_what_the_contract_says(card: Card) -> None:
    found = results("miniature", [Cell("fam", "bone", 0, "pope", card("pope", 80.5))])
    first = {"family": "fam", "backbone": "bone", "seed": 0, "benchmark": "pope", "metric": "f1", "value": 80.5}
    assert json.loads(json.dumps(found))["rows"][0] == first | {"n": 300, "ci95": [78.5, 82.5]}


def test_the_headline_comes_first_whatever_the_scorecard_s_order(card: Card) -> None:
    assert [row.metric for row in rows([Cell("fam", "bone", 0, "pope", card("pope", 80.5))])] == ["f1", "extra"]


def test_a_metric_without_an_interval_has_none(card: Card) -> None:
    assert rows([Cell("fam", "bone", 0, "pope", card("pope", 80.5))])[1].ci95 is None


def test_a_cell_without_a_scorecard_is_no_row_but_is_listed(card: Card) -> None:
    cells = [Cell("fam", "bone", 0, "pope", card("pope", 1)), Cell("fam", "bone", 1, "pope", None)]
    found = results("miniature", cells)
    assert found["missing"] == ["fam/bone/seed1/pope"]
    assert {row.seed for row in rows(cells)} == {0}


def test_a_time_stands_beside_the_rows_and_only_where_it_is_known(card: Card) -> None:
    told = {"questions": 720, "asked": 342, "seconds": 0.5}
    cells = [
        Cell("fam", "bone", 0, "pope", card("pope", 1), Answering.read([{"time": 1.0, **told}])),
        Cell("fam", "bone", 1, "pope", card("pope", 1)),
    ]
    assert answering(cells) == [{"family": "fam", "backbone": "bone", "seed": 0, "benchmark": "pope"} | told]
    assert {row.seed for row in rows(cells)} == {0, 1}


def test_a_step_that_was_taken_up_again_has_the_time_that_it_said_last() -> None:
    log = [{"questions": 3, "asked": 2, "seconds": seconds} for seconds in (1, 4)]
    assert Answering.read([*log, {"note": "done"}]) == Answering(questions=3, asked=2, seconds=4.0)


@pytest.mark.parametrize(
    "changes", [{"seconds": "1"}, {"seconds": math.nan}, {"asked": -1}, {"asked": True}, {"questions": None}]
)
def test_a_log_line_that_is_no_time_is_passed_over(changes: dict[str, object]) -> None:
    assert Answering.read([]) is None
    assert Answering.read([{"questions": 3, "asked": 2, "seconds": 1.0} | changes]) is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"n": "many"}, "`n`"),
        ({"metrics": {"f1": math.nan}}, "`metrics.f1`"),
        ({"metrics": {"accuracy": 3.0}}, "headline 'f1'"),
        ({"ci95": {"f1": [1.0]}}, "`ci95.f1"),
    ],
)
def test_a_scorecard_that_is_none_is_named_with_its_cell(
    card: Card, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(DataError, match="fam/bone/seed0/pope") as raised:
        rows([Cell("fam", "bone", 0, "pope", card("pope", 1, **changes))])
    assert complaint in str(raised.value)
