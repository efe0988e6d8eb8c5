"""`vertebra regions` as people run it."""

import json
import sys

import pytest
from tests.chat.test_coco import CATEGORIES, IMAGES, PERSON, PLANT

from vertebra.chat.records import read_records
from vertebra.cli import main


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """The exit code, and what stands on stdout and stderr, of a conversion of these annotations."""

    def run(annotations: list[object], *options: object) -> tuple[object, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "80")
        tree = {"images": IMAGES, "annotations": annotations, "categories": CATEGORIES}
        (tmp_path / "instances.json").write_text(json.dumps(tree))
        monkeypatch.setattr(sys, "argv", ["vertebra", "regions", "instances.json", *map(str, options)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return run


def test_annotations_become_records(run, tmp_path):
    code, out, told = run([PLANT, PERSON, {**PERSON, "iscrowd": 1}], "new/mine.json", "--images", "photos")
    assert (code, told) == (0, "")
    assert out == "new/mine.json: 1 record, 2 regions; 1 crowd left out.\n"
    (record,) = read_records(tmp_path / "new" / "mine.json")
    assert record.images == ("photos/000000000139.jpg",)


def test_the_question_the_marks_and_the_ids_can_be_chosen(run, tmp_path):
    options = ("--ask", "Wer ist <bbox>?", "--kind", "mask contour", "--kind", "point", "--most", 1, "--name", "meins")
    assert run([PLANT, PERSON], "mine.json", *options)[0] == 0
    records = json.loads((tmp_path / "mine.json").read_text())
    assert [record["id"] for record in records] == ["meins-139-0", "meins-139-1"]
    assert records[0]["kinds"] == ["mask contour", "point"]
    assert records[0]["conversations"][0]["value"] == "<image>\nWer ist <bbox0>?"


def test_annotations_that_cannot_be_used_are_named_and_too_many_are_an_error(run, tmp_path):
    bad = [{**PERSON, "id": 100 + number, "bbox": [1, 1, 0, 0]} for number in range(7)]
    code, out, told = run([*bad, *[PERSON] * 93], "mine.json")
    assert (code, out) == (4, "")
    lines = told.splitlines()
    assert lines[0] == "7 of 100 annotations cannot be used:"
    assert lines[1] == "  instances.json: annotation 100: `bbox` [1, 1, 0, 0] has no area."
    assert lines[6] == "  and 2 more"
    assert "more than 1.00%" in told
    assert not (tmp_path / "mine.json").exists()
    code, out, told = run([*bad, *[PERSON] * 93], "mine.json", "--faulty", 0.07, "--json")
    assert code == 0
    document = json.loads(out)
    assert (document["records"], document["regions"], document["crowds"], len(document["faults"])) == (12, 93, 0, 7)


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("mine.txt",), 2, "must end in .json"),
        (("instances.json",), 2, "holds the annotations themselves"),
        (("mine.json", "--ask", "What?"), 2, "has <bbox> in it"),
        (("mine.json", "--kind", "arow"), 2, "Did you mean 'arrow'?"),
        (("mine.json", "--most", 0), 2, "--most"),
        (("mine.json", "--name", "vcr"), 2, "published source's"),
    ],
)
def test_nonsense_is_told(run, tmp_path, options, code, told):
    found, out, said = run([PLANT], *options)
    assert (found, out) == (code, "")
    assert told in " ".join(said.split())
    assert [path.name for path in tmp_path.iterdir()] == ["instances.json"]


def test_a_file_without_regions_is_an_error(run):
    code, _, told = run([], "mine.json")
    assert code == 4
    assert "holds no region" in told
