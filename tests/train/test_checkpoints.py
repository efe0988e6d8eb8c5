"""A stage that was stopped or killed ends with the very bytes of one that never was."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from tests.anatomy import parts
from tests.train.conftest import ALONE, EAGER, STEPS, WORDS_FIRST, Training, forgetful

from vertebra.errors import DataError, Stopped, VertebraError
from vertebra.runtime import Runtime
from vertebra.train import train
from vertebra.train.checkpoints import Checkpoints
from vertebra.train.optimizer import optimizer_of

SHARD = "shard-00001-model-00001-of-00001.safetensors"
KILLS = 30
ROOT = Path(__file__).parents[2]

KILLED = """
import json, sys
from tests.killing import until_done
from vertebra.bench import Bench
from vertebra.runtime import Runtime
from vertebra.train import diary, train

diary._SECONDS_BETWEEN_LINES = -1.0  # the log has every step

def work(document, tell):
    def progress(done, total, unit, note=""):
        if unit == "batches":
            tell(f"{done} {note}")
    train(Bench.read(document, progress, lambda: False), Runtime(checkpoint_seconds=1e-9))

calm, killed, kills = map(json.loads, sys.argv[1:])
runs = [until_done(work, *run, lambda rng: rng.randint(1, 4), 0.05) for run in ((calm, 0), (killed, kills))]
print(json.dumps(runs))
"""
"""Runs a stage in a child that is killed at random moments, again and again, and then to its end."""


@pytest.fixture(scope="module", params=["llava", "vip_llava"])
def laid(training: Callable[..., Training], request: pytest.FixtureRequest, tmp_path_factory) -> Training:
    """Four steps of a family, the first without an image; `whole` is the result of never stopping.

    ViP-LLaVA's backbone forgets at random while it trains.
    """
    name, weights = "vicuna-s", parts() / "vicuna-s"
    if request.param == "vip_llava":
        name, weights = "phi-3", forgetful(tmp_path_factory.mktemp("weights") / "forgetful")
    laid = training(request.param, name, seed=WORDS_FIRST, weights=str(weights))
    train(laid.bench("whole"), Runtime())
    return laid


def stop(laid: Training, name: str, step: int, runtime: Runtime | None = None) -> Path:
    """Trains until a signal comes in a step; the folder of checkpoints."""
    with pytest.raises(Stopped):
        train(laid.bench(name, stop_after=step), runtime or Runtime())
    return laid.root / name / "checkpoints"


@pytest.mark.parametrize("step", range(1, STEPS))
def test_a_run_stopped_at_any_step_ends_with_the_same_bytes(laid, step):
    name = f"stopped{step}"
    checkpoints = stop(laid, name, step)
    assert [folder.name for folder in checkpoints.iterdir()] == [f"{step:08}"]
    assert laid.result(name) == {}
    train(laid.bench(name), Runtime())
    assert laid.result(name) == laid.result("whole")


def test_a_run_stopped_in_every_step_ends_with_the_same_bytes(laid):
    for step in range(1, STEPS):
        stop(laid, "halting", step)
    train(laid.bench("halting"), EAGER)
    assert laid.result("halting") == laid.result("whole")


def test_a_signal_in_the_last_step_stops_nothing(laid):
    train(laid.bench("late", stop_after=STEPS), Runtime())
    assert laid.result("late") == laid.result("whole")


@pytest.mark.parametrize("lost", ["complete.json", SHARD, "everything"])
def test_a_save_that_was_cut_short_gives_way_to_the_one_before(laid, lost):
    checkpoints = stop(laid, f"cut-{lost}", 2)
    older = checkpoints.with_name("older")
    shutil.copytree(checkpoints / "00000002", older)
    stop(laid, f"cut-{lost}", 3)
    newest = checkpoints / "00000003"
    (newest / "complete.json").unlink()
    if lost == SHARD:
        (newest / lost).write_bytes((newest / lost).read_bytes()[:1000])
    elif lost == "everything":
        shutil.rmtree(newest)
        newest.mkdir()
    older.rename(checkpoints / "00000002")
    train(laid.bench(f"cut-{lost}"), EAGER)
    assert laid.result(f"cut-{lost}") == laid.result("whole")


def test_without_a_whole_checkpoint_training_begins_anew(laid):
    checkpoints = stop(laid, "anew", 3)
    (checkpoints / "00000003" / "complete.json").unlink()
    train(laid.bench("anew"), Runtime())
    assert laid.result("anew") == laid.result("whole")


def test_killed_at_random_moments_it_learns_the_same(training, tmp_path):
    """Every loss that is told, on the screen and in the log, and every byte of the result."""
    laid = training("vip_llava", "phi-3", {"batch": 1, "epochs": 9}, weights=str(forgetful(tmp_path / "forgetful")))
    documents = [json.dumps(laid.bench(name).document()) for name in ("calm", "killed")]
    words = [sys.executable, "-c", KILLED, *documents, str(KILLS)]
    output = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=600, cwd=ROOT).stdout
    (calm, _), (told, kills) = json.loads(output)
    assert (len(calm), kills) == (99, KILLS)
    assert len(told) > len(calm), "something was done again"
    assert {*told} == {*calm}
    curve = {row["step"]: row["loss"] for row in laid.log("calm")}
    assert [*curve] == [*range(1, 100)]
    again = [(row["step"], row["loss"]) for row in laid.log("killed")]
    assert {*again} == {*curve.items()}, "bit for bit, also what was done more than once"
    assert laid.result("killed") == laid.result("calm")


def trained(value: float) -> tuple[dict[str, torch.nn.Parameter], torch.optim.Optimizer]:
    """Two weights after one step."""
    weights = {name: torch.nn.Parameter(torch.full((3, 2), value)) for name in ("a", "b")}
    optimizer = optimizer_of(weights.values(), 0.1)
    torch.autograd.backward((weights["a"] * weights["b"]).sum())
    optimizer.step()
    return weights, optimizer


def save(checkpoints: Checkpoints, step: int) -> None:
    checkpoints.begin(step)
    checkpoints.finish()


@contextmanager
def full_disk(left: int) -> Iterator[None]:
    """No file may grow beyond `left` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_checkpoint_is_read_back_bit_by_bit(tmp_path):
    weights, optimizer = trained(0.3)
    save(Checkpoints(tmp_path, weights, optimizer, ALONE), 7)
    others, other = trained(0.5)
    assert Checkpoints(tmp_path, others, other, ALONE).resume() == 7
    for name, weight in weights.items():
        assert torch.equal(others[name], weight)
        for moment in ("exp_avg", "exp_avg_sq"):
            assert torch.equal(other.state[others[name]][moment], optimizer.state[weight][moment])
        assert other.state[others[name]]["step"] == 7


