"""Two documents, number by number."""

import pytest

from vertebra.report.verifying.numbers import differences, equal, leaves

ROW = {
    "family": "f",
    "backbone": "b",
    "seed": 0,
    "benchmark": "pope",
    "metric": "f1",
    "value": 98.2,
    "ci95": [1.0, 2.0],
}
OTHER = {**ROW, "metric": "accuracy", "value": 97.0}


def test_a_leaf_knows_its_benchmark_and_the_step_that_computed_it() -> None:
    found = leaves({"rows": [ROW]})[("rows", "pope/f/b/seed0/f1", "value")]
    assert found == (98.2, "pope", "f/b/seed0/pope/score")
    assert found.is_number()


def test_the_order_of_rows_does_not_matter() -> None:
    one, other = ({"rows": rows} for rows in ([ROW, OTHER], [OTHER, ROW]))
    assert list(differences("x", leaves(one), leaves(other))) == []


def test_rows_of_the_same_name_are_all_compared() -> None:
    found = leaves({"rows": [ROW, {**ROW, "value": 1.0}]})
    assert found[("rows", "pope/f/b/seed0/f1#2", "value")].value == 1.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (98.2, 98.2 + 1e-10, True),
        (98.2, 98.21, False),
        (0.0, 1e-12, True),
        (1, True, False),
        (None, 0, False),
        (None, None, True),
        ("1", 1, False),
        (float("nan"), float("nan"), False),
    ],
)
def test_equal_is_to_within_a_billionth(one: object, other: object, same: bool) -> None:
    assert equal(one, other) is same  # type: ignore[arg-type]
