"""Differences of means over benchmarks, and what they show."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.scoring.studies import accuracy_tables, answers

from vertebra.scoring.contrast import Contrast, Part, Variance, mean, part, single
from vertebra.scoring.metrics import accuracy
from vertebra.scoring.paired import differences

INF = math.inf
values = st.floats(-50, 50)


def contrast(value: float, error: float, freedom: float = INF) -> Contrast:
    return Contrast(value, error**2, freedom)


def test_a_mean_has_the_error_of_independent_benchmarks():
    found = mean([Part(3.0, Variance(4.0, INF)), Part(1.0, Variance(12.0, INF))])
    assert (found.value, found.error) == (2.0, pytest.approx(2.0))
    assert found.ci95 == pytest.approx((2 - 1.959964 * 2, 2 + 1.959964 * 2), abs=1e-6)
    assert found.p == pytest.approx(2 * stats.norm.sf(1.0))


def test_a_seed_is_taken_to_move_all_benchmarks_together():
    """Errors of seeds add up where those of questions cancel."""
    alone = Part(1.0, Variance(0.0, INF), Variance(4.0, 3))
    assert mean([alone, alone, alone, alone]).error == pytest.approx(2.0)
    assert mean([alone, alone]).freedom == pytest.approx(3)


def test_a_paired_difference_is_told_between_chance_and_ceiling():
    drawn = answers(np.random.default_rng(0), [0.6, 0.8], 300, 1, studies=1)
    a, b = (next(accuracy_tables(drawn[:, [model]])) for model in (0, 1))
    found = differences(accuracy, [a], [b], {"accuracy": None})["accuracy"]
    scaled = part(found, (25, 100), 300, seeds=2)
    assert scaled.value == pytest.approx(found.value / 0.75)
    assert scaled.questions == (pytest.approx(found.questions / 0.75**2), 299)
    assert scaled.seeds is None
    assert mean([scaled]).ci95 == pytest.approx([end / 0.75 for end in found.ci95])
    assert (single(found).ci95, single(found).p) == (pytest.approx(found.ci95), found.p)


@given(value=values, error=st.floats(0.01, 20), freedom=st.floats(1, 1000))
def test_an_interval_without_zero_is_a_p_below_five_percent(value, error, freedom):
    found = contrast(value, error, freedom)
    low, high = found.ci95
    if min(abs(low), abs(high)) > 1e-6 * error:
        assert (low > 0 or high < 0) == (found.p < 0.05)


@given(value=values, error=st.floats(0.01, 20), margin=st.floats(0.1, 10))
def test_what_is_surely_alike_is_not_surely_apart(value, error, margin):
    found = contrast(value, error)
    assert found.p_alike(margin) + found.p_apart(margin) == pytest.approx(1.0)
    if abs(value) > margin:
        assert found.p_alike(margin) > 0.5


def test_two_one_sided_tests_are_scipys():
    found = contrast(0.5, 0.6, freedom=40)
    assert found.p_alike(2.0) == pytest.approx(stats.t.sf((2.0 - 0.5) / 0.6, 40))


@given(value=values, error=st.floats(0, 20), told=st.none() | st.tuples(values, values))
def test_the_other_way_round_is_the_same_test(value, error, told):
    found = Contrast(value, error**2, 9, told=told)
    other = found.reversed()
    assert (other.value, other.p) == (-value, found.p)
    assert other.ci95 == pytest.approx((-found.ci95[1], -found.ci95[0]))


def test_without_any_error_a_difference_is_what_it_is():
    assert (contrast(0.0, 0.0).p, contrast(1.0, 0.0).p) == (1.0, 0.0)
    assert (contrast(1.0, 0.0).p_alike(2.0), contrast(3.0, 0.0).p_alike(2.0)) == (0.0, 1.0)
