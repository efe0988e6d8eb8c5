"""GQA testdev_balanced as the official eval.py counts LLaVA's predictions."""

import json

import pytest

from vertebra.benchmarks.gqa import BENCHMARK
from vertebra.errors import DataError
from vertebra.scoring.benchmark import Answer, Sample
from vertebra.scoring.scorecard import score

QUESTION = {
    "question": "Is it overcast?",
    "imageId": "n161313",
    "answer": "no",
    "isBalanced": True,
    "types": {"structural": "verify", "semantic": "global", "detailed": "weatherVerify"},
}
QUESTIONS = {
    "1": QUESTION,
    "2": {**QUESTION, "answer": "t-shirt", "types": {"structural": "query", "semantic": "obj"}},
    "3": {**QUESTION, "isBalanced": False, "types": {"structural": "choose", "semantic": None}},
}


@pytest.fixture
def write(tmp_path):
    def write(questions: object):
        (tmp_path / "testdev_balanced_questions.json").write_text(json.dumps(questions))
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("text", "score"),
    [("no", 1), ("No", 1), ("NO...", 1), ("no. ", 0), (" no", 0), ("no!", 0), (".no", 0), ("", 0)],
)
def test_only_case_and_trailing_periods_are_forgiven(text, score):
    assert BENCHMARK.grade(Sample("1", "?", None, ("no",), {}, "a"), text).score == score


def test_a_question_keeps_its_case_and_gains_the_suffix(write):
    first = BENCHMARK.load(write(QUESTIONS))[0]
    assert first.text == "Is it overcast?\nAnswer the question using a single word or phrase."
    assert (first.image, first.cluster) == ("images/n161313.jpg", "n161313")


def test_unbalanced_questions_may_be_answered_but_do_not_count(write):
    answers = {"1": Answer("No."), "2": Answer("shirt"), "3": Answer("yes")}
    card = score(BENCHMARK, BENCHMARK.load(write(QUESTIONS)), answers)
    assert (card.n, card.missing, card.scores.metrics) == (2, 0, {"accuracy": 50.0})
    assert card.scores.groups == {
        "structural": {"verify": {"accuracy": 100.0}, "query": {"accuracy": 0.0}},
        "semantic": {"global": {"accuracy": 100.0}, "obj": {"accuracy": 0.0}},
    }


def test_a_missing_answer_is_wrong(write):
    card = score(BENCHMARK, BENCHMARK.load(write(QUESTIONS)), {"1": Answer("no")})
    assert (card.missing, card.scores.metrics["accuracy"]) == (1, 50.0)


def test_the_questions_may_be_given_as_a_file(write):
    assert len(BENCHMARK.load(write(QUESTIONS) / "testdev_balanced_questions.json")) == 3


def test_the_upload_is_the_official_predictions_file():
    assert BENCHMARK.upload is not None
    text = BENCHMARK.upload([], {"1": Answer("No."), "2": Answer("T-Shirt")})
    assert text == '[{"questionId": "1", "prediction": "no"}, {"questionId": "2", "prediction": "t-shirt"}]'


@pytest.mark.parametrize("broken", [{"answer": 1}, {"isBalanced": "yes"}, {"types": None}, {"imageId": None}])
def test_a_wrong_field_is_named(write, broken):
    (field,) = broken
    with pytest.raises(DataError, match=rf"questions\.json: question '1': `{field}`"):
        BENCHMARK.load(write({"1": {**QUESTION, **broken}}))
