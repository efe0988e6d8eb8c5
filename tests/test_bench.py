"""Measurements in small: they run, and say what the contract wants them to say. The figures are no matter of tests."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.browser import installed

from vertebra.costs import Architecture, Tower, Training

WITH_BROWSER = pytest.mark.skipif(installed() is None, reason="no Chromium or Chrome is installed")


@pytest.mark.parametrize(
    "name", ["marks", pytest.param("report", marks=WITH_BROWSER), "score", "significance", "startup"]
)
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
        ("eval", {"plan", *(f"q{each}.{arm}" for each in (1, 8, 18) for arm in ("ours", "generate"))}),
        ("gpu", {"matmul", "pretrain.ours", "pretrain.trainer", "finetune.ours", "finetune.trainer"}),
        ("images", {"ours", "hf_pil"}),
        ("sampler", {"ours", "published"}),
        ("train", {"ours", "trainer_padded_recompute", "trainer_padded"}),
    ],
)
@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")  # by what the Trainer is told
@pytest.mark.usefixtures("one_thread")
def test_training_and_answering_are_measured_beside_their_peers(name, arms, capsys, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    found = importlib.import_module(f"bench.{name}").measure(small=True)
    assert found.name == name
    assert arms <= found.arms.keys()
    assert found.equal
    assert all(arm.value >= 0 for arm in found.arms.values())
    assert all(ratio > 0 for ratio in found.ratios.values())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "arms", "ratios"),
    [
        ("eval", {"q1.ours", "q1.generate", "q18.ours", "plan"}, {"q1", "q8", "q18"}),
        (
            "gpu_eval",
            {"matmul", "pope.ours", "vqav2.padded", "scienceqa.generate", "scienceqa.limit"},
            {"pope.ours/generate", "vqav2.ours/padded", "scienceqa.ours/limit"},
        ),
    ],
)
@pytest.mark.usefixtures("one_thread")
def test_answering_is_measured_beside_generate(name, arms, ratios, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    found = importlib.import_module(f"bench.{name}").measure(small=True)
    assert found.name == name
    assert arms <= found.arms.keys()
    assert ratios <= found.ratios.keys()
    assert found.equal
    assert all(arm.value >= 0 for arm in found.arms.values())


@pytest.mark.parametrize("name", ["gpu", "gpu_eval"])
def test_what_needs_an_accelerator_says_so_and_exits_with_4(name, capsys, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"bench.{name}").measure(small=False)
    assert ended.value.code == 4
    assert f"bench {name} needs an accelerator" in capsys.readouterr().err


@pytest.mark.parametrize(("moved", "is_equal"), [(0, True), (1, False)])
def test_in_single_precision_no_answer_may_be_another(moved, is_equal, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    allowed = importlib.import_module("bench.gpu_eval").allowed
    assert (moved <= allowed(5, 96, torch.float32)) == is_equal
    assert allowed(5, 96, torch.bfloat16) > 5


def test_what_questions_share_is_counted_once(monkeypatch):
    """Vicuna-7B as LLaVA-1.5: 2 operations a weight and token, causal attention, 3 words, the tower and projector."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    operations = importlib.import_module("bench.gpu_eval").operations
    vicuna, tower = Architecture(4096, 11008, 32, 32, 32, 128, 32000), Tower(1024, 4096, 24, 576, 14, 23)
    training = Training(vicuna, tower, "projector")
    begin, rests = [0] * 614, [[number] * 32 for number in range(1, 19)]
    alone = 2 * 6.476e9 * 648 + 2 * 648**2 * 4096 * 32 + 3 * 2 * 0.131e9 + 366e9 + 24.2e9
    assert operations(training, [[begin + rests[0]]]) == pytest.approx(alone, rel=1e-3)
    shared = alone + 17 * (2 * 6.476e9 * 34 + 2 * (648**2 - 614**2) * 4096 * 32 + 3 * 2 * 0.131e9)
    assert operations(training, [[begin + rest for rest in rests]]) == pytest.approx(shared, rel=1e-3)
    assert operations(training, [[begin + rest] for rest in rests]) == pytest.approx(18 * alone, rel=1e-3)
