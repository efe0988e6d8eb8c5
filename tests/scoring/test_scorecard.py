"""Scorecards of a small pretend benchmark, made of the real parts."""

import json
from pathlib import Path

import pytest

from vertebra.errors import DataError
from vertebra.plan import BenchmarkFacts
from vertebra.scoring.benchmark import Answer, Benchmark, Sample, Verdict
from vertebra.scoring.records import annotation, json_list
from vertebra.scoring.scorecard import judge, score, score_folder, scored


def read(path: Path) -> list[Sample]:
    names = json_list(annotation(path, "names.json"))
    return [sample(str(name), index) for index, name in enumerate(names)]


def sample(name: str, index: int) -> Sample:
    gold = () if name == "unscored" else (name,)
    return Sample(str(index), f"Name {index}?", None, gold, {"parity": str(index % 2)}, f"picture{index // 2}")


def grade(asked: Sample, text: str) -> Verdict:
    return Verdict(asked.id, float(text in asked.gold), text)


NAMING = Benchmark(
    "naming", "Naming", "test", "perception", "accuracy", (0, 100), 8, 1, 1, ("names.json",), read, grade
)
TRUTHS = ["cat", "dog", "cow", "hen"]
SAMPLES = [sample(name, index) for index, name in enumerate(TRUTHS)]
ANSWERS = {"0": Answer("cat"), "1": Answer("cow"), "2": Answer("cow")}


def test_a_benchmark_tells_a_plan_what_it_has_to_know():
    facts: BenchmarkFacts = NAMING
    assert facts.files == ("names.json",)


def test_the_json_is_the_contract_s():
    assert score(NAMING, SAMPLES, ANSWERS).to_json() == {
        "benchmark": "naming",
        "protocol": "test",
        "n": 4,
        "missing": 1,
        "headline": "accuracy",
        "metrics": {"accuracy": 50.0},
        "groups": {"parity": {"0": {"accuracy": 100.0}, "1": {"accuracy": 0.0}}},
    }


def test_samples_without_gold_are_asked_but_not_scored():
    samples = [*SAMPLES, sample("unscored", 4)]
    assert scored(samples) == SAMPLES
    assert score(NAMING, samples, ANSWERS).n == 4


def test_a_missing_answer_is_a_verdict_of_zero_that_says_so():
    assert judge(NAMING, SAMPLES, ANSWERS)[3] == Verdict("3", 0.0, None, missing=True)


def test_prompts_tell_of_images_only_in_files_where_one_does():
    silent = {"0": Answer("cat", "Name 0?"), "1": Answer("dog")}
    assert [verdict.shown for verdict in judge(NAMING, SAMPLES[:2], silent)] == [None, None]
    telling = {**silent, "0": Answer("cat", "<image>\nName 0?")}
    assert [verdict.shown for verdict in judge(NAMING, SAMPLES[:2], telling)] == [True, False]


def test_a_stored_scorecard_has_intervals_and_a_row_per_question(tmp_path):
    (tmp_path / "names.json").write_text('["cat", "dog", "cow"]')
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(f'{{"question_id": {at}, "text": "{said}"}}\n' for at, said in enumerate(TRUTHS[:3])))
    card, rows = score_folder(NAMING, tmp_path, answers)
    low, high = json.loads(json.dumps(card))["ci95"]["accuracy"]
    assert low < 50
    assert high == 100
    assert rows[1] == {
        "id": "1",
        "score": 1.0,
        "parsed": "dog",
        "cluster": "picture0",
        "tally": {"right": 1.0, "all": 1.0},
    }


@pytest.mark.parametrize("content", ["[]", "3"])
def test_a_benchmark_without_questions_is_a_data_error(tmp_path, content):
    (tmp_path / "names.json").write_text(content)
    with pytest.raises(DataError):
        NAMING.load(tmp_path)
