"""A study killed with SIGKILL at twenty random moments ends with the scorecards of one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vertebra.store import Store

pytestmark = pytest.mark.study

KILLS = 20


def test_twenty_kills_change_no_byte_of_any_scorecard(tmp_path: Path) -> None:
    left_alone, killed = tmp_path / "left-alone", tmp_path / "killed"
    started = time.monotonic()
    assert _start(left_alone).wait() == 0
    whole = time.monotonic() - started
    rng, finished = random.Random(0), set[str]()
    for _ in range(KILLS):
        run = _start(killed)
        time.sleep(rng.uniform(0.2, 0.35 * whole))
        os.killpg(run.pid, signal.SIGKILL) if rng.random() < 0.5 else run.kill()
        run.wait()
        now = {key for key, _ in Store(killed).finished()}
        assert finished <= now, "a finished step was lost"
        finished = now
    assert _start(killed).wait() == 0
    assert _scorecards(killed) == _scorecards(left_alone)


def _start(store: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vertebra", "run", "pocket", "--store", str(store), "--checkpoint-seconds", "0.5"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def _scorecards(store: Path) -> dict[str, bytes]:
    """The bytes of every scorecard, of the verdicts beside it and of the answers, by step."""
    names = ("scorecard.json", "samples.jsonl", "answers.jsonl")
    outs = {key: Store(store).out(key) for key, _ in Store(store).finished()}
    found = {
        f"{key}/{name}": (out / name).read_bytes()
        for key, out in outs.items()
        for name in names
        if (out / name).exists()
    }
    assert sum(name.endswith("scorecard.json") for name in found) == 4
    return found
