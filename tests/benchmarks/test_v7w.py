"""Visual7W as ViP-LLaVA asks and grades it."""

import json
import re
import subprocess
import sys

import pytest

from vertebra.benchmarks.v7w import BENCHMARK
from vertebra.errors import DataError
from vertebra.scoring.benchmark import Sample
from vertebra.visual.marks import COLOURS

BOXES = [[1, 2, 30, 40], [50, 2, 80.5, 40], [1, 60, 30, 90], [50, 60, 80, 90]]
RECORD = {"id": "v7w-12", "image": "v7w/a.jpg", "question": "Which ball?", "bboxes": BOXES, "answer": BOXES[1]}


@pytest.fixture
def write(tmp_path):
    def write(*records: object):
        (tmp_path / "v7w-test.json").write_text(json.dumps(records))
        return tmp_path

    return write


def test_the_options_name_the_colours_that_are_drawn(write):
    (sample,) = BENCHMARK.load(write(RECORD))
    question, *options, suffix = sample.text.split("\n")
    found = [re.fullmatch(r"([A-D])\. The object within the (\w+) rectangle", option) for option in options]
    assert (question, suffix) == ("Which ball?", "Answer with the option's letter from the given choices directly.")
    assert [match[1] for match in found] == ["A", "B", "C", "D"]
    assert [COLOURS[match[2]] for match in found] == [mark.colour for mark in sample.marks]
    assert len({mark.colour for mark in sample.marks}) == 4
    assert [list(mark.region.box) for mark in sample.marks] == BOXES
    assert {(mark.kind, mark.constant, mark.alpha) for mark in sample.marks} == {("rectangle", True, 128)}


def test_the_gold_letter_is_that_of_the_answer_s_box(write):
    assert BENCHMARK.load(write(RECORD))[0].gold == ("B",)
    assert BENCHMARK.load(write({**RECORD, "answer": "D"}))[0].gold == ("D",)


def test_colours_differ_between_records_and_not_between_processes(write):
    folder = write(*({**RECORD, "id": f"v7w-{index}"} for index in range(20)))
    texts = [sample.text for sample in BENCHMARK.load(folder)]
    assert len(set(texts)) > 15
    code = (
        "import sys, pathlib; from vertebra.benchmarks.v7w import BENCHMARK; "
        "print([sample.text for sample in BENCHMARK.load(pathlib.Path(sys.argv[1]))])"
    )
    other = subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True, text=True)
    assert other.stdout.strip() == str(texts)


@pytest.mark.parametrize(
    ("text", "score"), [("B", 1), ("b", 1), (" B\n", 1), ("B.", 0), ("(B)", 0), ("B. The object", 0), ("", 0), ("A", 0)]
)
def test_only_the_bare_letter_counts(text, score):
    assert BENCHMARK.grade(Sample("1", "?", None, ("B",), {}, "a"), text).score == score


@pytest.mark.parametrize(
    ("text", "score"), [("B", 1), ("b", 1), ("B.", 1), ("(B)", 1), ("B. The object", 1), ("B or C", 0), ("", 0)]
)
def test_leniently_a_letter_that_stands_alone_counts(text, score):
    lenient = BENCHMARK.under("vip-llava+lenient")
    assert lenient.grade(Sample("1", "?", None, ("B",), {}, "a"), text).score == score


def test_ready_made_questions_with_letters_are_taken_as_they_are(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question_id": 3, "image": "a.jpg", "text": "Which?\\nA. ...", "answer": "C"}\n')
    assert BENCHMARK.load(path) == [Sample("3", "Which?\nA. ...", "a.jpg", ("C",), {}, "a.jpg")]


@pytest.mark.parametrize(
    "broken",
    [
        {"answer": [0, 0, 1, 1]},
        {"answer": "E"},
        {"bboxes": BOXES[:3]},
        {"bboxes": [[1, 2, 3], *BOXES[1:]]},
        {"bboxes": [[1, 2, 3, float("nan")], *BOXES[1:]]},
        {"image": None},
    ],
)
def test_a_broken_record_is_named(write, broken):
    with pytest.raises(DataError, match=r"v7w-test\.json: record 1"):
        BENCHMARK.load(write(RECORD, {**RECORD, "id": "v7w-13", **broken}))
