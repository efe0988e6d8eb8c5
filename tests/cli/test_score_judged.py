"""The score command on benchmarks that a judge grades."""

import json
import subprocess
import sys

import pytest
import typer
from tests.judge_server import failed, judging, said
from typer.testing import CliRunner

from vertebra.cli.score import score
from vertebra.errors import ConfigError, JudgeError, UnknownName

KEY = "sk-canary-77aa"
QUESTION = {"imagename": "a.png", "question": "What is x?", "answer": "-1<AND>-5", "capability": ["math"]}

app = typer.Typer()
app.command()(score)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mm-vet.json").write_text(json.dumps({"v1_0": QUESTION, "v1_1": QUESTION}))
    (tmp_path / "answers.json").write_text('{"v1_0": "x = -1", "v1_1": "x = -1 or x = -5"}')
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    def run(*options: object, benchmark: str = "mm_vet"):
        paths = ["--annotations", folder / "mm-vet.json", "--answers", folder / "answers.json", "--json"]
        return CliRunner().invoke(app, [benchmark, *map(str, [*paths, *options])])

    return run


def test_given_grades_are_replayed(run, folder):
    grades = {name: {"model": ["gpt-4-0613"], "content": ["0.5"], "score": [0.5]} for name in ("v1_0", "v1_1")}
    (folder / "grades.json").write_text(json.dumps(grades))
    result = run("--judgments", folder / "grades.json", "--samples", folder / "samples.jsonl")
    assert json.loads(result.stdout) == {
        "benchmark": "mm_vet",
        "protocol": "v1 judge=gpt-4-0613",
        "n": 2,
        "missing": 0,
        "headline": "total",
        "metrics": {"total": 50.0, "std": 0.0},
        "groups": {"capability": {"math": {"total": 50.0, "std": 0.0}}},
    }
    first = json.loads((folder / "samples.jsonl").read_text().splitlines()[0])
    assert first == {"id": "v1_0", "score": 0.5, "parsed": "0.5"}


def test_a_judge_is_asked_and_its_cache_replayed(run, folder, monkeypatch):
    with judging(lambda body: said("0.5" if "x = -1 |" in body["messages"][0]["content"][-12:] else "1.0")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        result = run("--judge", "judge-2", "--runs", "2")
        assert server.authorizations == [f"Bearer {KEY}"] * 4
    card = json.loads(result.stdout)
    assert card["metrics"] == {"total": 75.0, "std": 0.0}
    assert card["protocol"] == "v1 judge=judge-2 (judge-1)"
    assert "judge-2 was asked and judge-1 answered" in result.stderr
    again = run("--judgments", folder / "answers.json.judge.jsonl")
    assert json.loads(again.stdout) == card
    assert KEY not in (folder / "answers.json.judge.jsonl").read_text() + result.output


def test_unreadable_grades_are_no_score_but_an_official_zero(run, folder):
    (folder / "grades.json").write_text(
        json.dumps({"v1_0": {"content": ["Sorry"], "score": [0.0]}, "v1_1": {"content": ["1.0"], "score": [1.0]}})
    )
    error = run("--judgments", folder / "grades.json").exception
    assert isinstance(error, JudgeError)
    assert "'Sorry'" in str(error)
    card = json.loads(run("--judgments", folder / "grades.json", "--protocol", "official").stdout)
    assert (card["protocol"], card["metrics"]["total"]) == ("v1 official judge=unnamed", 50.0)


def test_without_judge_and_judgments_the_exit_code_is_5_and_the_message_one_paragraph(folder):
    command = [sys.executable, "-m", "vertebra", "score", "mm_vet", "--annotations", str(folder)]
    done = subprocess.run(
        [*command, "--answers", str(folder / "answers.json")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 5
    assert "--judgments" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failing_judge_ends_with_exit_code_5_and_no_key_in_sight(folder):
    command = [sys.executable, "-m", "vertebra", "score", "mm_vet", "--annotations", str(folder), "--judge", "m"]
    with judging(lambda _: failed(401, f"wrong key {KEY}")) as server:
        done = subprocess.run(
            [*command, "--answers", str(folder / "answers.json"), "--judge-url", server.url],
            env={"OPENAI_API_KEY": KEY, "OPENAI_LOG": "debug"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 5
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_rules_need_no_server(run):
    card = json.loads(run("--judge", "rules").stdout)
    assert card["protocol"] == "v1 judge=rules (scripted)"
    assert card["metrics"]["total"] == 75


@pytest.mark.parametrize(
    ("options", "benchmark", "kind"),
    [
        (["--judge", "rules"], "gqa", ConfigError),
        (["--judgments", "x.json"], "pope", ConfigError),
        (["--protocol", "dev"], "gqa", UnknownName),
        (["--judge", "m", "--judge-url", "nowhere"], "mm_vet", ConfigError),
    ],
)
def test_options_that_do_not_fit_are_refused(run, options, benchmark, kind):
    assert isinstance(run(*options, benchmark=benchmark).exception, kind)


@pytest.mark.parametrize(("prompt", "is_told"), [("What is the name of this sight?", True), ("What is x?", False)])
def test_answers_to_another_benchmark_with_the_same_numbers_are_told_of(run, folder, prompt, is_told):
    (folder / "answers.json").write_text(json.dumps({"question_id": 0, "prompt": prompt, "text": "x = -1"}))
    result = run("--judge", "rules")
    assert ("Are these answers to mm_vet?" in result.stderr) is is_told
    assert "1 of 2 questions unanswered" in result.stderr


def test_importing_the_benchmarks_and_the_command_brings_no_openai():
    code = (
        "import sys; from vertebra import benchmarks, cli; import vertebra.scoring.judge; "
        "[benchmarks.benchmark(name) for name in benchmarks.names()]; assert 'openai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
