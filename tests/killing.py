"""Work in a child that is killed at random moments, again and again, and then to its end.

Imported by scripts that tests start: whatever the work needs is imported once, before there is a child.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any


def until_done(
    work: Callable[[Mapping[str, Any], Callable[[str], None]], None],
    document: Mapping[str, Any],
    kills: int,
    lines: Callable[[random.Random], int],
    longest: float,
) -> tuple[list[str], int]:
    """The lines that the children told, and how many of them were killed.

    Each child but the last is killed once it told as many lines as `lines` draws, at most `longest` seconds later.
    """
    rng, told, landed = random.Random(7), list[str](), 0
    while True:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            with os.fdopen(write, "w", buffering=1) as pipe:
                try:
                    work(document, partial(print, file=pipe))
                finally:
                    pipe.flush()
                    os._exit(0)
        os.close(write)
        with os.fdopen(read) as heard:
            if landed < kills:
                told += [heard.readline() for _ in range(lines(rng))]
                time.sleep(rng.random() * longest)
                os.kill(child, signal.SIGKILL)
            told += heard
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            return told, landed
        landed += 1
