"""Intervals of single scores. Golden values are of statsmodels 0.15.0 and scipy 1.17.1."""

import json

import numpy as np
import pytest
from tests.scoring.studies import accuracy_tables, answers, f1, f1_table

from vertebra import benchmarks
from vertebra.scoring.benchmark import Sample, Verdict
from vertebra.scoring.intervals import ci95, freedom, interval, variance
from vertebra.scoring.metrics import accuracy, leave_one_out, tabulate
from vertebra.scoring.scorecard import stored

HITS = [1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1]


def table_of(hits, each=1):
    return tabulate([{"right": float(hit), "all": 1.0} for hit in hits], [str(at // each) for at in range(len(hits))])


def test_the_clustered_standard_error_is_that_of_a_regression_on_a_constant():
    # sm.OLS(hits, ones).fit(cov_type="cluster", cov_kwds={"groups": 0 0 0 1 1 1 ...}).bse
    without = accuracy(leave_one_out(table_of(HITS, each=3)))["accuracy"]
    assert float(variance(without)) ** 0.5 == pytest.approx(7.2739296745330755, abs=1e-9)


def test_a_share_of_independent_questions_gets_wilson_s_interval_with_student_s_t():
    # proportion_confint(0.85 * 59, 59, alpha=2 * norm.sf(t.ppf(0.975, 59)), method="wilson")
    low, high = ci95(accuracy, table_of([1] * 51 + [0] * 9), {})["accuracy"]
    assert (low, high) == pytest.approx((73.50341698437232, 92.04799478225346), abs=1e-9)


def test_where_every_answer_is_right_the_interval_still_has_a_width():
    low, high = ci95(accuracy, table_of([1] * 60), {})["accuracy"]
    assert high == 100
    assert 93 < low < 96


def test_an_interval_stays_in_its_metric_s_range():
    low, high = interval(1_990.0, 12.0, 40, (0.0, 2_000.0))
    assert 1_900 < low < 1_990 < high <= 2_000
    assert interval(103.0, 2.0, 24, None) == pytest.approx((103 - 4.13731, 103 + 4.13731), abs=1e-4)


def test_one_image_has_no_interval():
    assert ci95(accuracy, table_of([1, 0, 1], each=3), {}) == {}


def test_degrees_of_freedom_of_two_variances_are_welch_s():
    one, other = np.array([1, 2, 4, 7.0]), np.array([2, 2.5, 9])
    parts = [(float(each.var(ddof=1)) / len(each), float(len(each) - 1)) for each in (one, other)]
    assert freedom(parts) == pytest.approx(3.349439601494396, abs=1e-9)  # scipy.stats.ttest_ind(equal_var=False).df


def held(images, each, studies):
    """How many intervals hold the true accuracy."""
    rng, number = np.random.default_rng(images), 0
    for share in (0.35, 0.6, 0.75, 0.9):
        for _ in range(studies // 200):
            for table in accuracy_tables(answers(rng, [share], images, each, studies=50)):
                low, high = ci95(accuracy, table, {})["accuracy"]
                number += low <= 100 * share <= high
    return number


def test_of_ten_thousand_studies_the_interval_holds_the_truth_in_95_percent():
    found = [held(images, each, 2_000) for images, each in [(60, 1), (24, 3), (218, 1), (300, 4), (5_000, 1)]]
    assert 9_400 <= sum(found) <= 9_600
    assert all(1_870 <= number <= 1_930 for number in found)


def test_an_f1_is_held_by_its_interval_as_often():
    rng, held = np.random.default_rng(5), 0
    for _ in range(1_000):
        right, yes = answers(rng, [0.8], 100, 3)[0, 0], rng.random((100, 3)) < 0.5
        low, high = ci95(f1, f1_table(right, yes), {})["f1"]
        held += low <= 80 <= high  # recall is 80 % and, half of the questions being such, so is precision
    assert 935 <= held <= 965


def sample_of(at):
    groups = {"subset": ("random", "popular", "adversarial")[at % 3], "subtask": "OCR", "subject": "physics"}
    return Sample(f"q{at}", "?", f"{at // 2}.jpg", ("yes",), groups, f"q{at // 2 * 2}")


@pytest.mark.parametrize("name", benchmarks.names())
def test_every_metric_of_every_benchmark_has_an_interval_that_holds_it(name):
    chosen, rng = benchmarks.benchmark(name), np.random.default_rng(3)
    points = {"grades": lambda: (rng.integers(11) / 10,), "reviews": lambda: (8.0, float(rng.integers(4, 10)))}
    samples, verdicts = [sample_of(at) for at in range(120)], []
    for asked in samples:
        runs = tuple(points[chosen.judging.layout]() for _ in range(3)) if chosen.judging else ()
        hit = float(rng.random() < 0.7)
        verdicts.append(Verdict(asked.id, hit, "yes" if hit else "no", runs=runs))
    card = json.loads(json.dumps(stored(chosen, samples, verdicts).scorecard))
    assert card["ci95"].keys() == card["metrics"].keys()
    groups = [(card["metrics"], card["ci95"])]
    assert card["groups"].keys() == card["group_ci95"].keys()
    for dimension, by_value in card["groups"].items():
        groups += [(metrics, card["group_ci95"][dimension][value]) for value, metrics in by_value.items()]
    for metrics, found in groups:
        assert metrics.keys() - found.keys() == metrics.keys() & set(chosen.counts)
        for metric, (low, high) in found.items():
            assert low <= metrics[metric] <= high
            assert low < high or metrics[metric] == 0


def test_a_group_s_interval_is_wider_than_that_of_all():
    chosen, rng = benchmarks.benchmark("pope"), np.random.default_rng(4)
    samples = [sample_of(at) for at in range(300)]
    hits = rng.random(300) < 0.7
    verdicts = [Verdict(asked.id, float(hit), "yes" if hit else "no") for asked, hit in zip(samples, hits, strict=True)]
    card = stored(chosen, samples, verdicts).scorecard

    def wide(ends):
        return ends[1] - ends[0]

    assert wide(card["ci95"]["accuracy"]) < 0.75 * wide(card["group_ci95"]["subset"]["random"]["accuracy"])
