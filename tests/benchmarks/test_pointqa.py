"""PointQA-LookTwice as ViP-LLaVA asks and counts it."""

import json

import pytest

from vertebra.benchmarks.pointqa import BENCHMARK
from vertebra.errors import DataError
from vertebra.scoring.benchmark import Sample
from vertebra.visual.marks import constant_mark
from vertebra.visual.regions import Box, Region

RECORD = {
    "id": "pointQA_twice-5",
    "image": "vg/1.jpg",
    "general_question": "How many of these are there?",
    "object_question": "How many cups are there?",
    "bboxes": [[10, 20, 60.5, 80]],
    "answer": "Three",
}


@pytest.fixture
def write(tmp_path):
    def write(*records: object):
        (tmp_path / "pointQA_twice_test.json").write_text(json.dumps(records))
        return tmp_path

    return write


def test_the_example_is_in_a_red_rectangle(write):
    (sample,) = BENCHMARK.load(write(RECORD))
    assert sample.text == (
        "How many of these are there? The exemplary object is within the rectangle.\n"
        "Answer the question using a single word or phrase."
    )
    assert sample.marks == (constant_mark("rectangle", Region(Box(10, 20, 60.5, 80)), "red"),)
    assert (sample.image, sample.gold) == ("vg/1.jpg", ("Three",))


def test_a_number_is_an_answer_too(write):
    assert BENCHMARK.load(write({**RECORD, "answer": 3}))[0].gold == ("3",)


@pytest.mark.parametrize(
    ("text", "score"), [("three", 1), ("THREE", 1), (" Three\n", 1), ("three.", 0), ("3", 0), ("", 0), ("ſ", 0)]
)
def test_only_case_and_outer_blanks_are_forgiven(text, score):
    assert BENCHMARK.grade(Sample("1", "?", None, ("Three",), {}, "a"), text).score == score


@pytest.mark.parametrize(
    ("gold", "text", "score"),
    [
        *(("Three", "three.", 1), ("Three", "3", 1), ("yes", "Yes, ", 1), ("a red cup", "The red cup.", 1)),
        *(("Three", "four", 0), ("Three", "", 0), ("a", "the", 0)),
    ],
)
def test_leniently_articles_and_punctuation_do_not_count(gold, text, score):
    lenient = BENCHMARK.under("vip-llava+lenient")
    assert lenient.grade(Sample("1", "?", None, (gold,), {}, "a"), text).score == score


def test_cases_are_not_folded():
    assert BENCHMARK.grade(Sample("1", "?", None, ("STRASSE",), {}, "a"), "straße").score == 0


def test_ready_made_questions_are_taken_as_they_are(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question_id": 3, "image": "a.jpg", "text": "How many?", "answer": "2"}\n')
    assert BENCHMARK.load(path) == [Sample("3", "How many?", "a.jpg", ("2",), {}, "a.jpg")]


@pytest.mark.parametrize(
    "broken",
    [
        {"bboxes": []},
        {"bboxes": [[1, 2, 3]]},
        {"bboxes": [[1, 2, 3, float("inf")]]},
        {"bboxes": [[1, 2, 3, 4], [1, 2, 3, 4]]},
        {"general_question": None},
        {"answer": ["2"]},
        {"answer": True},
        {"image": 1},
    ],
)
def test_a_broken_record_is_named(write, broken):
    with pytest.raises(DataError, match=r"pointQA_twice_test\.json: record 1"):
        BENCHMARK.load(write(RECORD, {**RECORD, "id": "pointQA_twice-6", **broken}))
