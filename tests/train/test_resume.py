"""A stage that was stopped or killed ends with the very bytes of one that never was."""

import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.anatomy import parts
from tests.train.conftest import Training

from vertebra.data import Schedule
from vertebra.errors import DataError, Stopped, VertebraError
from vertebra.spec import Runtime
from vertebra.train import train
from vertebra.train.optimizer import optimizer_of
from vertebra.train.resume import Checkpoints

WORDS_FIRST = next(seed for seed in range(999) if min(Schedule(11, 3, 1, seed).at(0)[1]) > 6)
"""A seed whose first batch has no image."""
STEPS = 4
EAGER = Runtime(checkpoint_seconds=1e-9)

KILLED = """
import json, os, signal, sys, threading, time
from pathlib import Path
from vertebra.bench import Bench
from vertebra.spec import Runtime
from vertebra.train import train

def kill_in_the_middle_of_the_second_save():
    while not (folder / "checkpoints" / "00000002").exists():
        time.sleep(1e-4)
    os.kill(os.getpid(), signal.SIGKILL)

folder, data, spec = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
threading.Thread(target=kill_in_the_middle_of_the_second_save, daemon=True).start()
bench = Bench("k", "l", spec, folder, folder / "out", {}, None, data, lambda *_: None, lambda: False)
train(bench, Runtime(checkpoint_seconds=1e-9))
"""


@pytest.fixture(scope="module", params=["llava", "vip_llava"])
def laid(training: Callable[..., Training], request: pytest.FixtureRequest, tmp_path_factory) -> Training:
    """Four steps of a family, the first without an image; `whole` is the result of never stopping.

    ViP-LLaVA's backbone forgets at random while it trains.
    """
    name, weights = "vicuna-s", parts() / "vicuna-s"
    if request.param == "vip_llava":
        name, weights = "phi-3", tmp_path_factory.mktemp("weights") / "forgetful"
        shutil.copytree(parts() / "phi-3", weights)
        config = json.loads((weights / "config.json").read_text())
        (weights / "config.json").write_text(json.dumps({**config, "resid_pdrop": 0.2}))
    laid = training(request.param, name, seed=WORDS_FIRST, weights=str(weights))
    train(laid.bench("whole"), Runtime())
    return laid


def result(laid: Training, name: str) -> dict[str, bytes]:
    """Every file of a result."""
    return {path.name: path.read_bytes() for path in (laid.root / name / "out").iterdir()}


def stop(laid: Training, name: str, step: int, runtime: Runtime | None = None) -> Path:
    """Trains until a signal comes after a step; the folder of checkpoints."""
    with pytest.raises(Stopped):
        train(laid.bench(name, stop_after=step), runtime or Runtime())
    return laid.root / name / "checkpoints"


@pytest.mark.parametrize("step", range(1, STEPS))
def test_a_run_stopped_at_any_step_ends_with_the_same_bytes(laid, step):
    name = f"stopped{step}"
    checkpoints = stop(laid, name, step)
    assert [folder.name for folder in checkpoints.iterdir()] == [f"{step:08}"]
    assert result(laid, name) == {}
    train(laid.bench(name), Runtime())
    assert result(laid, name) == result(laid, "whole")


def test_a_run_stopped_after_every_step_ends_with_the_same_bytes(laid):
    for step in range(1, STEPS):
        stop(laid, "halting", step)
    train(laid.bench("halting"), EAGER)
    assert result(laid, "halting") == result(laid, "whole")


def test_a_signal_after_the_last_step_stops_nothing(laid):
    train(laid.bench("late", stop_after=STEPS), Runtime())
    assert result(laid, "late") == result(laid, "whole")


