"""Sums of tallies and their bootstrap."""

import time

import numpy as np
import pytest

from vertebra.scoring.metrics import ZERO, Sums, accuracy, add, ratio, resample

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


def test_resamples_are_the_same_for_the_same_seed_and_differ_for_another():
    first, again, other = (resample(TALLIES, IMAGES, 50, seed)["right"] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_whole_clusters_are_drawn():
    sums = resample(TALLIES, ["one"] * 150 + ["two"] * 150, 100, 0)
    assert set(sums["right"]) == {100.0}
    assert set(resample([{"all": 1.0}, {"all": 10.0}], ["a", "b"], 100, 0)["all"]) == {2.0, 11.0, 20.0}


def test_the_bootstrap_spread_is_the_textbook_standard_error():
    rng = np.random.default_rng(1)
    tallies = [{"right": float(hit), "all": 1.0} for hit in rng.random(1_000) < 0.7]
    column = accuracy(resample(tallies, [str(index) for index in range(1_000)], 1_000, 0))["accuracy"]
    assert column.std() == pytest.approx(100 * np.sqrt(0.7 * 0.3 / 1_000), rel=0.1)


def test_clustered_answers_have_a_wider_spread_than_independent_ones():
    tallies = [{"right": float(index // 10 % 2), "all": 1.0} for index in range(300)]
    alone = accuracy(resample(tallies, [str(index) for index in range(300)], 300, 0))["accuracy"].std()
    grouped = accuracy(resample(tallies, [str(index // 10) for index in range(300)], 300, 0))["accuracy"].std()
    assert grouped > 2 * alone


def test_no_questions_resample_to_nothing():
    assert resample([], [], 10, 0) == {}


def test_four_hundred_resamples_of_three_hundred_questions_are_quick():
    start = time.process_time()
    resample(TALLIES, IMAGES, 400, 0)
    assert time.process_time() - start < 0.3
