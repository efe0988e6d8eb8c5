"""Sums of tallies and their bootstrap."""

import time

import numpy as np
import pytest

from vertebra.scoring.metrics import ZERO, Sums, accuracy, add, leave_one_out, ratio, resample, tabulate

TALLIES = [{"right": float(index % 3 == 0), "all": 1.0} for index in range(300)]
IMAGES = [f"image{index // 4}" for index in range(300)]


def test_accuracy_is_percent_of_all():
    assert accuracy(add(TALLIES))["accuracy"] == pytest.approx([100 / 3])


def test_a_zero_denominator_gives_zero():
    assert ratio(np.array([1.0, 2.0]), np.array([0.0, 4.0])).tolist() == [0.0, 0.5]
    assert ratio(ZERO, ZERO).tolist() == [0.0]


def test_what_nothing_was_added_to_is_zero_and_stays_absent():
    sums = Sums()
    assert sums["tp"].tolist() == [0.0]
    assert not sums


def test_a_table_has_a_row_of_sums_per_cluster_in_the_order_of_the_questions():
    table = tabulate([{"right": 1.0, "all": 1.0}, {"all": 1.0}, {"right": 0.5, "all": 1.0}], ["b", "a", "b"])
    assert table.names == ("right", "all")
    assert table.values.tolist() == [[1.5, 2.0], [0.0, 1.0]]
    assert table.under(["all", "judged"]).values.tolist() == [[2.0, 0.0], [1.0, 0.0]]


def test_without_one_cluster_are_the_sums_of_the_others():
    table = tabulate([{"all": 1.0}, {"all": 10.0}, {"all": 100.0}], ["a", "b", "a"])
    assert leave_one_out(table)["all"].tolist() == [10.0, 101.0]


def test_resamples_are_the_same_for_the_same_seed_and_differ_for_another():
    first, again, other = (resample(tabulate(TALLIES, IMAGES), 50, seed)["right"] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_whole_clusters_are_drawn():
    sums = resample(tabulate(TALLIES, ["one"] * 150 + ["two"] * 150), 100, 0)
    assert set(sums["right"]) == {100.0}
    table = tabulate([{"all": 1.0}, {"all": 10.0}], ["a", "b"])
    assert set(resample(table, 100, 0)["all"]) == {2.0, 11.0, 20.0}


def spread(tallies, clusters, resamples):
    return accuracy(resample(tabulate(tallies, list(map(str, clusters))), resamples, 0))["accuracy"].std()


def test_the_bootstrap_spread_is_the_textbook_standard_error():
    rng = np.random.default_rng(1)
    tallies = [{"right": float(hit), "all": 1.0} for hit in rng.random(1_000) < 0.7]
    assert spread(tallies, range(1_000), 1_000) == pytest.approx(100 * np.sqrt(0.7 * 0.3 / 1_000), rel=0.1)


def test_clustered_answers_have_a_wider_spread_than_independent_ones():
    tallies = [{"right": float(index // 10 % 2), "all": 1.0} for index in range(300)]
    assert spread(tallies, [index // 10 for index in range(300)], 300) > 2 * spread(tallies, range(300), 300)


def test_no_questions_resample_to_nothing():
    assert resample(tabulate([], []), 10, 0) == {}


def test_ten_thousand_resamples_of_fourteen_thousand_questions_take_less_than_two_seconds():
    table = tabulate([{"right": float(index % 3 == 0), "all": 1.0} for index in range(14_000)], range(14_000))
    start = time.process_time()
    resample(table, 10_000, 0)
    assert time.process_time() - start < 2