@pytest.mark.parametrize("lost", ["complete.json", "weights.safetensors", "everything"])
def test_a_save_that_was_cut_short_gives_way_to_the_one_before(laid, lost):
    checkpoints = stop(laid, f"cut-{lost}", 2)
    older = checkpoints.with_name("older")
    shutil.copytree(checkpoints / "00000002", older)
    stop(laid, f"cut-{lost}", 3)
    newest = checkpoints / "00000003"
    (newest / "complete.json").unlink()
    if lost == "weights.safetensors":
        (newest / lost).write_bytes((newest / lost).read_bytes()[:1000])
        (newest / "moments.safetensors").unlink()
    elif lost == "everything":
        shutil.rmtree(newest)
        newest.mkdir()
    older.rename(checkpoints / "00000002")
    train(laid.bench(f"cut-{lost}"), EAGER)
    assert result(laid, f"cut-{lost}") == result(laid, "whole")


def test_without_a_whole_checkpoint_training_begins_anew(laid):
    checkpoints = stop(laid, "anew", 3)
    (checkpoints / "00000003" / "complete.json").unlink()
    train(laid.bench("anew"), Runtime())
    assert result(laid, "anew") == result(laid, "whole")


@pytest.mark.parametrize("laid", ["vip_llava"], indirect=True)
def test_a_killed_process_is_continued(laid):
    bench = laid.bench("killed")
    arguments = [sys.executable, "-c", KILLED, bench.folder, laid.root, json.dumps(bench.spec)]
    assert subprocess.run(arguments, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert result(laid, "killed") == {}
    assert (bench.folder / "checkpoints" / "00000002").exists()
    train(bench, Runtime())
    assert result(laid, "killed") == result(laid, "whole")


def trained(value: float) -> tuple[dict[str, torch.nn.Parameter], torch.optim.Optimizer]:
    """Two weights after one step."""
    weights = {name: torch.nn.Parameter(torch.full((3, 2), value)) for name in ("a", "b")}
    optimizer = optimizer_of(weights.values(), 0.1)
    torch.autograd.backward((weights["a"] * weights["b"]).sum())
    optimizer.step()
    return weights, optimizer


def test_a_checkpoint_is_read_back_bit_by_bit(tmp_path):
    weights, optimizer = trained(0.3)
    Checkpoints(tmp_path, weights, optimizer).save(7)
    others, other = trained(0.5)
    assert Checkpoints(tmp_path, others, other).resume() == 7
    for name, weight in weights.items():
        assert torch.equal(others[name], weight)
        for moment in ("exp_avg", "exp_avg_sq"):
            assert torch.equal(other.state[others[name]][moment], optimizer.state[weight][moment])
        assert other.state[others[name]]["step"] == 7


def test_the_older_checkpoint_goes_when_the_newer_is_complete(tmp_path):
    checkpoints = Checkpoints(tmp_path, *trained(0.3))
    for step in (9, 10, 200):
        checkpoints.save(step)
        assert [folder.name for folder in tmp_path.iterdir()] == [f"{step:08}"]
    assert {path.name for path in (tmp_path / "00000200").iterdir()} == {
        "weights.safetensors",
        "moments.safetensors",
        "complete.json",
    }


def test_without_checkpoints_there_is_nothing_to_resume(tmp_path):
    assert Checkpoints(tmp_path / "none", *trained(0.3)).resume() == 0


@pytest.mark.parametrize("file", ["weights.safetensors", "moments.safetensors"])
@pytest.mark.parametrize("content", [b"", b"torn", None])
def test_a_damaged_checkpoint_is_named(tmp_path, file, content):
    checkpoints = Checkpoints(tmp_path, *trained(0.3))
    checkpoints.save(5)
    path = tmp_path / "00000005" / file
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=r"00000005 is damaged: .* Delete it"):
        checkpoints.resume()


def test_a_full_disk_is_told_and_the_older_checkpoint_stays(tmp_path):
    weights, optimizer = trained(0.3)
    checkpoints = Checkpoints(tmp_path, weights, optimizer)
    checkpoints.save(5)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(VertebraError, match=r"weights\.safetensors cannot be written: .*Free space"):
            checkpoints.save(6)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert Checkpoints(tmp_path, weights, optimizer).resume() == 5
