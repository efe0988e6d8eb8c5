"""What is seen of training from outside: progress, the step's log, and the services that `tracking:` names.

log.jsonl    {"time": 1732300000.1, "step": 120, "loss": 1.93, "learning_rate": 0.0019, "samples": 128, ...,
              "samples_per_second": 24.1, "tokens_per_second": 21350.0, "mfu": 0.407, "eta_seconds": 5311.0}
"""

import math
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Literal, Self, TypeVar

from vertebra.bench import Bench
from vertebra.data import Content
from vertebra.runtime import Runtime
from vertebra.train.distributed import Ranks
from vertebra.train.meter import Meter
from vertebra.train.tracking import open_trackers

_SECONDS_BETWEEN_LINES = 1.0
_Thing = TypeVar("_Thing")


class Waited(Generic[_Thing]):
    """An iterator that knows how long was waited for it."""

    def __init__(self, things: Iterator[_Thing]) -> None:
        """Hands on what `things` gives."""
        self._things = things
        self._seconds = 0.0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _Thing:
        began = time.monotonic()
        try:
            return next(self._things)
        finally:
            self._seconds += time.monotonic() - began

    def seconds(self) -> float:
        """Since this was asked last."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds


class Diary:
    """Notes every optimizer step on the first device; the others' are silent."""

    def __init__(self, bench: Bench, runtime: Runtime, ranks: Ranks, steps: int, begun: int) -> None:
        """`steps` in all, of which `begun` are done. `ConfigError` when a service's package is not installed."""
        device: Literal["cpu", "cuda"] = "cuda" if ranks.device.type == "cuda" else "cpu"
        self._bench, self._steps, self._speaks = bench, steps, ranks.is_first
        self._meter = Meter(steps - begun, ranks.world, device, runtime.peak_tflops)
        self._trackers = open_trackers(bench, runtime.tracking if ranks.is_first else (), begun)
        self._last = -math.inf

    def __enter__(self) -> Self:
        self._trackers.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._trackers.__exit__(kind, error, trace)

    def note(self, done: int, loss: float, rate: float, content: Content, flops: float, waited: float) -> None:
        """So many steps are done; `rate` is the learning rate of the last, `content` and `flops` its batch's."""
        if not self._speaks:
            return
        self._meter.step(content.samples, content.tokens, flops, waited)
        self._bench.progress(done, self._steps, "batches", f"loss {loss:.3f}")
        if time.monotonic() - self._last > _SECONDS_BETWEEN_LINES or done == self._steps:
            values = {"loss": loss, "learning_rate": rate, **self._meter.report()}
            self._bench.log(step=done, **values, **content._asdict())
            self._trackers.log(done, values)
            self._last = time.monotonic()