def test_what_is_trained_while_it_is_written_is_not_in_it(tmp_path):
    weights, optimizer = trained(0.3)
    before = weights["a"].detach().clone()
    checkpoints = Checkpoints(tmp_path, weights, optimizer, ALONE)
    checkpoints.begin(7)
    with torch.no_grad():
        weights["a"].fill_(9)
    checkpoints.finish()
    Checkpoints(tmp_path, weights, optimizer, ALONE).resume()
    assert torch.equal(weights["a"], before)


def test_the_older_checkpoint_goes_when_the_newer_is_complete(tmp_path):
    checkpoints = Checkpoints(tmp_path, *trained(0.3), ALONE)
    save(checkpoints, 9)
    checkpoints.begin(10)
    assert {folder.name for folder in tmp_path.iterdir()} == {"00000009", "00000010"}
    checkpoints.begin(200)
    checkpoints.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"00000200"}
    assert {path.name for path in (tmp_path / "00000200").iterdir()} == {SHARD, "complete.json"}


def test_it_counts_as_soon_as_it_is_written(tmp_path):
    checkpoints = Checkpoints(tmp_path, *trained(0.3), ALONE)
    checkpoints.begin(5)
    while checkpoints.is_writing():
        pass
    assert json.loads((tmp_path / "00000005" / "complete.json").read_text()) == {"step": 5}


def test_without_checkpoints_there_is_nothing_to_resume(tmp_path):
    assert Checkpoints(tmp_path / "none", *trained(0.3), ALONE).resume() == 0


@pytest.mark.parametrize("damage", [b"", b"torn", "missing", "truncated", "of something else"])
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path, *trained(0.3), ALONE)
    save(checkpoints, 5)
    path = tmp_path / "00000005" / SHARD
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "of something else":
        path.write_bytes(path.read_bytes().replace(b"weight.a", b"weight.x"))
    else:
        path.write_bytes(damage)
    with pytest.raises(DataError, match=r"^\S+00000005 is damaged: .*\. Delete it to go on from before it\.$"):
        checkpoints.resume()


@pytest.mark.parametrize("left", [0, 100])
def test_a_full_disk_is_told_at_the_next_look_and_the_older_checkpoint_stays(tmp_path, left):
    weights, optimizer = trained(0.3)
    checkpoints = Checkpoints(tmp_path, weights, optimizer, ALONE)
    save(checkpoints, 5)
    with full_disk(left):
        checkpoints.begin(6)
        with pytest.raises(VertebraError, match=r"00000006\S* cannot be written: File too large\. Free space"):
            checkpoints.finish()
    assert Checkpoints(tmp_path, weights, optimizer, ALONE).resume() == 5
    save(checkpoints, 6)
    assert [path.name for path in tmp_path.iterdir()] == ["00000006"]


def test_a_disk_that_fills_up_ends_a_stage_which_goes_on_when_there_is_space(laid):
    stop(laid, "full", 1)
    with full_disk(200_000), pytest.raises(VertebraError, match=r"cannot be written: File too large\. Free space"):
        train(laid.bench("full"), EAGER)
    assert [folder.name for folder in (laid.root / "full" / "checkpoints").glob("*/complete.json")] == ["complete.json"]
    train(laid.bench("full"), Runtime())
    assert laid.result("full") == laid.result("whole")
