"""`vertebra eval`: a model that was trained elsewhere, as a person measures it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests import foreigners
from tests.anatomy import assembled, talkative
from tests.judge_server import judging, said
from tests.predict.test_step import gqa, scienceqa

from vertebra.model import save
from vertebra.spec import Json


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, and data of two benchmarks that share a picture."""
    root = tmp_path_factory.mktemp("home")
    save(talkative(assembled("llava", "llama-3")), root / "checkpoints" / "mine")
    scienceqa(root / "data" / "scienceqa", 12)
    gqa(root / "data" / "gqa", root / "data" / "scienceqa" / "images" / "test" / "0" / "image.png")
    return root


def vertebra(home: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "vertebra", "eval", *words]
    known = {**os.environ, "COLUMNS": "80", "HF_HUB_OFFLINE": "1", **environment}
    return subprocess.run(command, cwd=home, env=known, capture_output=True, text=True, check=False)


def rows(done: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, Json]]:
    assert done.returncode == 0, done.stderr
    return {row["benchmark"]: row for row in json.loads(done.stdout)["rows"]}


def answers(home: Path, store: str) -> list[list[str]]:
    """Of every benchmark that was answered."""
    found = (home / store).glob("steps/*/out/answers.jsonl")
    return sorted([json.loads(line)["text"] for line in path.read_text().splitlines()] for path in found)


TWO = ("checkpoints/mine", "--benchmarks", "scienceqa,gqa", "--data", "data")


def test_a_checkpoint_is_measured_and_a_second_time_only_what_is_new_is_done(home):
    done = vertebra(home, *TWO, "--store", "once", "--show", "2")
    assert done.returncode == 0, done.stderr
    assert "ScienceQA" in done.stdout
    assert "mine" in done.stdout
    assert max(map(len, done.stdout.splitlines()[:6])) <= 80
    assert "note: adopted/mine/seed0/scienceqa/answers: scienceqa, " in done.stderr
    assert (home / "once" / "reports" / "eval-mine" / "index.html").is_file()
    again = vertebra(home, *TWO, "--store", "once", "--engine", "both", "--json")
    assert rows(again)["gqa"]["n"] == 2
    assert rows(again).keys() == {"scienceqa", "gqa"}
    assert json.loads(again.stdout)["differing"] == {"scienceqa": [0, 12], "gqa": [0, 2]}
    assert re.findall(r"done (\S+)", again.stderr) == [
        f"adopted/mine/seed0/{one}/answers" for one in ("scienceqa", "gqa")
    ]


def test_processes_on_one_store_share_the_work_at_the_same_time(home):
    words = (*TWO, "--store", "parts", "--set", "pack_tokens=300")
    with ThreadPoolExecutor(2) as pool:
        parts = [pool.submit(vertebra, home, *words, "--part", part) for part in ("1/2", "2/2")]
    for number, done in enumerate((part.result() for part in parts), start=1):
        assert done.returncode == 0, done.stderr
        assert f"Part {number}/2 is answered." in done.stderr
        assert done.stdout == ""
    folder = home / "parts" / "answers" / "adopted--mine--seed0"
    assert all((folder / f"{number}-of-2.jsonl").stat().st_size for number in (1, 2))
    assert answers(home, "parts") == []
    assert rows(vertebra(home, *words, "--json")).keys() == {"scienceqa", "gqa"}
    assert not (folder / "1-of-1.jsonl").exists(), "nothing was left to ask"


def test_an_architecture_that_is_not_ours_is_measured_by_its_own_processor(home):
    model = foreigners.checkpoint("idefics3")
    done = vertebra(
        home, str(model), "--name", "smol", "--benchmarks", "gqa", "--data", "data", "--store", "smol", "--json"
    )
    assert rows(done)["gqa"]["n"] == 2
    assert rows(done)["gqa"]["backbone"] == "smol"
    ((first, second),) = answers(home, "smol")
    assert first or second


def test_a_model_behind_an_endpoint_is_measured_and_its_key_is_nowhere(home):
    with judging(lambda _: said("No.")) as server:
        words = ("--endpoint", server.url, "--model", "org/served:1", "--benchmarks", "gqa", "--data", "data")
        done = vertebra(home, *words, "--store", "served", "--json", OPENAI_API_KEY="sk-canary-77")
    assert rows(done)["gqa"]["value"] == 100
    assert rows(done)["gqa"]["backbone"] == "1"
    assert len(server.asked) == 2
    written = [path.read_bytes() for path in (home / "served").rglob("*") if path.is_file()]
    assert not any(b"sk-canary" in data for data in [*written, done.stderr.encode()])


def test_a_benchmark_that_fails_does_not_hide_the_others(home, tmp_path):
    shutil.copytree(home / "data", tmp_path / "data")
    (tmp_path / "data" / "gqa" / "images" / "own.jpg").write_bytes(b"no picture")
    done = vertebra(home, *TWO[:3], "--data", str(tmp_path / "data"), "--store", "failing")
    assert done.returncode == 4
    assert "own.jpg" in " ".join(done.stderr.split())
    assert "ScienceQA" in done.stdout
    assert "no score yet" in done.stdout


def test_a_signal_is_obeyed_at_once_and_shows_no_table(home):
    command = [sys.executable, "-m", "vertebra", "eval", *TWO, "--store", "stopped"]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (home / "stopped" / "logs").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    shown, told = process.communicate(timeout=60)
    assert (process.returncode, shown) == (143, "")
    assert "the same command resumes" in " ".join(told.split())


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "Give one model"),
        (("checkpoints/mine", "--endpoint", "http://127.0.0.1:9/v1", "--model", "m"), 2, "Give one model"),
        (("--endpoint", "http://127.0.0.1:9/v1"), 2, "--endpoint URL and --model NAME together"),
        (("--endpoint", "ftp://x", "--model", "m"), 2, "The model's endpoint is `openai` or a base URL"),
        (("--endpoint", "http://me:secret@x/v1", "--model", "m"), 2, "without user, password and query"),
        (("checkpoints/mine", "--benchmarks", "poke"), 2, "Did you mean 'pope'?"),
        (("checkpoints/mine", "--benchmarks", ","), 2, "--benchmarks names none"),
        (("checkpoints/mine", "--part", "3/2"), 2, "expected K/N with K from 1 to N"),
        (("checkpoints/mine", "--part", "two"), 2, "expected K/N with K from 1 to N"),
        (("checkpoints/mine", "--name", "../up"), 2, "letters, digits, dots"),
        (("mine", "--benchmarks", "gqa"), 2, "neither a hub id"),
        (("org/none", "--benchmarks", "gqa"), 4, "hf download org/none"),
        (("checkpoints", "--benchmarks", "gqa"), 4, "no config.json in"),
        (("checkpoints/mine", "--benchmarks", "gqa"), 4, "--data DIR"),
        (("checkpoints/mine", "--benchmarks", "pope", "--data", "data"), 4, "coco_pope_random.json"),
        (("checkpoints/mine", "--engine", "fast"), 2, "fast"),
        (("--endpoint", "http://x/v1", "--model", "m", "--engine", "both"), 2, "is run by its server"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_paragraph_before_anything_is_begun(home, words, code, told):
    done = vertebra(home, *words, "--store", "errors")
    assert done.returncode == code, done.stderr
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert not (home / "errors" / "steps").exists()
