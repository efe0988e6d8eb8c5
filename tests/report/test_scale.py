"""Where the marks of an axis stand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.report.scale import scale, scale_log

NUMBERS = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=5)
COSTS = st.lists(st.floats(1e-4, 1e12), min_size=1, max_size=5)


@given(NUMBERS, st.floats(0.1, 200))
def test_marks_are_few_in_equal_steps_and_hold_all_values(values: list[float], least: float) -> None:
    marks = scale(values, least)
    assert 2 <= len(marks) <= 5
    steps = [b - a for a, b in pairwise(marks)]
    assert max(steps) == pytest.approx(min(steps))
    slack = 1e-6 * (marks[-1] - marks[0])
    assert marks[0] - slack <= min(values) <= max(values) <= marks[-1] + slack
    assert marks[-1] - marks[0] >= least - slack


@given(COSTS)
def test_marks_of_costs_are_few_rising_above_zero_and_hold_all_values(values: list[float]) -> None:
    marks = scale_log(values)
    assert 2 <= len(marks) <= 6
    assert 0 < marks[0] <= min(values) * 1.001
    assert marks[-1] >= max(values) * 0.999
    assert marks == sorted(set(marks))


def test_marks_are_round() -> None:
    assert scale([83.1, 87.4, 85.0], 1) == [82, 84, 86, 88]
    assert scale_log([0.5, 13]) == [0.5, 1, 2, 5, 10, 20]
    assert scale_log([6.7e9, 13.4e9]) == [6e9, 8e9, 1e10, 1.2e10, 1.4e10]
