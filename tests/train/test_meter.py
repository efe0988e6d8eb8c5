"""Rates of training, on a clock that is set by hand."""

import sys

import pytest
import torch

from vertebra.train.meter import Meter, peak_memory


class Clock:
    """Shows what it was set to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rates_are_those_of_the_time_since_the_last_report() -> None:
    clock = Clock()
    meter = Meter(steps=10, clock=clock)
    clock.now += 60.0  # kernels are made
    meter.step(samples=8, tokens=4000, flops=0, waited=30.0)
    meter.report()
    for _ in range(2):
        clock.now += 2.0
        meter.step(samples=8, tokens=3000, flops=0, waited=0.5)
    told = meter.report()
    assert told["samples_per_second"] == 4.0
    assert told["tokens_per_second"] == 1500.0
    assert told["data_wait"] == 0.25


def test_flops_are_told_per_device_and_against_its_peak() -> None:
    clock = Clock()
    meter = Meter(steps=10, devices=4, peak_tflops=800.0, clock=clock)
    clock.now += 2.0
    meter.step(samples=1, tokens=1, flops=3.2e15, waited=0.0)
    told = meter.report()
    assert told["tflops"] == pytest.approx(400.0)
    assert told["mfu"] == pytest.approx(0.5)


@pytest.mark.parametrize(("flops", "told"), [(1e12, {"tflops"}), (0.0, set())])
def test_what_is_not_known_is_left_out(flops: float, told: set[str]) -> None:
    clock = Clock()
    meter = Meter(steps=10, clock=clock)
    clock.now += 1.0
    meter.step(samples=1, tokens=1, flops=flops, waited=0.0)
    assert {"tflops", "mfu"} & meter.report().keys() == told


def test_the_first_step_says_nothing_of_how_long_the_others_will_take() -> None:
    clock = Clock()
    meter = Meter(steps=10, clock=clock)
    etas = []
    for seconds in (60.0, 2.0, 4.0):
        clock.now += seconds
        meter.step(samples=1, tokens=1, flops=0, waited=0.0)
        etas.append(meter.report()["eta_seconds"])
    assert etas == [9 * 60.0, 8 * 2.0, 7 * 3.0]


def test_nothing_is_left_after_the_last_step() -> None:
    clock = Clock()
    meter = Meter(steps=1, clock=clock)
    clock.now += 1.0
    meter.step(samples=1, tokens=1, flops=0, waited=0.0)
    assert meter.report()["eta_seconds"] == 0.0


def test_a_window_without_a_step_has_no_rates_and_is_not_lost() -> None:
    clock = Clock()
    meter = Meter(steps=9, clock=clock)
    clock.now += 3.0
    assert meter.report() == {}
    clock.now += 1.0
    meter.step(samples=8, tokens=8, flops=0, waited=0.0)
    assert meter.report()["samples_per_second"] == 2.0


def test_memory_is_the_peak_of_the_process() -> None:
    before = peak_memory()
    held = bytearray(before + 2**26)  # more than all that it ever held
    held[::4096] = b"x" * len(held[::4096])
    assert peak_memory() - before >= 2**26
    assert 2**20 < before < 2**40, sys.platform


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_cuda_memory_is_that_of_tensors() -> None:
    held = torch.zeros(2**26, dtype=torch.uint8, device="cuda")
    assert 2**26 <= peak_memory("cuda") < 2**40
    assert Meter(steps=1, device="cuda").report() == {}
    del held
