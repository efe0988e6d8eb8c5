"""Records of Every Eval Ever."""

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.report.publishing.every_eval_rules import complaints
from tests.stored_study import Stored, stored_study

from vertebra.benchmarks import of_a_study
from vertebra.files import append_rows, read_rows
from vertebra.report.publishing import every_eval
from vertebra.report.publishing.models import Published, published

AGGREGATE, INSTANCE = "eval.schema.json", "instance_level_eval.schema.json"
ONE = "every_eval_ever/data/pope/small/tiny-llava-1.5--tiny-vicuna-s--seed0/"


@pytest.fixture(scope="module", params=["miniature", None])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """All benchmarks; with questions of a study's own, and as if with the official ones."""
    return stored_study(tmp_path_factory.mktemp("stored"), list(of_a_study()), request.param, ["tiny-vicuna-s"])


@pytest.fixture(scope="module")
def model(stored: Stored) -> Published:
    return next(published(stored.material))


@pytest.fixture(scope="module")
def files(stored: Stored, model: Published) -> dict[str, bytes]:
    return {name: data for result in model.results for name, data in every_eval.files(stored.material, model, result)}


@pytest.fixture(scope="module")
def aggregate(files: dict[str, bytes]) -> dict[str, Any]:
    return next(json.loads(data) for name, data in files.items() if name.startswith(ONE) and name.endswith(".json"))


def test_every_record_is_as_the_schema_says(files: dict[str, bytes]) -> None:
    assert len(files) == 2 * len(of_a_study())
    for name, data in files.items():
        found = data.splitlines() if name.endswith("_samples.jsonl") else [data]
        schema = INSTANCE if name.endswith("_samples.jsonl") else AGGREGATE
        for record in found:
            assert list(complaints(json.loads(record), schema)) == [], name


MUTATIONS: list[Callable[[dict[str, Any]], object]] = [
    lambda record: record.pop("evaluation_id"),
    lambda record: record.update(schema="x"),
    lambda record: record["source_metadata"].update(source_type="guess"),
    lambda record: record["source_metadata"].pop("evaluator_relationship"),
    lambda record: record["model_info"]["additional_details"].pop("deployment_type"),
    lambda record: record["model_info"]["additional_details"].update(seed=0),
    lambda record: record["evaluation_results"][0].pop("score_details"),
    lambda record: record["evaluation_results"][0]["score_details"].update(score="98.2"),
    lambda record: record["evaluation_results"][0]["metric_config"].pop("max_score"),
    lambda record: record["evaluation_results"][0]["metric_config"].pop("lower_is_better"),
    lambda record: record["evaluation_results"][0]["source_data"].update(source_type="hub"),
    lambda record: record["detailed_evaluation_results"].update(file_path="pope.jsonl"),
    lambda record: record["detailed_evaluation_results"].update(
        file_path=record["detailed_evaluation_results"]["file_path"].replace("-4", "-5")
    ),
]


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_a_mutated_record_is_refused(aggregate: dict[str, Any], mutate: Callable[[dict[str, Any]], object]) -> None:
    record = copy.deepcopy(aggregate)
    mutate(record)
    assert record != aggregate
    assert list(complaints(record, AGGREGATE))


@pytest.mark.parametrize("field", ["input", "output", "evaluation", "sample_id", "answer_attribution"])
def test_a_mutated_instance_is_refused(files: dict[str, bytes], field: str) -> None:
    row = json.loads(next(data for name, data in files.items() if name.endswith("_samples.jsonl")).splitlines()[0])
    del row[field]
    assert list(complaints(row, INSTANCE))


def test_a_record_names_its_instances_with_their_checksum(files: dict[str, bytes]) -> None:
    for name, data in files.items():
        if name.endswith(".json"):
            record = json.loads(data)
            detail = record["detailed_evaluation_results"]
            lines = files[f"every_eval_ever/{detail['file_path']}"]
            assert f"every_eval_ever/{detail['file_path']}" == name.replace(".json", "_samples.jsonl")
            assert detail["checksum"] == hashlib.sha256(lines).hexdigest()
            rows = [json.loads(line) for line in lines.splitlines()]
            assert len(rows) == detail["total_rows"]
            assert {(row["evaluation_id"], row["model_id"]) for row in rows} == {
                (record["evaluation_id"], record["model_info"]["id"])
            }
            assert {row["evaluation_result_id"] for row in rows} == {
                record["evaluation_results"][0]["evaluation_result_id"]
            }


def test_a_score_lies_between_its_bounds_and_in_its_interval(files: dict[str, bytes]) -> None:
    """The database's checks warn of others."""
    for name, data in files.items():
        for result in json.loads(data)["evaluation_results"] if name.endswith(".json") else ():
            config, details = result["metric_config"], result["score_details"]
            assert config["min_score"] <= details["score"] <= float(config["max_score"]), name
            interval = details["uncertainty"].get("confidence_interval")
            if interval:
                assert interval["lower"] - 1e-9 <= details["score"] <= interval["upper"] + 1e-9, name


def test_only_official_questions_are_said_to_be_the_hub_s(stored: Stored, aggregate: dict[str, Any]) -> None:
    source = aggregate["evaluation_results"][0]["source_data"]
    if stored.material.study.data:
        assert (source["source_type"], source["dataset_name"]) == ("other", "vertebra/miniature")
    else:
        assert (source["source_type"], source["hf_repo"]) == ("hf_dataset", "lmms-lab-encoder/POPE")


def test_a_judge_is_named_with_what_it_is_told(files: dict[str, bytes]) -> None:
    for name, data in files.items():
        if "/data/mm_vet/" in name and name.endswith(".json"):
            scoring = json.loads(data)["evaluation_results"][0]["metric_config"]["llm_scoring"]
            assert scoring["judges"][0]["model_info"]["name"] == "rules"
            assert "{answer}" in scoring["input_prompt"]


def test_a_question_without_an_answer_says_so(stored: Stored, model: Published, tmp_path: Path) -> None:
    result = model.results[0]
    gone = result.rows[0].id
    answers = tmp_path / "answers.jsonl"
    append_rows(answers, [row for row in read_rows(stored.answers(result.name)) if row["question_id"] != gone])
    without = replace(result, cell=replace(result.cell, answers=answers))
    row = next(every_eval.instances(model, without))
    assert (row["output"], row["error"]) == ({"raw": []}, "there is no answer")
    assert list(complaints(row, INSTANCE)) == []


def test_another_time_of_scoring_is_another_record(model: Published) -> None:
    result = model.results[0]
    later = replace(result, record={**result.record, "started": "2026-11-24T00:00:00+00:00"})
    assert every_eval.evaluation_id(model, later) != every_eval.evaluation_id(model, result)
