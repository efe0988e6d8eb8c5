"""Sign-flip tests, beside scipy's."""

import numpy as np
import pytest
from scipy import stats
from tests.scoring.studies import f1, f1_table

from vertebra.scoring.metrics import accuracy, tabulate
from vertebra.scoring.signflip import sign_flip

A = np.array([0.3, 0.6, 1, 0, 0.9, 0.3, 1, 1])
B = np.array([0.6, 0.6, 1, 0.3, 1, 0, 1, 0.9])


def tables(*scores, each=1):
    return [
        tabulate([{"right": float(score), "all": 1.0} for score in one], [str(at // each) for at in range(len(one))])
        for one in scores
    ]


def permuted(a, b):
    def statistic(one, other, axis):
        return np.mean(other - one, axis=axis)

    return stats.permutation_test((a, b), statistic, permutation_type="samples", vectorized=True).pvalue


def test_few_questions_are_exchanged_in_every_way_as_scipy_does():
    assert sign_flip(accuracy, *tables(A, B))["accuracy"].p == pytest.approx(permuted(A, B), abs=1e-9)


def test_an_image_s_questions_are_exchanged_together():
    by_image = permuted(A.reshape(-1, 2).sum(axis=1), B.reshape(-1, 2).sum(axis=1))
    assert sign_flip(accuracy, *tables(A, B, each=2))["accuracy"].p == pytest.approx(by_image, abs=1e-9)


def test_answers_that_are_right_or_wrong_are_counted_as_mcnemar_does():
    a, b = np.array([1] * 121 + [0] * 59 + [1] * 50), np.array([0] * 121 + [1] * 59 + [1] * 50)
    found = sign_flip(accuracy, *tables(a, b), single=True)["accuracy"]
    assert found.p == pytest.approx(4.4344492637551645e-06, abs=1e-15)  # statsmodels: mcnemar([[., 121], [59, .]])
    assert found.test == "exact McNemar"
    assert sign_flip(accuracy, *tables(a, b), single=False)["accuracy"] == (found.p, "exact sign test over images")


def test_many_questions_are_exchanged_at_random_and_near_the_t_test():
    rng = np.random.default_rng(0)
    a = rng.random(400)
    b = np.clip(a + rng.normal(0.015, 0.15, 400), 0, 1)
    found = sign_flip(accuracy, *tables(a, b))["accuracy"].p
    assert 0.01 < found < 0.3
    assert found == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=0.15)
    assert found == sign_flip(accuracy, *tables(a, b))["accuracy"].p


def test_where_no_exchange_reaches_the_difference_the_chance_is_smaller_than_one_in_so_many():
    rng = np.random.default_rng(0)
    a = rng.random(400)
    near, far = (sign_flip(accuracy, *tables(a, a + rng.normal(by, 0.3, 400)))["accuracy"].p for by in (0.05, 0.1))
    exact = 2 * stats.norm.sf(6.5)
    assert far < 1e-4 < near < 0.01
    assert exact / 1e4 < far


def test_equal_answers_are_no_difference():
    assert sign_flip(accuracy, *tables(A, A))["accuracy"].p == 1


def test_a_metric_that_is_no_mean_is_computed_anew_for_each_exchange():
    rng = np.random.default_rng(1)
    yes = rng.random((8, 3)) < 0.5
    one, other = (rng.random((8, 3)) < share for share in (0.9, 0.5))
    a, b = f1_table(one, yes), f1_table(other, yes)
    found = sign_flip(f1, a, b)["f1"].p

    def of(values):
        tp, fp, fn = values.sum(axis=0)
        return 200 * tp / (2 * tp + fp + fn)

    seen, reached = abs(of(b.values) - of(a.values)), 0
    for number in range(2**8):
        flips = np.array([number >> at & 1 for at in range(8)], dtype=bool)[:, None]
        gap = of(np.where(flips, a.values, b.values)) - of(np.where(flips, b.values, a.values))
        reached += abs(gap) >= seen - 1e-9
    assert found == pytest.approx(reached / 2**8, abs=1e-12)
