"""What a study can show. Golden values are of statsmodels 0.15.0."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.scoring.significance import detectable, holm, questions_needed, seeds_needed


def test_holm_s_adjustment_is_statsmodels():
    adjusted = holm([0.001, 0.04, 0.03, 0.005, 0.0125, 0.9, 0.03])  # multipletests(..., method="holm")
    assert adjusted == pytest.approx([0.007, 0.12, 0.12, 0.03, 0.0625, 0.9, 0.12], abs=1e-9)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_never_makes_a_chance_smaller_nor_turns_an_order_round(chances):
    adjusted = holm(chances)
    assert all(before <= after <= 1 for before, after in zip(chances, adjusted, strict=True))
    by_chance = sorted(zip(chances, adjusted, strict=True))
    assert [after for _, after in by_chance] == sorted(adjusted)


def test_the_detectable_difference_is_that_of_a_power_of_80_percent():
    # NormalIndPower().solve_power(nobs1=1000, alpha=0.05, power=0.8, ratio=0); it counts the wrong side's 1e-6 too
    assert detectable(1 / 1_000**0.5) == pytest.approx(0.0885938474456881, rel=1e-5)


def test_questions_needed_are_those_with_which_the_difference_would_be_detectable():
    needed = questions_needed(1_000, 2.0, variance=1.44, fixed=0.0)
    assert needed is not None
    assert detectable((1.44 * 1_000 / needed) ** 0.5) <= 2.0 < detectable((1.44 * 1_000 / (needed - 1)) ** 0.5)


def test_seeds_needed_are_those_with_which_the_difference_would_be_detectable():
    needed = seeds_needed(2.0, between=1.0, fixed=0.1)
    assert needed is not None
    assert detectable((2 * 1.0 / needed + 0.1) ** 0.5) <= 2.0 < detectable((2 * 1.0 / (needed - 1) + 0.1) ** 0.5)


def test_what_more_of_does_not_lessen_can_make_every_number_too_few():
    assert questions_needed(1_000, 1.0, variance=0.1, fixed=0.2) is None
    assert questions_needed(1_000, 0.0, variance=0.1, fixed=0.0) is None
    assert seeds_needed(1.0, between=0.1, fixed=0.2) is None
