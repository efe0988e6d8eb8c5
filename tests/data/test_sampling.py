"""The order of training."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertebra.data import Schedule

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
