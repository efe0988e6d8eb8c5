"""What a signal does to a command that is at work: it cleans up, says what is kept, and ends with 130 or 143."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vertebra.errors import Stopped


@contextmanager
def stoppable(kept: str) -> Iterator[None]:
    """SIGTERM ends what runs inside as SIGINT does, so that it is cleaned up; `Stopped` then says what is `kept`."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    before = [(number, signal.signal(number, stop)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Stopped(interrupt.args[0], kept) from interrupt
    finally:
        for number, handler in before:
            signal.signal(number, handler)
