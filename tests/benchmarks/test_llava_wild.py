"""LLaVA-Bench (in the wild) from its official files and reviews."""

import json

import pytest

from vertebra.benchmarks.llava_wild import BENCHMARK
from vertebra.errors import DataError, JudgeError
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import Answer
from vertebra.scoring.judging import Judgment, judged
from vertebra.scoring.scorecard import score

QUESTIONS = [
    {"question_id": 0, "image": "001.jpg", "text": "What is the name of this sight?", "category": "conv"},
    {"question_id": 1, "image": "001.jpg", "text": "Describe this photo.", "category": "detail"},
    {"question_id": 2, "image": "002.jpg", "text": "Why is it funny?", "category": "complex"},
]
CONTEXT = [
    {"id": "001", "image": "001.jpg", "caption": "An aerial view."},
    {"id": "002", "image": "002.jpg", "caption": ["A dog", "in a hat."]},
]
REFERENCE = [{"question_id": row["question_id"], "text": f"Reference {row['question_id']}"} for row in QUESTIONS]
ANSWERS = {str(index): Answer(f"Answer {index}") for index in range(3)}


@pytest.fixture
def write(tmp_path):
    def write(questions=QUESTIONS, context=CONTEXT, reference=REFERENCE):
        for name, rows in (("questions", questions), ("context", context), ("answers_gpt4", reference)):
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path

    return write


def test_a_question_is_asked_unmodified_and_knows_reference_and_caption(write):
    *_, last = BENCHMARK.load(write())
    assert (last.text, last.image) == ("Why is it funny?", "images/002.jpg")
    assert last.gold == ("Reference 2", "A dog\nin a hat.")


def test_files_are_paired_by_id_whatever_their_order(write):
    assert BENCHMARK.load(write(reference=REFERENCE[::-1]))[0].gold[0] == "Reference 0"


def test_the_score_is_the_official_ratio_over_all_and_per_category(write):
    samples = BENCHMARK.load(write())
    pairs = [(8.0, 7.0), (9.0, 4.0), (9.0, 8.0)]
    judgments = {sample.id: [Judgment(pair, None)] for sample, pair in zip(samples, pairs, strict=True)}
    named, verdicts = judged(BENCHMARK, samples, ANSWERS, judgments, "gpt-4-0314")
    scores = named.summarise(samples, verdicts)
    assert named.protocol == "llava judge=gpt-4-0314"
    assert scores.metrics == {"relative_score": 73.1}
    assert scores.groups["category"]["detail"] == {"relative_score": 44.4}
    assert [(verdict.score, verdict.parsed) for verdict in verdicts] == [(0.7, "8 7"), (0.4, "9 4"), (0.8, "9 8")]


def test_a_failure_officially_counts_minus_one_for_both(write):
    samples = BENCHMARK.load(write())
    judgments = {sample.id: [Judgment((-1.0, -1.0), "8, 7")] for sample in samples[:2]}
    judgments["2"] = [Judgment((9.0, 8.0), None)]
    named, verdicts = judged(BENCHMARK, samples, ANSWERS, judgments, official=True)
    assert named.summarise(samples, verdicts).metrics == {"relative_score": 85.7}  # means 2.333 and 2.0
    with pytest.raises(JudgeError, match="2 of 3"):
        judged(BENCHMARK, samples, ANSWERS, judgments)


def test_without_a_judge_there_is_no_score(write):
    with pytest.raises(JudgeError, match="--judgments"):
        score(BENCHMARK, BENCHMARK.load(write()), ANSWERS)


def test_a_missing_answer_is_an_error_because_the_official_code_would_pair_the_wrong_ones(write):
    with pytest.raises(DataError, match="question '0' has no answer"):
        judged(BENCHMARK, BENCHMARK.load(write()), {}, {"1": [Judgment((8.0, 7.0), None)]})


def test_a_second_answer_is_refused(write, tmp_path):
    samples = BENCHMARK.load(write())
    path = tmp_path / "answers.jsonl"
    path.write_text('{"question_id": 0, "text": "a"}\n{"question_id": 0, "text": "b"}\n')
    with pytest.raises(DataError, match=r"answers\.jsonl:2: .*twice"):
        read_answers(path, BENCHMARK, samples)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"context": CONTEXT[:1]}, r"questions\.jsonl:3: context\.jsonl has nothing for question '2'"),
        ({"reference": REFERENCE[1:]}, r"questions\.jsonl:1: answers_gpt4\.jsonl has nothing for question '0'"),
        ({"questions": [{**QUESTIONS[0], "category": "llava"}]}, "category 'llava'"),
        ({"questions": [QUESTIONS[0], QUESTIONS[0]]}, "'0' is there twice"),
        ({"context": [{"image": "001.jpg"}]}, r"context\.jsonl:1: `caption`"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_line(write, broken, told):
    with pytest.raises(DataError, match=told):
        BENCHMARK.load(write(**broken))


def test_the_upload_is_an_answers_file_for_the_official_review(write):
    assert BENCHMARK.upload
    text = BENCHMARK.upload(BENCHMARK.load(write()), ANSWERS)
    assert isinstance(text, str)
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["question_id"] for row in rows] == [0, 1, 2]
    assert list(rows[0]) == ["question_id", "prompt", "text", "answer_id", "model_id", "metadata"]
    assert len({row["answer_id"] for row in rows}) == 3
