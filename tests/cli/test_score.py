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


def test_the_official_protocol_tells_what_the_official_code_does_otherwise(run):
    plain, official = run("--json"), run("--json", "--protocol", "official")
    assert official.stdout == plain.stdout
    assert "GQA: the official code stops at a balanced question without an answer" in official.stderr
    assert "official code" not in plain.stderr


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


@pytest.fixture
def server_only(tmp_path):
    """The options that name a split whose answers are on a server, and answers to it."""
    question = {"question_id": 0, "image": "VizWiz_test_00000000.jpg", "text": "What is this?"}
    (tmp_path / "llava_test.jsonl").write_text(json.dumps(question))
    (tmp_path / "answers.jsonl").write_text('{"question_id": 0, "prompt": "What is this?", "text": "A cup."}\n')
    paths = ["--annotations", tmp_path / "llava_test.jsonl", "--answers", tmp_path / "answers.jsonl"]
    return ["vizwiz", *map(str, paths), "--json"]


def test_a_split_without_right_answers_makes_an_upload_and_no_score(server_only, tmp_path):
    result = CliRunner().invoke(app, [*server_only, "--upload", str(tmp_path / "upload.json")])
    assert (tmp_path / "upload.json").read_text() == '[{"image": "VizWiz_test_00000000.jpg", "answer": "cup"}]'
    card = json.loads(result.stdout)
    assert (card["n"], card["metrics"], card["groups"]) == (0, {}, {})
    assert "holds 1 answers to 1 questions" in result.stderr


def test_a_split_without_right_answers_is_not_scored_in_silence(server_only):
    assert isinstance(CliRunner().invoke(app, server_only).exception, DataError)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"question_id": "1", "text": "no"}\n{"question_id": "2", "te', "2: not valid JSON"),
        (b'{"question_id": "1", "text": "no"}\n{"question_id": "2", "text": "caf\xe9"}\n', "2: not UTF-8"),
    ],
)
def test_answers_cut_off_or_not_utf_8_are_refused_with_their_line(run, folder, content, told):
    (folder / "answers.jsonl").write_bytes(content)
    error = run().exception
    assert isinstance(error, DataError)
    assert f"answers.jsonl:{told}" in str(error)


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
