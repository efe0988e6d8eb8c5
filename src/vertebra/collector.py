"""Python's cycle collector, put off where it only costs time.

with uncollected():
    import transformers
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Where millions of objects are made and kept, looking for cycles among them takes longer than making them.

    Reading large files takes a tenth of the time without, importing torch and transformers four fifths.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
