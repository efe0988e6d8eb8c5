"""The score command on benchmarks of choices: other forms of answers, shared ids, protocols."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from vertebra.cli.score import score
from vertebra.errors import DataError, UnknownName

MME = Path(__file__).parents[2].parent / "shared" / "data" / "mme"
TSV = (
    "index\tquestion\tA\tB\tanswer\tcategory\tl2-category\n"
    "1\tWhich?\tcat\tdog\tA\tanimals\tcoarse\n1000001\tWhich?\tdog\tcat\tB\tanimals\tcoarse\n"
)
app = typer.Typer()
app.command()(score)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "mmbench_dev_20230712.tsv").write_text(TSV)
    rows = [{"question_id": 1, "text": "A"}, {"question_id": 1000001, "text": "答案是B"}]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(*options: object, answers: str = "answers.jsonl"):
        paths = ["--annotations", tmp_path, "--answers", tmp_path / answers]
        return CliRunner().invoke(app, ["mmbench", *map(str, [*paths, *options]), "--json"])

    return run


def test_the_official_protocol_is_the_default_and_another_has_to_be_named(run):
    official, lenient = json.loads(run().stdout), json.loads(run("--protocol", "dev+lenient").stdout)
    assert (official["protocol"], official["metrics"]["circular_accuracy"]) == ("dev", 0.0)
    assert (lenient["protocol"], lenient["metrics"]["circular_accuracy"]) == ("dev+lenient", 100.0)


def test_an_unknown_protocol_is_answered_with_those_there_are(run):
    error = run("--protocol", "strict").exception
    assert isinstance(error, UnknownName)
    assert "dev, dev+2023, dev+lenient, official" in str(error)


def test_an_upload_is_worth_what_its_answers_are(run, tmp_path):
    first = run("--upload", tmp_path / "upload.xlsx")
    again = run(answers="upload.xlsx")
    assert first.stdout == again.stdout


def test_an_xlsx_that_is_none_is_named(run, tmp_path):
    (tmp_path / "upload.xlsx").write_text("index,prediction\n1,A\n")
    error = run(answers="upload.xlsx").exception
    assert isinstance(error, DataError)
    assert "upload.xlsx is not a readable Excel file" in str(error)


@pytest.mark.skipif(not MME.is_dir(), reason="the shared MME files are not here")
@pytest.mark.parametrize("answers", ["answers_lavin", "answers_llava-v1.5-13b.jsonl"])
def test_the_two_questions_on_a_picture_are_told_under_its_name(tmp_path, answers):
    options = [
        "--annotations",
        MME / "annotations",
        "--answers",
        MME / answers,
        "--samples",
        tmp_path / "samples.jsonl",
    ]
    result = CliRunner().invoke(app, ["mme", *map(str, options), "--json"])
    assert json.loads(result.stdout)["n"] == 2374
    rows = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    names = [row["id"] for row in rows]
    assert names.count("OCR/0001.jpg") == names.count("artwork/10002.jpg") == 2
    assert len(set(names)) == 1187
