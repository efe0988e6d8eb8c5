"""Differences between two models. Golden values are of statsmodels 0.15.0 and scipy 1.17.1."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from tests.scoring.studies import accuracy_tables, answers, f1, f1_table

from vertebra.scoring.intervals import PERCENT, ci95
from vertebra.scoring.metrics import Table, accuracy, tabulate
from vertebra.scoring.paired import differences, estimate, mcnemar
from vertebra.scoring.significance import detectable, holm

A = [0.3, 0.6, 1, 0, 0.9, 0.3, 1, 1]
B = [0.6, 0.6, 1, 0.3, 1, 0, 1, 0.9]
SIZES = [(60, 1), (24, 3), (218, 1), (500, 3), (5_000, 1)]
"""Images, and questions on each."""


def table_of(scores, each=1):
    tallies = [{"right": float(score), "all": 1.0} for score in scores]
    return tabulate(tallies, [str(at // each) for at in range(len(scores))])


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),  # mcnemar([[10, only_a], [only_b, 20]], exact=True)
    [(121, 59, 4.4344492637551645e-06), (5, 0, 0.0625), (7, 7, 1), (3, 12, 0.03515625), (1, 0, 1), (0, 0, 1)],
)
def test_mcnemar_s_test_is_statsmodels(only_a, only_b, p):
    a = [1.0] * (10 + only_a) + [0.0] * (only_b + 20)
    b = [1.0] * 10 + [0.0] * only_a + [1.0] * only_b + [0.0] * 20
    found = mcnemar(a, b)
    assert found == (only_a, only_b, pytest.approx(p, abs=1e-12))
    assert found.p == pytest.approx(stats.binomtest(only_a, max(1, only_a + only_b)).pvalue if only_a else p, abs=1e-9)


def test_answers_that_are_partly_right_have_no_mcnemar():
    assert mcnemar([0.3, 1.0], [1.0, 1.0]) is None


def test_independent_questions_of_a_metric_without_ends_get_the_paired_t_interval():
    found = differences(accuracy, [table_of(A)], [table_of(B)], {"accuracy": None})["accuracy"]
    low, high = -12.933054322360092, 20.433054322360092  # 100 * ttest_rel(B, A).confidence_interval()
    assert (found.value, *found.ci95) == pytest.approx((3.75, low, high), abs=1e-9)


def test_what_both_models_find_hard_cancels():
    right = answers(np.random.default_rng(0), [0.7, 0.7], 300, 4, alike=0.95)[0]
    a, b = (table_of(model.ravel(), each=4) for model in right)
    alone = estimate(accuracy, [a], "accuracy", PERCENT).error_questions
    assert differences(accuracy, [a], [b])["accuracy"].error < 0.7 * alone  # of unlike models 1.4 times


def test_an_estimate_of_one_seed_has_the_interval_of_its_scorecard():
    table = table_of([1, 0, 1, 1, 0, 1, 1])
    found = estimate(accuracy, [table], "accuracy", PERCENT)
    assert found.ci95 == pytest.approx(ci95(accuracy, table, {})["accuracy"], abs=1e-12)
    assert found.error_seeds is None


def test_the_bootstrap_of_an_f1_agrees_with_its_standard_error():
    rng = np.random.default_rng(3)
    yes, right = rng.random((300, 4)) < 0.5, answers(rng, [0.8, 0.83], 300, 4)[0]
    found = differences(f1, [f1_table(right[0], yes)], [f1_table(right[1], yes)], bootstrap=True)["f1"]
    assert found.bootstrap95 == pytest.approx(found.ci95, abs=0.12 * (found.ci95[1] - found.ci95[0]))


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("spread", [0.0, 3.0])
def test_seeds_that_differ_widen_the_interval_so_that_it_holds_the_truth(seeds, spread):
    rng, held = np.random.default_rng(seeds), 0
    for _ in range(1_000):
        luck = np.clip(70 + spread * rng.standard_normal((2, seeds)), 50, 90) / 100
        right = answers(rng, luck.ravel().tolist(), 400, 1, alike=0.7)
        tables = [next(accuracy_tables(right[:, at : at + 1])) for at in range(2 * seeds)]
        low, high = differences(accuracy, tables[:seeds], tables[seeds:])["accuracy"].ci95
        held += low <= 0 <= high
    assert held / 1_000 >= 0.93
    assert spread == 0 or held / 1_000 <= 0.97  # seeds that do not differ are allowed for all the same


def test_seeds_have_an_error_of_their_own():
    tables = [table_of([1] * hits + [0] * (100 - hits)) for hits in (70, 74, 60, 64)]
    found = differences(accuracy, tables[:2], tables[2:])["accuracy"]
    assert (found.value, found.between, found.seeds) == pytest.approx((-10, 8, 8))
    assert found.error == pytest.approx((found.questions + 8) ** 0.5)
    assert found.test == "t over questions and seeds"


def held(images, each, studies):
    """How many intervals hold the true difference, 4."""
    rng, number = np.random.default_rng(images), 0
    for _ in range(studies // 50):
        right = answers(rng, [0.7, 0.74], images, each, studies=50)
        for a, b in zip(accuracy_tables(right[:, :1]), accuracy_tables(right[:, 1:]), strict=True):
            low, high = differences(accuracy, [a], [b], flips=16)["accuracy"].ci95
            number += low <= 4 <= high
    return number


def test_of_ten_thousand_differences_the_interval_holds_the_truth_in_95_percent():
    found = [held(images, each, 2_000) for images, each in SIZES]
    assert 9_400 <= sum(found) <= 9_600
    assert all(1_870 <= number <= 1_930 for number in found)


@pytest.mark.parametrize(("images", "each"), [(60, 1), (24, 3), (218, 1)])
@pytest.mark.parametrize("alike", [0.5, 0.95])
def test_where_hardly_an_answer_differs_the_interval_is_rather_too_wide(images, each, alike):
    """Value ± t · error holds 75 to 95 % of these."""
    rng, number = np.random.default_rng(images), 0
    right = answers(rng, [0.95, 0.97], images, each, alike=alike, studies=800)
    for a, b in zip(accuracy_tables(right[:, :1]), accuracy_tables(right[:, 1:]), strict=True):
        low, high = differences(accuracy, [a], [b], flips=16)["accuracy"].ci95
        number += low <= 2 <= high
        assert -100 <= low <= high <= 100
    assert number >= 0.945 * 800


@pytest.mark.parametrize(("images", "each", "studies"), [(60, 1, 1_500), (500, 1, 500), (60, 3, 100)])
def test_of_studies_of_equal_models_at_most_5_percent_show_any_difference(images, each, studies):
    rng, wrong = np.random.default_rng(images), 0
    for _ in range(studies):
        chances = []
        for share in (0.6, 0.85):  # two benchmarks, four models
            tables = [
                next(accuracy_tables(one[None])) for one in answers(rng, [share] * 4, images, each).swapaxes(0, 1)
            ]
            pairs = [differences(accuracy, [a], [b], flips=999)["accuracy"] for a, b in combinations(tables, 2)]
            chances += [pair.p for pair in pairs]
        wrong += min(holm(chances)) <= 0.05
    assert wrong / studies <= 0.05


# n, Vicuna-13B, Llama-3-8B (LLaVA-1.5); half width, least difference and z that these allow
PUBLISHED = [
    ("mmbench", 1_164, 67.7, 72.3, 2.6, 3.8, 3.4),
    ("mmbench_cn", 1_164, 63.6, 65.8, 2.8, 4.0, 1.6),
    ("scienceqa", 2_017, 71.6, 75.2, 2.0, 2.8, 3.7),
    ("pope", 8_910, 87.4, 87.1, 0.7, 1.0, -0.8),
    ("vizwiz", 8_000, 53.6, 50.0, 1.1, 1.6, -6.5),
    ("textvqa", 5_000, 61.3, 58.0, 1.4, 2.0, -4.8),
    ("vqav2", 107_394, 80.0, 79.6, 0.24, 0.35, -3.3),
    ("gqa", 12_578, 63.3, 63.2, 0.84, 1.2, -0.2),
    ("seed_img", 14_232, 68.2, 69.0, 0.77, 1.1, 2.1),
]


@pytest.mark.parametrize(("name", "n", "a", "b", "half", "least", "z"), PUBLISHED)
def test_the_published_table_under_a_test(name, n, a, b, half, least, z):
    """Answers with the published accuracies, one question an image, that agree by a correlation of one half."""
    share_a, share_b = a / 100, b / 100
    both = share_a * share_b + 0.5 * (share_a * (1 - share_a) * share_b * (1 - share_b)) ** 0.5
    counts = np.round(n * np.array([both, share_a - both, share_b - both, 1 - share_a - share_b + both]))
    right_a, right_b = (np.repeat(hits, counts.astype(int)) for hits in ([1, 1, 0, 0], [1, 0, 1, 0]))
    tables = [
        Table(("right", "all"), np.stack([hits, np.ones_like(hits)], axis=1).astype(float))
        for hits in (right_a, right_b)
    ]
    found = differences(accuracy, [tables[0]], [tables[1]], single=True)["accuracy"]
    low, high = ci95(accuracy, tables[1], {})["accuracy"]
    assert (high - low) / 2 == pytest.approx(half, rel=0.06)
    assert detectable(found.error) == pytest.approx(least, rel=0.06)
    assert found.value / found.error == pytest.approx(z, abs=0.15)
    assert (found.p < 0.05) == (abs(z) > 1.96)
