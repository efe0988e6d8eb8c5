"""`vertebra check MIXTURE`: what a mixture's files hold, what of it cannot be used, and how that is left out."""

import json

import pytest
import typer
import yaml
from PIL import Image
from typer.testing import CliRunner

from vertebra.catalog import Catalog
from vertebra.cli.check import check as command
from vertebra.cli.inspection import check_mixture
from vertebra.errors import ConfigError, DataError

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
    assert text.splitlines()[0] == "few: 7 records can be used; 1 picture looked at."
    assert text.splitlines()[1] == "          2 images"
    kinds = {"images": 2, "text alone": 1, "own regions": 1, "refcocog": 1, "refcocog-gpt4v": 1, "v7w": 1}
    assert document == {
        "mixture": "few", "passed": True, "records": 7, "kinds": kinds, "pictures": 1,
        "missing": 0, "broken": 0, "beside": 0, "untold": 0, "left_out": 0, "faults": [],
        "excluded": 0, "excluded_records": [], "unusable": 0, "unusable_records": [],
    }  # fmt: skip


def test_what_is_left_out_is_counted_and_the_first_are_named(check, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    silent = [{"id": f"bad{number}", "conversations": SAID[:1]} for number in range(25)]
    text, document = check([*RECORDS, *silent], faulty=0.8)
    assert "25 records more are malformed and left out:" in text
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


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command on a mixture of four records, two of which have no picture and one a region beside it."""
    lost = [{"id": f"lost{number}", "image": "gone.png", "conversations": SHOWN} for number in range(2)]
    beside = {"id": "refcocog-1", "image": "4.png", "bboxes": [[60, 2, 90, 30]], "answer": "a cup"}
    (tmp_path / "few.json").write_text(json.dumps([*lost, beside, RECORDS[0]]))
    (tmp_path / "mixtures").mkdir()
    (tmp_path / "mixtures" / "few.yaml").write_text("records: [few.json]\ncount: 4\n")
    Image.new("RGB", (60, 40)).save(tmp_path / "4.png")
    monkeypatch.setenv("COLUMNS", "300")
    mixture = str(tmp_path / "mixtures" / "few.yaml")
    return lambda *options: CliRunner().invoke(app, [mixture, "--data", str(tmp_path), *options])


def test_what_would_stop_a_training_is_named_and_exits_4(run):
    done = run()
    assert done.exception.exit_code == 4
    assert "pictures missing: 1, records with a region beside their picture: 1" in str(done.exception)
    assert done.stdout.splitlines() == [
        "few: 1 record can be used; 2 pictures looked at.",
        "          1 text alone",
        "3 records more are in the way of a training:",
        "  few.json: record 0 (id lost0): gone.png is missing. Fetch it.",
        "  few.json: record 1 (id lost1): gone.png is missing. Fetch it.",
        "  few.json: record 2 (id refcocog-1): 4.png does not show its region [60.0, 2.0, 90.0, 30.0].",
    ]


def test_json_is_printed_of_what_does_not_pass_too(run):
    document = json.loads(run("--json").stdout)
    assert (document["passed"], document["records"], document["pictures"]) == (False, 1, 2)
    assert (document["missing"], document["broken"], document["beside"], document["unusable"]) == (1, 0, 1, 3)
    assert document["unusable_records"][0].startswith("few.json: record 0 (id lost0): ")


def test_what_cannot_be_used_is_excluded_and_a_later_check_passes(run, tmp_path):
    done = run("--exclude")
    assert done.exit_code == 0
    listed = f"3 records more are listed in {tmp_path}/few.excluded.json and left out of every training:"
    assert listed in " ".join(done.stdout.split())
    later = run()
    assert (later.exit_code, listed in " ".join(later.stdout.split())) == (0, True)
    document = json.loads(run("--json").stdout)
    assert (document["passed"], document["records"], document["excluded"], document["unusable"]) == (True, 1, 3, 0)


def test_a_whole_mixture_excludes_nothing(run, tmp_path):
    (tmp_path / "few.json").write_text(json.dumps([RECORDS[0]] * 4))
    done = run("--exclude")
    assert done.stdout.endswith("There is nothing to exclude, and no list.\n")
    assert not (tmp_path / "few.excluded.json").exists()


def test_excluding_is_for_mixtures():
    done = CliRunner().invoke(app, ["gqa", "--exclude"])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == "gqa is a benchmark; --exclude is for mixtures."
