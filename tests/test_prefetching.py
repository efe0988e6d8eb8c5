"""Work done ahead in threads."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from vertebra.prefetching import prefetched


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_their_tasks(threads):
    def slower_first(task: int) -> int:
        time.sleep(0.002 * (task % 3 == 0))
        return task * task

    assert [*prefetched(slower_first, range(40), threads)] == [task * task for task in range(40)]


def test_no_task_gives_nothing():
    assert [*prefetched(abs, [], 4)] == []


@pytest.mark.parametrize("threads", [1, 3])
def test_at_most_twice_as_many_tasks_are_begun_as_there_are_threads(threads):
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for task in range(30):
            taken.append(task)
            yield task

    with closing(prefetched(lambda task: task, tasks(), threads)) as results:
        assert taken == [], "nothing before it is asked for"
        for number, _ in enumerate(results):
            assert len(taken) == min(30, 2 * threads + number + 1)


def test_as_many_tasks_are_worked_on_at_a_time_as_there_are_threads():
    together = threading.Barrier(3, timeout=30)
    assert len([*prefetched(lambda _: together.wait(), range(9), 3)]) == 9


def test_an_error_arrives_where_its_result_is_asked_for():
    def work(task: int) -> int:
        return 6 // (3 - task)

    with closing(prefetched(work, range(9), 4)) as results:
        assert [next(results) for _ in range(3)] == [2, 3, 6]
        with pytest.raises(ZeroDivisionError):
            next(results)
        with pytest.raises(StopIteration):
            next(results)


def test_what_the_tasks_raise_arrives_too():
    def tasks() -> Iterator[int]:
        yield 1
        raise LookupError

    with pytest.raises(LookupError):
        [*prefetched(abs, tasks(), 2)]


def test_closing_ends_the_threads_and_begins_nothing_more():
    begun: list[int] = []
    go_on = threading.Event()

    def work(task: int) -> int:
        begun.append(task)
        if task > 0:
            go_on.wait(30)
        return task

    before = threading.active_count()
    results = prefetched(work, range(1000), 2)
    next(results)
    while len(begun) < 3:
        time.sleep(0.001)
    later = threading.Timer(0.5, go_on.set)
    later.start()
    results.close()
    assert sorted(begun) == [0, 1, 2], "two were being worked on, two more were waiting"
    later.join()
    assert threading.active_count() == before
