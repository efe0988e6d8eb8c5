"""Measurements in small: they run, and say what the contract wants them to say. The figures are no matter of tests."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.mark.parametrize("name", ["marks", "score", "startup"])
def test_a_measurement_prints_one_document(name):
    command = [sys.executable, "-m", "bench", name, "--small", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    found = json.loads(ran.stdout)
    assert {"name", "arms", "ratios", "equal", "machine", "versions", "notes"} <= found.keys()
    assert found["name"] == name
    assert found["equal"] is True
    assert all(arm["value"] > 0 and arm["unit"] for arm in found["arms"].values())
    assert all(ratio > 0 for ratio in found["ratios"].values())


@pytest.fixture
def one_thread() -> Iterator[None]:
    """What these measurements set for their process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("name", "arms"),
    [
        ("gpu", {"matmul", "pretrain.ours", "pretrain.trainer", "finetune.ours", "finetune.trainer"}),
        ("images", {"ours", "hf_pil"}),
        ("sampler", {"ours", "published"}),
        ("train", {"ours", "trainer_padded_recompute", "trainer_padded"}),
    ],
)
@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")  # by what the Trainer is told
@pytest.mark.usefixtures("one_thread")
def test_training_is_measured_beside_its_peers(name, arms, capsys, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    found = importlib.import_module(f"bench.{name}").measure(small=True)
    assert found.name == name
    assert arms <= found.arms.keys()
    assert found.equal
    assert all(arm.value >= 0 for arm in found.arms.values())
    assert all(ratio > 0 for ratio in found.ratios.values())
    assert capsys.readouterr().out == ""
