"""SEED-Bench's image part as LLaVA's convert_seed_for_submission.py counts it."""

import json

import pytest

from vertebra.benchmarks.seed_img import BENCHMARK
from vertebra.errors import DataError
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import OPTION_LETTER, Answer, Sample
from vertebra.scoring.scorecard import score

SAMPLE = Sample("1", "?", None, ("A",), {}, "1")
QUESTION = {
    "question_id": "7",
    "question": "How many?",
    "choice_a": "One",
    "choice_b": "Two",
    "choice_c": "Three",
    "choice_d": "Four",
    "answer": "A",
    "data_type": "image",
    "data_id": "145_26",
    "question_type_id": 5,
}
QUESTIONS = [
    {**QUESTION, "question_id": "v1", "data_type": "video", "data_id": "1.webm", "segment": [0, 1]},
    QUESTION,
    {**QUESTION, "question_id": "49914", "answer": "B"},
    {**QUESTION, "question_id": "49914", "question_type_id": 6},
]


@pytest.fixture
def write(tmp_path):
    def write(questions=QUESTIONS, answers=()):
        path = tmp_path / "SEED-Bench.json"
        kinds = {"Instances Counting": 5, "Spatial Relation": 6}
        path.write_text(json.dumps({"questions": questions, "question_type": kinds}))
        (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("text", "exact", "lenient"),
    [
        ("A", 1, 1),
        ("A.", 0, 1),
        ("a", 0, 1),
        ("A ", 0, 1),
        ("(A) One", 0, 1),
        ("A or B", 0, 0),
        ("", 0, 0),
        ("B", 0, 0),
    ],
)
def test_officially_only_the_bare_capital_counts(text, exact, lenient):
    assert BENCHMARK.grade(SAMPLE, text).score == exact
    assert BENCHMARK.under("llava+lenient").grade(SAMPLE, text).score == lenient


def test_video_questions_are_not_asked_and_options_stand_in_lines(write):
    first, *others = BENCHMARK.load(write())
    assert first.text == "How many?\nA. One\nB. Two\nC. Three\nD. Four" + OPTION_LETTER
    assert (first.image, first.groups) == ("SEED-Bench-image/145_26", {"question type": "Instances Counting"})
    assert [(sample.id, sample.label) for sample in others] == [("49914#1", "49914"), ("49914#2", "49914")]


def test_one_answer_to_a_double_id_counts_for_both_the_last_one(write):
    answers = [
        {"question_id": 49914, "text": "D"},
        {"question_id": "v1", "text": "A"},
        {"question_id": 49914, "text": "A"},
        {"question_id": "007", "text": "A"},
    ]
    folder = write(answers=answers)
    samples = BENCHMARK.load(folder)
    given = read_answers(folder / "answers.jsonl", BENCHMARK, samples)
    card = score(BENCHMARK, samples, given)
    assert (card.n, card.missing, card.scores.metrics) == (3, 0, {"accuracy": pytest.approx(200 / 3)})
    assert card.scores.groups["question type"] == {
        "Instances Counting": {"accuracy": 50.0},
        "Spatial Relation": {"accuracy": 100.0},
    }


def test_the_upload_repeats_the_order_of_the_questions_and_is_read_as_answers(write):
    folder = write()
    samples = BENCHMARK.load(folder)
    text = BENCHMARK.upload(samples, {"49914#1": Answer("A"), "49914#2": Answer("A")})
    assert text == 2 * '{"question_id": "49914", "prediction": "A"}\n'
    (folder / "upload.jsonl").write_text(text)
    assert read_answers(folder / "upload.jsonl", BENCHMARK, samples) == {"49914#1": Answer("A"), "49914#2": Answer("A")}


@pytest.mark.parametrize("name", ["8", "v1_0", "OCR/1.png", ""])
def test_an_answer_to_another_benchmark_is_named(write, name):
    folder = write(answers=[{"question_id": 7, "text": "A"}, {"question_id": name, "text": "A"}])
    with pytest.raises(DataError, match=rf"answers\.jsonl:2: seed_img has no question '{name}'"):
        read_answers(folder / "answers.jsonl", BENCHMARK, BENCHMARK.load(folder))


@pytest.mark.parametrize(
    "broken", [{"answer": "E"}, {"choice_d": None}, {"data_id": ["a", "b"]}, {"question_id": None}]
)
def test_a_broken_question_is_named(write, broken):
    (field,) = broken
    with pytest.raises(DataError, match=rf"SEED-Bench\.json: question 1: `{field}"):
        BENCHMARK.load(write([QUESTION, {**QUESTION, **broken}]))


def test_a_file_without_images_is_refused(write):
    with pytest.raises(DataError, match="holds no question of seed_img"):
        BENCHMARK.load(write(QUESTIONS[:1]))
