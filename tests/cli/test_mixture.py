"""`vertebra check MIXTURE`: what a mixture's files hold, and what of it cannot be used."""

import json

import pytest
import typer
import yaml
from PIL import Image
from typer.testing import CliRunner

from vertebra.catalog import Catalog
from vertebra.cli.check import check as command
from vertebra.cli.inspection import check_mixture
from vertebra.errors import DataError

BOXES = [[2, 2, 20, 12], [30, 2, 50, 12], [2, 20, 20, 35], [30, 20, 50, 35]]
SAID = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]
SHOWN = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "a cup"}]
ASKED = [{"from": "human", "value": "<image>\nWhat is <bbox>?"}, {"from": "gpt", "value": "a cup"}]
RECORDS = [
    {"id": 1, "conversations": SAID},
    {"id": 2, "image": "4.png", "conversations": SHOWN},
    {"id": 3, "image": "4.png", "conversations": SHOWN},
    {"id": "mine-1", "image": "4.png", "bboxes": BOXES[:1], "conversations": ASKED},
    {"id": "refcocog-9", "image": "4.png", "bboxes": BOXES[:1], "answer": "a cup"},
    {"id": "refcocog-gpt4v-9", "image": "4.png", "bboxes": BOXES[:1], "conversations": ASKED},
    {"id": "v7w-4", "image": "4.png", "question": "Which ball?", "bboxes": BOXES, "answer": BOXES[2]},
]

app = typer.Typer()
app.command()(command)


@pytest.fixture
def check(tmp_path, capsys):
    """What is said of these records, as text and as JSON; of all, `faulty` may be unusable."""

    def check(records: list[object], faulty: float = 0.0) -> tuple[str, dict[str, object]]:
        (tmp_path / "few.json").write_text(json.dumps(records))
        (tmp_path / "mixtures").mkdir(exist_ok=True)
        fields = {"records": ["few.json"], "count": len(records), "faulty": faulty}
        (tmp_path / "mixtures" / "few.yaml").write_text(yaml.safe_dump(fields))
        Image.new("RGB", (60, 40)).save(tmp_path / "4.png")
        catalog = Catalog.installed().with_folder(tmp_path)
        check_mixture("few", tmp_path, catalog, as_json=False)
        text = capsys.readouterr().out
        check_mixture("few", tmp_path, catalog, as_json=True)
        return text, json.loads(capsys.readouterr().out)

    return check


def test_records_are_counted_by_kind(check):
    text, document = check(RECORDS)
    assert text.splitlines()[0] == "few: 7 records, and every image file is there."
    assert text.splitlines()[1] == "          2 images"
    kinds = {"images": 2, "text alone": 1, "own regions": 1, "refcocog": 1, "refcocog-gpt4v": 1, "v7w": 1}
    assert document == {
        "mixture": "few", "passed": True, "records": 7, "kinds": kinds, "left_out": 0, "faults": [],
    }  # fmt: skip


def test_what_is_left_out_is_counted_and_the_first_are_named(check, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    silent = [{"id": f"bad{number}", "conversations": SAID[:1]} for number in range(25)]
    text, document = check([*RECORDS, *silent], faulty=0.8)
    assert "25 more cannot be used and are left out:" in text
    assert text.count("(id bad") == 5
    assert text.endswith("  and 20 more\n")
    assert max(len(line) for line in text.splitlines() if "/" not in line) <= 80
    assert (document["records"], document["left_out"], len(document["faults"])) == (7, 25, 20)
    assert "record 7 (id bad0): `conversations` must go human, gpt" in document["faults"][0]


def test_more_than_the_mixture_bears_is_an_error(check):
    with pytest.raises(DataError, match="1 of 8 records of few cannot be used"):
        check([*RECORDS, {"id": 9}], faulty=0.1)


def test_a_mixture_of_one_s_own_is_checked_by_its_file(check, tmp_path):
    check(RECORDS)
    done = CliRunner().invoke(app, [str(tmp_path / "mixtures" / "few.yaml"), "--data", str(tmp_path)])
    assert done.exit_code == 0
    assert done.stdout.startswith("few: 7 records")
