"""What training costs, as `vertebra plan` tells it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import Workshop

from vertebra.catalog import Catalog
from vertebra.cli.costs import estimate, short
from vertebra.plan import Plan, draw_plan
from vertebra.spec import Study

CATALOG = Catalog.installed()
STUDY = Study(study="s", families=("llava-1.5",), backbones=("vicuna-7b", "phi-3-mini"))


def lines(
    device: str = "h100", devices: int = 8, done: frozenset[str] = frozenset(), study: Study = STUDY
) -> list[str]:
    return list(estimate(draw(study), CATALOG, done, device, devices).lines())


def draw(study: Study = STUDY) -> Plan:
    return draw_plan(study, CATALOG, {})


def keys(*labels: str) -> frozenset[str]:
    return frozenset(step.key for step in draw().steps if step.label in labels)


def plan(*more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "80"}
    command = [sys.executable, "-m", "vertebra", "plan", *more]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_stage_has_a_row_and_an_arm_its_sum() -> None:
    shown = lines()
    assert shown[:8] == [
        "",
        "On 8 × NVIDIA H100 SXM 80 GB   steps tokens   FLOP  GPU-h  GiB  micro recompute",
        "llava-1.5/vicuna-7b/seed0      7,379  920 M 32.8 E   23.0   71",
        "  pretrain                     2,181  331 M 9.00 E    6.3   70 14,336 none",
        "  finetune                     5,198  589 M 23.8 E   16.7   71  9,728 none",
        "llava-1.5/phi-3-mini/seed0     7,379  920 M 18.7 E   13.1   69",
        "  pretrain                     2,181  331 M 5.16 E    3.6   64 18,976 none",
        "  finetune                     5,198  589 M 13.5 E    9.5   69 14,176 none",
    ]
    assert shown[8].startswith("all that would run            14,758 1.84 G 51.5 E   36.2   71")
    assert shown[10].startswith("Estimates, not measurements. Assumed: 50% of the 790 TFLOP/s")


def test_what_is_done_is_shown_and_in_no_sum() -> None:
    shown = lines(done=keys("llava-1.5/vicuna-7b/seed0/pretrain"))
    assert shown[2:4] == [
        "llava-1.5/vicuna-7b/seed0      5,198  589 M 23.8 E   16.7   71",
        "  pretrain (done)              2,181  331 M 9.00 E    6.3   70 14,336 none",
    ]
    rest = [step.label for step in draw().steps if step.kind == "train"]
    assert "all that would run" in lines(done=keys(*rest))


def test_a_goal_is_no_measurement_and_a_device_without_one_says_so() -> None:
    assert "50% of the 165.2 TFLOP/s peak (a goal)" in " ".join(" ".join(lines("4090")).split())


def test_what_does_not_fit_says_why_and_what_would_help() -> None:
    text = " ".join(" ".join(lines("4090", devices=1)).split())
    assert "no fit" in text
    assert "Not in the hours, since they do not fit: 2 training steps." in text
    assert "- llava-1.5/vicuna-7b/seed0/finetune: A sample of 2,048 tokens does not fit" in text
    finished = keys("llava-1.5/vicuna-7b/seed0/finetune", "llava-1.5/phi-3-mini/seed0/finetune")
    assert "A sample of" not in " ".join(lines("4090", devices=1, done=finished))


def test_a_study_of_unknown_costs_shows_no_table(workshop: Workshop) -> None:
    assert lines(study=CATALOG.study("miniature")[0]) == []
    workshop.study("families: [eyes]\nbackbones: [ada]\nbenchmarks: [pope]\n")
    found = json.loads(workshop.vertebra("plan", "small.yaml", "--json").stdout)
    assert [step["cost"] for step in found["steps"] if step["kind"] == "train"] == [None, None]
    assert found["costs"]["would_run"]["unknown"] == 2


def test_an_unknown_step_among_known_ones_is_named_unknown(tmp_path: Path) -> None:
    strange = tmp_path / "strange.yaml"
    strange.write_text("weights: a/b@c\nchat: vicuna_v1\nimage: <image>\npad: <pad>\nstop: [</s>]\n")
    shown = lines(study=STUDY.model_copy(update={"backbones": ("vicuna-7b", str(strange))}))
    assert shown[5:8] == ["llava-1.5/strange/seed0", f"  {'pretrain':<27}unknown", f"  {'finetune':<27}unknown"]
    assert "In no sum, since nothing says what they cost: 2 training steps." in shown


@pytest.mark.parametrize("device", ["h100", "4090"])
def test_the_shipped_study_stays_within_80_columns(device: str) -> None:
    done = plan("llm-backbones", "--device", device)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_json_has_the_same_as_fields() -> None:
    found = json.loads(plan("llm-backbones", "--device", "h200", "--devices", "4", "--json").stdout)
    step = next(step for step in found["steps"] if step["label"] == "llava-1.5/vicuna-13b/seed0/finetune")
    assert step["cost"]["optimizer_steps"] == 5198
    assert step["cost"]["memory_gib"] * 2**30 == pytest.approx(sum(step["cost"]["memory_bytes"].values()))
    assert not any("cost" in step for step in found["steps"] if step["kind"] != "train")
    told = found["costs"]
    assert (told["device"], told["devices"], told["assumed_utilisation"]) == ("h200", 4, 0.5)
    hours = sum(step["cost"]["gpu_hours"] for step in found["steps"] if step["kind"] == "train")
    assert told["would_run"]["gpu_hours"] == pytest.approx(hours)
    assert sum(arm["flops"] for arm in told["arms"].values()) == pytest.approx(told["would_run"]["flops"])


def test_an_unknown_device_ends_with_two_and_a_hint() -> None:
    done = plan("llm-backbones", "--device", "h101")
    assert done.returncode == 2
    assert "no device is named 'h101'. Did you mean 'h100'?" in done.stderr


def test_a_device_may_be_a_yaml_file_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("title: Mine\nmemory_gib: 1000\npeak_tflops: 1000\n")
    assert "On 2 × Mine" in lines(str(own), devices=2)[1]


def test_planning_never_imports_torch() -> None:
    code = (
        "import sys\nsys.argv = ['vertebra', 'plan', 'llm-backbones']\nfrom vertebra.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("number", "text"),
    [(999, "999"), (0.4, "0"), (1000, "1.00 k"), (9.999e18, "10.0 E"), (3.28e19, "32.8 E"), (9.99e20, "999 E"),
     (9.996e20, "1000 E"), (1e21, "1.00 Z")],
)  # fmt: skip
def test_a_number_is_told_in_three_digits(number: float, text: str) -> None:
    assert short(number) == text
