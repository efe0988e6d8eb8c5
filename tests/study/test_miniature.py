"""The miniature study, whole, as `make study` runs it, and what its models must have learned."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from vertebra.benchmarks import of_a_study

pytestmark = pytest.mark.study

MODELS = 8


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the miniature has been run."""
    folder = tmp_path_factory.mktemp("miniature") / "store"
    ran = _vertebra("run", "miniature", "--store", str(folder))
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "radar-tiny-vip-llava.png" in ran.stdout
    return folder


@pytest.fixture(scope="module")
def headlines(store: Path) -> Mapping[str, Mapping[str, float]]:
    """Benchmark -> model -> headline metric, in percent."""
    results = json.loads((store / "reports" / "miniature" / "results.json").read_text())
    found: dict[str, dict[str, float]] = {}
    for row in results["rows"]:
        found.setdefault(row["benchmark"], {}).setdefault(f"{row['family']}/{row['backbone']}", row["value"])
    return found


def test_every_model_is_measured_on_every_benchmark(headlines):
    assert {name: len(values) for name, values in headlines.items()} == dict.fromkeys(of_a_study(), MODELS)
    assert len(headlines) >= 16


def test_every_model_learns_to_see(headlines):
    assert min(headlines["gqa"].values()) >= 60, headlines["gqa"]
    assert min(headlines["pope"].values()) >= 80, headlines["pope"]


def test_models_that_were_shown_visual_prompts_read_them(headlines):
    shown = {name: value for name, value in headlines["v7w"].items() if "vip" in name}
    assert len(shown) == 4
    assert min(shown.values()) >= 70, shown


@pytest.mark.parametrize("name", ["v7w", "pointqa", "vip_bench_bbox", "vip_bench_human"])
def test_on_every_region_benchmark_they_are_well_above_those_that_were_not(headlines, name):
    shown, never = (
        [value for model, value in headlines[name].items() if ("vip" in model) == is_shown]
        for is_shown in (True, False)
    )
    assert min(shown) >= max(never) + 10, headlines[name]


def test_models_that_were_never_shown_visual_prompts_guess_at_them(headlines):
    never = {name: value for name, value in headlines["v7w"].items() if "vip" not in name}
    assert max(never.values()) <= 45, never


def test_the_radar_plots_are_pictures(store):
    for family in ("tiny-llava-1.5", "tiny-vip-llava"):
        with Image.open(store / "reports" / "miniature" / f"radar-{family}.png") as picture:
            assert min(picture.size) >= 500
        assert "<svg" in (store / "reports" / "miniature" / f"radar-{family}.svg").read_text()


def test_what_it_finds_is_true_of_its_table(store, headlines):
    results = json.loads((store / "reports" / "miniature" / "results.json").read_text())
    assert len(results["findings"]) >= 5
    region = [each for each in results["findings"] if each["capability"] == "region"]
    assert {each["model"].split("/")[0] for each in region} == {"tiny-vip-llava"}
    for finding in results["findings"]:
        for each in finding["evidence"]:
            of_benchmark = headlines[each["benchmark"]]
            difference = of_benchmark[finding["model"]] - of_benchmark[each["other"]]
            assert each["difference"] == pytest.approx(difference, abs=1e-6), finding["says"]
    (claims,) = results["claims"]
    assert len(claims["claims"]) == 5


def test_the_report_with_all_that_is_published_is_made_in_seconds_and_verified(store):
    begin = time.monotonic()
    assert _vertebra("report", "miniature", "--store", str(store)).returncode == 0
    assert time.monotonic() - begin < 40  # twice the bar: other tests run beside
    folder = store / "reports" / "miniature"
    written = {path.name for path in folder.iterdir()}
    assert {"index.html", "comparisons.json", "audit.json", "dots.pdf", "costs.svg", "radar-all.png"} <= written
    assert len(list((folder / "models").glob("*/README.md"))) == MODELS
    verified = _vertebra("report", "miniature", "--store", str(store), "--verify")
    assert verified.returncode == 0, verified.stdout[-2000:]


def test_nothing_is_left_to_do_afterwards(store):
    planned = json.loads(_vertebra("plan", "miniature", "--store", str(store), "--json").stdout)
    assert (planned["run"], planned["done"]) == (0, 281)


def test_an_adopted_checkpoint_is_measured_like_the_one_that_was_trained(store, headlines):
    plan = json.loads(_vertebra("plan", "miniature", "--store", str(store), "--json").stdout)
    trained = next(step["key"] for step in plan["steps"] if step["label"] == "tiny-vip-llava/tiny-phi-3/seed0/stage3")
    study = store.parent / "adopting.yaml"
    released = f"released: {{family: tiny-vip-llava, weights: {store}/steps/{trained}/out}}"
    study.write_text(f"study: adopting\nadopt:\n  {released}\nbenchmarks: [gqa]\ndata: miniature\n")
    ran = _vertebra("run", str(study), "--store", str(store), "--json")
    assert ran.returncode == 0, ran.stderr[-3000:]
    row = json.loads(ran.stdout)["rows"][0]
    assert (row["family"], row["backbone"]) == ("tiny-vip-llava", "released")
    assert row["value"] == headlines["gqa"]["tiny-vip-llava/tiny-phi-3"]


def test_answers_are_those_of_batch_1_generate(store):
    """Of one model of each family to all benchmarks; of all eight in docs/numbers.md."""
    study = store.parent / "reference.yaml"
    models = {"tiny-llava-1.5": "tiny-llama-3", "tiny-vip-llava": "tiny-phi-3"}
    found: dict[str, dict[str | None, list[str]]] = {}
    for family, backbone in models.items():
        arms = f"families: [{family}]\nbackbones: [{backbone}]\ndata: miniature\n"
        study.write_text(f"study: reference\n{arms}judge: {{name: rules, endpoint: scripted}}\nengine: reference\n")
        ran = _vertebra("run", str(study), "--store", str(store))
        assert ran.returncode == 0, ran.stderr[-3000:]
    for record in store.glob("steps/*/step.json"):
        step = json.loads(record.read_text())
        if step["kind"] == "predict":
            lines = (record.parent / "out" / "answers.jsonl").read_text().splitlines()
            texts = [json.loads(line)["text"] for line in lines]
            found.setdefault(step["label"], {})[step["spec"].get("engine")] = texts
    both = {label: answers for label, answers in found.items() if "reference" in answers}
    assert len(both) == len(models) * len(of_a_study())
    assert sum(len(answers[None]) for answers in both.values()) > 4000
    assert all(answers[None] == answers["reference"] for answers in both.values())


def test_a_new_grading_rule_runs_scoring_alone(store):
    regraded = (
        "import dataclasses\n"
        "from vertebra.benchmarks import pope\n"
        "pope.BENCHMARK = dataclasses.replace(pope.BENCHMARK, grading=pope.BENCHMARK.grading + 1)\n"
        "from vertebra.cli import main\nmain()\n"
    )
    arguments = ["run", "miniature", "--store", str(store)]
    ran = subprocess.run([sys.executable, "-c", regraded, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    done = re.findall(rf"^\[\d+/{MODELS}\] done (\S+)", ran.stderr, re.MULTILINE)
    assert {label.rpartition("seed0/")[2] for label in done} == {"pope/score"}
    assert len(done) == MODELS


def _vertebra(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vertebra", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}, check=False)
