"""Stages in processes of their own: what ends them, what a person hears of it, and that nothing stays behind."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.anatomy import assembled
from tests.train.conftest import Training, spoken

from vertebra.bench import Bench
from vertebra.data import Course, Eyes, Packer
from vertebra.errors import Stopped, VertebraError
from vertebra.model import save
from vertebra.spec import Runtime
from vertebra.train import train
from vertebra.train.stage import Recipe

TWO = Runtime(devices=2, checkpoint_seconds=1e-9)
LONG = {"epochs": 15}
STEPS = 60

LAUNCHING = """
import json, sys
from vertebra.bench import Bench
from vertebra.spec import Runtime
from vertebra.train.launch import launch

def progress(done, total, unit, note=""):
    print(done, unit, flush=True)

launch(Bench.read(json.loads(sys.argv[1]), progress, lambda: False), Runtime(devices=2))
"""


def ranks(bench: Bench) -> dict[str, int]:
    """The ids of the processes that work at a bench, by rank; that of torchrun as `""`."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words, settings = ((folder / name).read_bytes().decode().split("\0") for name in ("cmdline", "environ"))
        except (OSError, UnicodeDecodeError):  # gone in the meantime, or somebody else's
            continue
        if str(bench.folder / "rank.json") in words:
            found[dict(line.partition("=")[::2] for line in settings).get("RANK", "")] = int(folder.name)
    return found


def all_gone(bench: Bench, seconds: float = 30) -> bool:
    """Whether all processes of a bench leave in time."""
    deadline = time.monotonic() + seconds
    while ranks(bench) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not ranks(bench)


def kept(bench: Bench) -> list[int]:
    """The steps of complete checkpoints."""
    return [int(path.parent.name) for path in (bench.folder / "checkpoints").glob("*/complete.json")]


@pytest.fixture(scope="module")
def laid(training: Callable[..., Training]) -> Training:
    return training("llava", "vicuna-s", LONG)


def at_step(step: int, act: Callable[[], object]) -> Callable[..., None]:
    """Progress that acts once, in the course of a stage."""
    left = [act]

    def progress(done: int, total: int, unit: str, note: str = "") -> None:
        if unit == "batches" and done >= step and left:
            left.pop()()

    return progress


def test_a_process_that_dies_ends_all_and_the_same_command_goes_on(laid):
    bench = laid.bench("died")

    def kill() -> None:
        os.kill(ranks(bench)["1"], signal.SIGKILL)

    with pytest.raises(
        VertebraError, match=r"One of the processes that trained together died .* the log\. Give the same command again"
    ):
        train(replace(bench, progress=at_step(20, kill)), TWO)
    assert all_gone(bench)
    assert list(bench.out.iterdir()) == []
    (step,) = kept(bench)
    train(bench, Runtime())
    resumed = [row["step"] for row in laid.log("died")].index(step + 1)
    assert resumed > 0
    assert laid.log("died")[-1]["step"] == STEPS
    assert (bench.out / "model.safetensors").exists()


def test_a_signal_is_handed_on_and_all_save_before_they_leave(laid):
    bench, signals = laid.bench("stopped"), []
    asked = replace(
        bench, progress=at_step(20, lambda: signals.append(time.monotonic())), stopping=lambda: bool(signals)
    )
    with pytest.raises(Stopped) as caught:
        train(asked, Runtime(devices=2))
    assert caught.value.exit_code == 143
    assert time.monotonic() - signals[0] < 30
    (step,) = kept(bench)
    assert 20 <= step < STEPS
    shards = {path.name.split("-")[1] for path in (bench.folder / "checkpoints" / f"{step:08}").glob("shard-*")}
    assert shards == {"00001", "00002"}
    assert all_gone(bench)
    train(bench, Runtime())
    assert laid.log("stopped")[-1]["step"] == STEPS
    assert (bench.out / "model.safetensors").exists()


def test_a_signal_while_a_large_mixture_is_read_is_no_fault_of_the_readers(training):
    """torchrun hands it on to the processes that read side by side too."""
    laid, signals = training("llava", "vicuna-s", {"mixture": "words"}), []
    words = [spoken(f"w{number}", "Which number?", "seven " * 40 + "two") for number in range(6_000)]
    (laid.root / "words.json").write_text(json.dumps(words))

    def progress(done: int, total: int, unit: str, note: str = "") -> None:
        if unit == "records" and done:
            signals.append(time.monotonic())

    bench = laid.bench("reading")
    with pytest.raises(Stopped):
        train(replace(bench, progress=progress, stopping=lambda: bool(signals)), Runtime(devices=2))
    assert time.monotonic() - signals[0] < 30
    assert [*bench.cache.iterdir()] == []
    assert all_gone(bench)


def test_what_one_of_the_processes_finds_wrong_reaches_the_person(training):
    laid = training("llava", "vicuna-s", {"batch": 7})
    fresh, recipe = assembled("llava", "vicuna-s"), Recipe.of(laid.steps[0].spec)
    corpus = laid.corpus(fresh)
    seconds = Course(lambda _: corpus, recipe.schedule(corpus), Packer(Eyes.of(fresh, "pad")), 2, 1, 16_384)
    index = next(index for task in seconds.of(0) for index in task.samples if corpus.images[index])
    name = corpus.name(index)
    (laid.root / "pictures" / f"{name[-1]}.png").write_bytes(b"torn")
    bench = laid.bench("run")
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    with pytest.raises(VertebraError, match=rf"{name[-1]}\.png is not a picture .* \(record {name}\)") as caught:
        train(bench, Runtime(launcher=torchrun))
    assert caught.value.exit_code == 4
    assert all_gone(bench)


def test_what_all_of_them_say_at_once_is_heard(training, tmp_path):
    """Names that take more than a pipe takes at a time, from both processes."""
    laid = training("llava", "vicuna-s", {"batch": 11})
    told = [record for record in json.loads((laid.root / "few.json").read_text()) if "conversations" in record]
    long = [{**record, "id": f"{number}{'x' * 3000}"} for number, record in enumerate(told)]
    (laid.root / "few.json").write_text(json.dumps(long))
    whole = assembled("llava", "vicuna-s")
    with torch.no_grad():
        whole.network.lm_head.weight[7, 3] = math.nan
    save(whole, tmp_path)
    bench = laid.bench("run", model=tmp_path)
    with pytest.raises(VertebraError, match=r"^The loss is nan on the batch of the records .*\. Stopped\.$") as caught:
        train(bench, Runtime(devices=2))
    assert len(str(caught.value)) > 9 * 3000
    assert list(bench.out.iterdir()) == []
    assert all_gone(bench)


def test_when_whoever_launched_is_killed_the_processes_leave(laid):
    bench = laid.bench("orphaned")
    words = [sys.executable, "-c", LAUNCHING, json.dumps(bench.document())]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as launching:
        assert launching.stdout
        while launching.stdout.readline() != "20 batches\n":
            assert launching.poll() is None
        there = ranks(bench)
        launching.kill()
    assert there.keys() == {"", "0", "1"}
    assert all_gone(bench)
    assert list(bench.out.iterdir()) == []


def test_a_launcher_that_is_not_there_is_named(laid):
    with pytest.raises(VertebraError, match=r"The launcher 'no-such-launcher' cannot be started: No such file"):
        train(laid.bench("none"), Runtime(launcher=("no-such-launcher", "--fast")))
