"""Samples laid out on devices and packs."""

import time
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.data.packing import Placement, place

Lengths = npt.NDArray[np.int32]
MANY = 665_298
"""Samples of LLaVA-1.5's instruction mixture."""

batches = st.lists(st.lists(st.integers(1, 60), max_size=24), max_size=5)
ranks = st.integers(1, 5)
limits = st.none() | st.integers(1, 100)


def arrays(batches: list[list[int]]) -> list[Lengths]:
    return [np.array(batch, np.int32) for batch in batches]


def mixture(samples: int, batch: int) -> list[Lengths]:
    """Steps of samples about as long as LLaVA's: a picture of 576 tokens and some text, or a conversation alone."""
    rng = np.random.default_rng(0)
    pictures = 576 * (rng.random(samples) < 0.94)
    text = np.exp(rng.normal(0, 0.8, samples)) * np.where(pictures, 227, 900)
    lengths = np.clip(text + pictures, 8, 2048).astype(np.int32)
    return [lengths[start : start + batch] for start in range(0, samples, batch)]


def everywhere(placement: Placement, step: int) -> list[list[list[int]]]:
    """The packs of a step, device by device."""
    return [placement.of(step, rank) for rank in range(placement.ranks)]


def tokens(pack: list[int], lengths: Lengths) -> int:
    return int(lengths[pack].sum())


@given(batches, ranks, limits)
def test_every_sample_of_a_step_is_in_one_pack_of_one_device(batches, ranks, limit):
    placement = place(arrays(batches), ranks, limit)
    for step, batch in enumerate(batches):
        placed = [sample for packs in everywhere(placement, step) for pack in packs for sample in pack]
        assert sorted(placed) == list(range(len(batch)))


@given(batches, ranks, limits)
def test_all_devices_have_as_many_packs_in_a_step(batches, ranks, limit):
    placement = place(arrays(batches), ranks, limit)
    for step in range(len(batches)):
        assert {len(packs) for packs in everywhere(placement, step)} == {placement.packs[step]}
        assert placement.packs[step] >= 1


@given(batches, ranks, st.integers(1, 100))
def test_no_pack_is_longer_than_it_may_be_or_the_longest_sample_is(batches, ranks, limit):
    steps = arrays(batches)
    placement = place(steps, ranks, limit)
    for step, lengths in enumerate(steps):
        allowed = max(limit, lengths.max(initial=0))
        assert all(tokens(pack, lengths) <= allowed for packs in everywhere(placement, step) for pack in packs)


@given(batches, ranks)
def test_without_a_limit_a_step_is_one_pack_of_each_device(batches, ranks):
    assert place(arrays(batches), ranks, None).packs.tolist() == [1] * len(batches)


@given(batches, ranks, limits)
def test_a_step_is_placed_as_it_would_be_alone(batches, ranks, limit):
    steps = arrays(batches)
    together = place(steps, ranks, limit)
    for step, lengths in enumerate(steps):
        assert everywhere(together, step) == everywhere(place([lengths], ranks, limit), 0)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(2, 3))
def test_the_longest_pack_is_within_grahams_bound_of_the_best_one(batch, ranks):
    """At most 4/3 - 1/(3m) of the optimum: R. L. Graham, 1969, theorem 3."""
    (lengths,) = arrays([batch])
    longest = max(tokens(pack, lengths) for (pack,) in everywhere(place([lengths], ranks, None), 0))
    best = min(np.bincount(where, lengths, ranks).max() for where in product(range(ranks), repeat=len(batch)))
    assert 3 * ranks * longest <= (4 * ranks - 1) * best


def test_the_longest_sample_is_laid_out_first_and_each_into_the_shortest_pack_so_far():
    placement = place(arrays([[3, 5, 3, 4, 3]]), 2, None)
    assert everywhere(placement, 0) == [[[0, 3, 4]], [[1, 2]]]
    assert (placement.useful, placement.filled) == (18, 2 * 10)
    assert placement.efficiency == 0.9


def test_packs_that_are_worked_on_at_the_same_time_are_alike():
    placement = place(arrays([[10, 9, 2, 2]]), 2, 10)
    assert everywhere(placement, 0) == [[[0], [2]], [[1], [3]]]
    assert placement.filled == 2 * 10 + 2 * 2


@given(batches, ranks, limits)
def test_efficiency_counts_what_devices_wait_for_each_other_as_lost(batches, ranks, limit):
    steps = arrays(batches)
    placement = place(steps, ranks, limit)
    taken = sum(
        ranks * max(tokens(pack, lengths) for pack in together)
        for step, lengths in enumerate(steps)
        for together in zip(*everywhere(placement, step), strict=True)
    )
    assert (placement.useful, placement.filled) == (sum(map(sum, batches)), taken)
    assert placement.efficiency == pytest.approx(placement.useful / max(1, taken))


@pytest.mark.parametrize("limit", [None, 16_384])
def test_eight_devices_waste_less_than_a_hundredth_on_samples_as_long_as_llavas(limit):
    assert place(mixture(12_800, 128), 8, limit).efficiency >= 0.99


@pytest.mark.parametrize("limit", [None, 16_384])
def test_an_epoch_of_llavas_mixture_is_placed_in_less_than_a_second(limit):
    steps = mixture(MANY, 128)
    begun = time.process_time()
    placement = place(steps, 8, limit)
    assert time.process_time() - begun < 1
    assert len(placement.bins) == 5198
