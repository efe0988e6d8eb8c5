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
from tests.train.conftest import Training

from vertebra.bench import Bench
from vertebra.errors import Stopped, VertebraError
from vertebra.model import save
from vertebra.runtime import Runtime
from vertebra.train import train

TWO = Runtime(devices=2, checkpoint_seconds=1e-9)
LONG = {"epochs": 15}
STEPS = 60

LAUNCHING = """
import json, sys
from vertebra.bench import Bench
from vertebra.runtime import Runtime
from vertebra.launching import launch

def progress(done, total, unit, note=""):
    print(done, unit, flush=True)

launch(Bench.read(json.loads(sys.argv[1]), progress, lambda: False), Runtime(devices=2), "vertebra.train.rank")
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
        VertebraError, match=r"One of the processes that worked together died .* the log\. Give the same command again"
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


STANDING_IN = """
import sys
print("a launcher may say what it likes")
print('vertebra {"progress": [3, 4, "batches", "loss 1.000"]}')
print('vertebra {"noted": "Samples are padded."}', flush=True)
print('vertebra {"failed": "5.png is not a picture (record 5).", "exit_code": 4}')
print('vertebra {"failed": "Another failed because of it.", "exit_code": 1}')
sys.exit(3)
"""


def test_what_the_processes_tell_reaches_the_person_the_first_failure_as_its_own(laid, capsys):
    heard: list[object] = []
    bench = replace(laid.bench("told"), progress=lambda *place: heard.append(place), note=heard.append)
    with pytest.raises(VertebraError, match=r"^5\.png is not a picture \(record 5\)\.$") as caught:
        train(bench, Runtime(launcher=(sys.executable, "-c", STANDING_IN)))
    assert caught.value.exit_code == 4
    assert heard == [(3, 4, "batches", "loss 1.000"), "Samples are padded."]
    assert capsys.readouterr().err == "a launcher may say what it likes\n"


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
