"""ScienceQA as LLaVA's eval_science_qa.py reads and counts it."""

import json

import pytest

from vertebra.benchmarks.scienceqa import BENCHMARK
from vertebra.errors import DataError
from vertebra.scoring.benchmark import Answer, Sample
from vertebra.scoring.scorecard import score

SAMPLE = Sample("1", "?", None, ("A",), {}, "1")
PROBLEM = {
    "question": "Which is a solid?",
    "choices": ["ice", "water", "steam"],
    "answer": 0,
    "hint": "",
    "image": None,
    "subject": "natural science",
    "split": "test",
}
PROBLEMS = {
    "4": {**PROBLEM, "image": "image.png", "hint": "Look at it."},
    "5": PROBLEM,
    "6": {**PROBLEM, "image": "image.png", "answer": 1, "subject": "social science"},
    "7": {**PROBLEM, "split": "train", "answer": 99},
}


@pytest.fixture
def write(tmp_path):
    def write(problems: object = PROBLEMS, splits: object = None):
        (tmp_path / "problems.json").write_text(json.dumps(problems))
        (tmp_path / "pid_splits.json").write_text(json.dumps(splits or {"test": ["4", "5", "6"], "train": ["7"]}))
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", "A"),
        ("E", "E"),
        ("A. dog", "A"),
        ("A. ", "A"),
        ("The answer is B.", "B"),
        ("So: The answer is C!", "C"),
        ("The answer is Z.", "Z"),
        ("A.", None),
        ("F", None),
        ("F. dog", None),
        ("a", None),
        ("(A)", None),
        ("A)", None),
        ("A:", None),
        ("A dog", None),
        ("", None),
        ("The answer is A", None),
        ("The answer is A\n", None),
        ("the answer is A.", None),
        ("The answer is A. The answer is B.", None),
        ("FAILED", None),
    ],
)
def test_a_letter_is_found_by_the_official_rules_only(text, letter):
    assert BENCHMARK.grade(SAMPLE, text).parsed == letter


def test_the_prompt_has_context_only_with_a_hint_and_an_option_a_line(write):
    first, second, _ = BENCHMARK.load(write())
    asked = (
        "Which is a solid?\nA. ice\nB. water\nC. steam\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert (first.text, first.image) == ("Context: Look at it.\n" + asked, "images/test/4/image.png")
    assert (second.text, second.image) == (asked, None)


def test_a_missing_answer_is_wrong_overall_and_drops_out_of_the_image_accuracy(write):
    answers = {"4": Answer("A", "<image>\nWhich?"), "5": Answer("B", "Which?")}
    card = score(BENCHMARK, BENCHMARK.load(write()), answers)
    assert (card.n, card.missing) == (3, 1)
    assert card.scores.metrics == {"image_accuracy": 100.0, "accuracy": pytest.approx(100 / 3)}


def test_the_stored_prompt_decides_what_counts_as_an_image_question(write):
    answers = {"4": Answer("A", "Which?"), "5": Answer("A", "Which?"), "6": Answer("A", "<image>\nWhich?")}
    assert score(BENCHMARK, BENCHMARK.load(write()), answers).scores.metrics["image_accuracy"] == 0.0


def test_the_problem_s_image_decides_where_no_stored_prompt_shows_one(write):
    answers = {name: Answer("A", "Which?") for name in ("4", "5", "6")}
    assert score(BENCHMARK, BENCHMARK.load(write()), answers).scores.metrics["image_accuracy"] == 50.0


def test_subjects_without_images_have_no_image_accuracy(write):
    problems = {**PROBLEMS, "5": {**PROBLEM, "subject": "language science"}}
    answers = {name: Answer("A") for name in ("4", "5", "6")}
    assert score(BENCHMARK, BENCHMARK.load(write(problems)), answers).scores.groups["subject"] == {
        "natural science": {"image_accuracy": 100.0, "accuracy": 100.0},
        "language science": {"accuracy": 100.0},
        "social science": {"image_accuracy": 0.0, "accuracy": 0.0},
    }


@pytest.mark.parametrize(
    "broken",
    [{"answer": 3}, {"answer": -1}, {"answer": "A"}, {"choices": []}, {"choices": list("abcdef")}, {"question": None}],
)
def test_an_impossible_problem_is_named(write, broken):
    with pytest.raises(DataError, match=r"problems\.json: problem '5'"):
        BENCHMARK.load(write({**PROBLEMS, "5": {**PROBLEM, **broken}}))


def test_a_problem_that_is_not_there_is_named(write):
    with pytest.raises(DataError, match=r"problems\.json: problem '8'"):
        BENCHMARK.load(write(splits={"test": ["8"]}))


def test_a_problem_listed_twice_is_named(write):
    with pytest.raises(DataError, match="'4' is there twice"):
        BENCHMARK.load(write(splits={"test": ["4", "4"]}))
