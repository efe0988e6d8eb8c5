"""The order of training, the one by modality against numbers of the published code.

https://github.com/haotian-liu/LLaVA/blob/main/llava/train/llava_trainer.py, c121f043.
"""

import random
from collections.abc import MutableSequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertebra.data import Schedule
from vertebra.data.sampling import Modality, by_modality

quick = settings(max_examples=60, deadline=None)
schedules = st.builds(Schedule, st.integers(1, 60), st.integers(1, 20), st.integers(1, 3), st.integers(0, 9))


@quick
@given(schedule=schedules)
def test_an_epoch_shows_every_record_once(schedule):
    seen: dict[int, list[int]] = {}
    for step in range(schedule.steps):
        epoch, indices = schedule.at(step)
        assert 1 <= len(indices) <= schedule.batch
        seen.setdefault(epoch, []).extend(indices)
    assert sorted(seen) == list(range(int(schedule.epochs)))
    for indices in seen.values():
        assert sorted(indices) == list(range(schedule.samples))


@quick
@given(schedule=schedules, data=st.data())
def test_a_step_is_reached_without_those_before_it(schedule, data):
    walked = [schedule.at(step) for step in range(schedule.steps)]
    step = data.draw(st.integers(0, schedule.steps - 1))
    again = Schedule(schedule.samples, schedule.batch, schedule.epochs, schedule.seed)
    for other in data.draw(st.lists(st.integers(0, schedule.steps - 1), max_size=3)):
        again.at(other)
    assert again.at(step) == walked[step]


def test_epochs_and_seeds_order_differently():
    orders = [Schedule(50, 50, 2, seed).at(step)[1] for seed in (0, 1) for step in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_the_order_is_the_same_in_every_process():
    """Hashes of texts differ between processes; this order was drawn in another one."""
    schedule = Schedule(10, 4, 2, 5)
    assert [schedule.at(step) for step in (0, 4)] == [(0, [9, 6, 8, 0]), (1, [1, 8, 5, 6])]


@pytest.mark.parametrize(("samples", "batch", "steps"), [(558128, 256, 2181), (665298, 128, 5198)])
def test_the_published_stages_take_the_published_number_of_steps(samples, batch, steps):
    """LLaVA-1.5's pretraining and fine-tuning (arXiv:2310.03744)."""
    assert Schedule(samples, batch, 1, 0).steps == steps


@pytest.mark.parametrize(("epochs", "steps"), [(0.5, 5), (0.01, 1), (1.5, 15)])
def test_part_of_an_epoch_is_part_of_its_steps(epochs, steps):
    assert Schedule(100, 10, epochs, 0).steps == steps


def test_the_last_batch_of_an_epoch_holds_what_is_left():
    assert [len(Schedule(10, 4, 2, 0).at(step)[1]) for step in range(6)] == [4, 4, 2, 4, 4, 2]


class Still(random.Random):
    """Leaves everything in its order, as `torch.randperm` did when the golden numbers were computed: `arange`."""

    def shuffle(self, x: MutableSequence[object]) -> None:
        """Nothing."""


BOTH = (5, -3, 9, -8, 2, 7, -1, -6, 4, 3, 8, -2)
UNEVEN = (*BOTH, 6, -9, 1)
PICTURES = (5, 3, 9, 8, 2, 7, 1, 6, 4, 10)
TEXTS = (-5, -3, -9, -8, -2, -7, -1, -6, -4, -10)


@pytest.mark.parametrize(
    ("words", "micro_batch", "devices", "order"),
    [
        (BOTH, 2, 2, [2, 4, 5, 0, 3, 6, 7, 1, 8, 9, 10, 11]),
        (UNEVEN, 2, 2, [2, 4, 5, 0, 10, 9, 12, 8, 3, 6, 7, 1, 11, 13, 14]),
        ((*UNEVEN, 5, 5, 7, -4), 3, 2, [2, 8, 4, 5, 0, 9, 13, 1, 11, 3, 7, 6, 10, 12, 14, 15, 16, 17, 18]),
        ((5, -3, 9), 2, 2, [0, 1, 2]),
        (BOTH, 4, 1, [2, 5, 0, 4, 3, 7, 1, 6, 8, 9, 10, 11]),
        ((4, -4, 4, -4, 4, 4, -4, 4, 2, 2, 2, -2), 2, 2, [0, 4, 2, 5, 1, 3, 6, 7, 8, 9, 10, 11]),
        (PICTURES, 2, 2, [2, 1, 3, 0, 5, 6, 7, 4, 9, 8]),
        (PICTURES, 2, 4, [2, 6, 3, 4, 5, 1, 7, 0, 9, 8]),
        (TEXTS, 2, 2, [1, 0, 3, 2, 6, 4, 7, 5, 8, 9]),
        ((*TEXTS, -11, -12, -13), 2, 3, [4, 1, 0, 5, 3, 2, 6, 8, 7, 9, 10, 11, 12]),
    ],
    ids=["both", "uneven", "micro-batches of three", "less than a batch", "one device", "alike", "pictures alone",
         "pictures left over", "text alone", "text left over"],
)  # fmt: skip
def test_the_order_by_modality_is_that_of_the_published_code(words, micro_batch, devices, order):
    """`get_modality_length_grouped_indices(words, micro_batch, devices)`."""
    assert by_modality(Modality(words, micro_batch), micro_batch * devices, Still()) == order


modalities = st.lists(st.integers(-9, 9).filter(bool), min_size=1, max_size=60).map(tuple)


@quick
@given(modalities, st.integers(1, 4), st.integers(1, 4), st.integers(0, 9))
def test_by_modality_an_epoch_shows_every_record_once_too(words, micro_batch, devices, seed):
    schedule = Schedule(len(words), micro_batch * devices, 1, seed, Modality(words, micro_batch))
    seen = [index for batch in schedule.epoch(0) for index in batch]
    assert sorted(seen) == list(range(len(words)))
    assert seen == [index for step in range(schedule.steps) for index in schedule.at(step)[1]]


def test_by_modality_batches_hold_pictures_or_text_alone_but_for_what_is_left():
    words = tuple(length if length % 3 else -length for length in range(1, 201))
    batches = [{words[index] > 0 for index in batch} for batch in Schedule(200, 8, 1, 0, Modality(words, 4)).epoch(0)]
    assert all(len(batch) == 1 for batch in batches[:-2])
    assert {*map(frozenset, batches[:-2])} == {frozenset({True}), frozenset({False})}


def test_by_modality_epochs_and_seeds_order_differently():
    words = tuple(range(1, 51))
    schedules = [Schedule(50, 10, 2, seed, Modality(words, 5)) for seed in (0, 1)]
    orders = [[*schedule.epoch(epoch)] for schedule in schedules for epoch in (0, 1)]
    assert all(one != other for place, one in enumerate(orders) for other in orders[:place])
