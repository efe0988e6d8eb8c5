"""Work done ahead in threads, given back in its order. Pillow decodes and scales pictures without Python's lock.

for size in prefetched(lambda path: read_image(path).size, paths, threads=8): ...
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def prefetched(work: Callable[[_Task], _Result], tasks: Iterable[_Task], threads: int) -> Generator[_Result]:
    """The result of each task, in the tasks' order; up to twice as many as there are threads are begun before.

    What a task raises is raised where its result is asked for. Whoever stops asking closes the iterator.
    """
    left = iter(tasks)
    begun: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        begun.extend(pool.submit(work, task) for task in islice(left, 2 * threads))
        while begun:
            result = begun.popleft().result()
            begun.extend(pool.submit(work, task) for task in islice(left, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
