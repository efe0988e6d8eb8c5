"""How fast training is: what a step's log and its trackers are told beside the loss.

    {"samples_per_second": 24.1, "tokens_per_second": 21350.0, "tflops": 402.7, "mfu": 0.407, "data_wait": 0.004,
     "memory_gib": 61.3, "eta_seconds": 5311.0}

MFU is the share of a device's stated peak that the model's own FLOPs make up; what is recomputed is not counted
(PaLM, arXiv:2204.02311, appendix B).
"""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Device = Literal["cpu", "cuda"]

_KIB, _GIB = 2**10, 2**30


@dataclass(slots=True)
class _Window:
    """What was done since the last report."""

    began: float
    steps: int = 0
    samples: int = 0
    tokens: int = 0
    flops: float = 0.0
    waited: float = 0.0


class Meter:
    """Counts optimizer steps and says what they come to in a second."""

    def __init__(
        self,
        steps: int,
        devices: int = 1,
        device: Device = "cpu",
        peak_tflops: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`steps` are still to be done on `devices` of a kind whose peak is `peak_tflops` each. Time runs from here."""
        self._left = steps
        self._devices = devices
        self._peak_tflops = peak_tflops
        self._device = device
        self._clock = clock
        self._window = _Window(clock())
        self._warm: float | None = None
        self._since_warm = 0

    def step(self, samples: int, tokens: int, flops: float, waited: float) -> None:
        """One optimizer step is done.

        `samples`, `tokens` (padding left out) and the model's `flops`, forward and backward, are those of the global
        batch; `waited` is how many seconds this process did nothing but wait for data.
        """
        window = self._window
        window.steps += 1
        window.samples += samples
        window.tokens += tokens
        window.flops += flops
        window.waited += waited
        self._left -= 1
        if self._warm is None:
            self._warm = self._clock()
        else:
            self._since_warm += 1

    def report(self) -> dict[str, float]:
        """Rates since the last report, and a new window; nothing where no step was done since.

        `mfu` is left out where no peak was stated, `tflops` too where no FLOPs were counted.
        """
        window, now = self._window, self._clock()
        seconds = now - window.began
        if not window.steps or seconds <= 0:
            return {}
        self._window = _Window(now)
        told = {
            "samples_per_second": window.samples / seconds,
            "tokens_per_second": window.tokens / seconds,
            "data_wait": window.waited / seconds,
            "memory_gib": peak_memory(self._device) / _GIB,
            "eta_seconds": self._left * self._seconds_per_step(now, seconds / window.steps),
        }
        if window.flops:
            told["tflops"] = window.flops / seconds / self._devices / 1e12
            if self._peak_tflops is not None:
                told["mfu"] = told["tflops"] / self._peak_tflops
        return told

    def _seconds_per_step(self, now: float, lately: float) -> float:
        """The mean without the first step, in which kernels are made; before there is another, that of the window."""
        if self._warm is None or not self._since_warm:
            return lately
        return (now - self._warm) / self._since_warm


def peak_memory(device: Device = "cpu") -> int:
    """The most bytes that this process has held at once: of tensors on its CUDA device, else of main memory."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB
