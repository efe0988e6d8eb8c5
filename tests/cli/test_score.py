"""The score command on a tiny GQA release."""

import json

import pytest
import typer
from typer.testing import CliRunner

from vertebra.cli.score import score
from vertebra.errors import ConfigError, DataError, UnknownName

TYPES = {"structural": "\x1b[31mverify", "semantic": "[b]global"}
QUESTIONS = {
    "1": {"question": "Is it?", "imageId": "n1", "answer": "no", "isBalanced": True, "types": TYPES},
    "2": {"question": "Is it not?", "imageId": "n1", "answer": "yes", "isBalanced": True, "types": TYPES},
}

app = typer.Typer()
app.command()(score)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "testdev_balanced_questions.json").write_text(json.dumps(QUESTIONS))
    (tmp_path / "answers.jsonl").write_text('{"question_id": "1", "text": "No."}\n')
    return tmp_path


@pytest.fixture
def run(folder):
    def run(*options: object, benchmark: str = "gqa"):
        paths = ["--annotations", folder, "--answers", folder / "answers.jsonl"]
        return CliRunner().invoke(app, [benchmark, *map(str, [*paths, *options])])

    return run


def test_json_is_one_document_on_stdout_and_remarks_are_on_stderr(run):
    result = run("--json")
    assert result.exit_code == 0
    card = json.loads(result.stdout)
    assert list(card) == ["benchmark", "protocol", "n", "missing", "headline", "metrics", "groups"]
    assert (card["n"], card["missing"], card["metrics"]) == (2, 1, {"accuracy": 50.0})
    assert "1 of 2 questions unanswered" in result.stderr


def test_people_get_a_table_that_cannot_steer_their_terminal(run):
    table = run().stdout
    assert "50" in table
    assert "[b]global" in table
    assert "\x1b" not in table


def test_samples_hold_a_row_per_question(run, folder):
    run("--samples", folder / "samples.jsonl")
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert rows == [{"id": "1", "score": 1.0, "parsed": "no"}, {"id": "2", "score": 0.0, "parsed": None}]


def test_the_upload_file_is_written(run, folder):
    run("--upload", folder / "upload.json")
    assert json.loads((folder / "upload.json").read_text()) == [{"questionId": "1", "prediction": "no"}]


def test_an_upload_for_a_benchmark_without_one_names_those_that_have(run, folder):
    error = run("--upload", folder / "upload.json", benchmark="pope").exception
    assert isinstance(error, ConfigError)
    assert "'gqa'" in str(error)


@pytest.mark.parametrize(
    ("options", "benchmark", "kind"),
    [
        (["--protocol", "testdev"], "gqa", UnknownName),
        ([], "gqua", UnknownName),
        ([], "pope", DataError),
    ],
)
def test_what_cannot_be_scored_ends_with_an_error_for_people(run, options, benchmark, kind):
    assert isinstance(run(*options, benchmark=benchmark).exception, kind)


def test_the_right_protocol_may_be_insisted_on(run):
    assert run("--protocol", "testdev_balanced").exit_code == 0
