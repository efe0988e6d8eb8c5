"""MM-Vet from mm-vet.json, answers in both forms, and grades."""

import json

import pytest

from vertebra.benchmarks.mm_vet import BENCHMARK
from vertebra.errors import DataError
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import Answer
from vertebra.scoring.judging import Judgment, judged

QUESTION = {"imagename": "v1_0.png", "question": "What is x?", "answer": "-1<AND>-5", "imagesource": "https://x"}
QUESTIONS = {
    "v1_0": {**QUESTION, "capability": ["ocr", "math"]},
    "v1_1": {**QUESTION, "capability": ["ocr"]},
    "v1_2": {**QUESTION, "capability": ["rec", "gen", "know"]},
}
ANSWERS = {name: Answer(name) for name in QUESTIONS}


@pytest.fixture
def samples(tmp_path):
    (tmp_path / "mm-vet.json").write_text(json.dumps(QUESTIONS))
    return BENCHMARK.load(tmp_path)


def test_a_question_is_asked_unmodified_and_counts_under_each_capability(samples):
    assert (samples[0].text, samples[0].image) == ("What is x?", "images/v1_0.png")
    assert samples[0].groups == {"capability": ("ocr", "math")}


def test_totals_are_means_over_runs_and_std_is_the_runs(samples):
    given = {"v1_0": (0.5, 1.0), "v1_1": (0.0, 0.0), "v1_2": (1.0, 1.0)}
    judgments = {name: [Judgment((score,), None) for score in scores] for name, scores in given.items()}
    named, verdicts = judged(BENCHMARK, samples, ANSWERS, judgments, "gpt-4-0613")
    scores = named.summarise(samples, verdicts)
    assert named.protocol == "v1 judge=gpt-4-0613"
    assert scores.metrics == pytest.approx({"total": 100 * (1.5 + 2) / 6, "std": 100 * 0.5 / 6})
    assert scores.groups["capability"]["ocr"] == pytest.approx({"total": 37.5, "std": 12.5})
    assert scores.groups["capability"]["math"] == pytest.approx({"total": 75, "std": 25})
    assert list(scores.groups["capability"]) == ["ocr", "math", "rec", "gen", "know"]
    assert (verdicts[0].score, verdicts[0].parsed) == (0.75, "0.5; 1")


def test_a_missing_answer_scores_nothing_and_one_with_a_grade_keeps_it(samples):
    judgments = {"v1_0": [Judgment((1.0,), None)], "v1_1": [Judgment((1.0,), None)]}
    named, verdicts = judged(BENCHMARK, samples, {"v1_0": Answer("a")}, judgments)
    assert named.summarise(samples, verdicts).metrics["total"] == pytest.approx(200 / 3)
    assert [verdict.missing for verdict in verdicts] == [False, True, True]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"v1_0": "x = -1"}'),
        ("a.json", '{"question_id": 0, "text": "x = -1"}'),
        ("a.jsonl", '{"question_id": 0, "text": "x = -1"}\n'),
        ("a.jsonl", '{"question_id": "v1_0", "text": "x = 1"}\n{"question_id": 0, "text": "x = -1"}\n'),
    ],
)
def test_answers_come_by_official_id_or_as_the_runner_numbers_them(samples, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_answers(tmp_path / name, BENCHMARK, samples) == {"v1_0": Answer("x = -1")}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"v1_9": "a"}', "no question.*v1_9"),
        (b'{"v1_0": 3}', "answer to 'v1_0' must be text"),
        (b'{"v1_0": "a", "v1_1', r"answers\.json:1: not valid JSON"),
        (b'{"v1_0": "\xff"}', "not UTF-8"),
        (b'["a"]', "expected a JSON object"),
    ],
)
def test_broken_answers_are_refused(samples, tmp_path, content, told):
    path = tmp_path / "answers.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_answers(path, BENCHMARK, samples)


def test_the_upload_is_the_official_results_file(samples):
    assert BENCHMARK.upload
    text = BENCHMARK.upload(samples, {"v1_2": Answer("c"), "v1_0": Answer("a")})
    assert json.loads(text) == {"v1_0": "a", "v1_2": "c"}
    assert list(json.loads(text)) == ["v1_0", "v1_2"]


@pytest.mark.parametrize("broken", [{"answer": 1}, {"capability": "ocr"}, {"question": None}])
def test_a_wrong_field_is_named(tmp_path, broken):
    (field,) = broken
    (tmp_path / "mm-vet.json").write_text(json.dumps({"v1_0": {**QUESTIONS["v1_0"], **broken}}))
    with pytest.raises(DataError, match=rf"mm-vet\.json: question 'v1_0': `{field}"):
        BENCHMARK.load(tmp_path)


def test_the_second_version_is_another_benchmark(tmp_path):
    path = tmp_path / "mm-vet-v2.json"
    path.write_text(json.dumps({"v2_0": QUESTIONS["v1_0"]}))
    with pytest.raises(DataError, match="'v2_0' is not of MM-Vet's first version"):
        BENCHMARK.load(path)
