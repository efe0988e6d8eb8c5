"""The Hub's evaluation results, read back by the Hub's own library."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries
from tests.stored_study import Stored, stored_study

from vertebra.report.publishing import eval_results
from vertebra.report.publishing.models import published
from vertebra.scoring.sources import Release


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return stored_study(tmp_path_factory.mktemp("stored"), data=None)


def test_a_headline_score_is_an_entry_of_its_dataset(official: Stored) -> None:
    model = next(published(official.material))
    found = dict(eval_results.files(official.material, model))
    (entry,) = parse_eval_result_entries(yaml.safe_load(found[".eval_results/pope.yaml"]))
    assert (entry.dataset_id, entry.task_id) == ("lmms-lab-encoder/POPE", "pope")
    assert entry.value == model.results[0].card.metrics["f1"]
    assert entry.date == "2026-11-23T23:50:54+00:00"
    assert entry.notes
    assert entry.notes.startswith("F1, protocol llava, 144 questions, 95 % interval ")


def test_a_benchmark_without_a_dataset_is_left_out_and_named(official: Stored) -> None:
    bare = {
        name: replace(each, sources={}) if name == "pope" else each
        for name, each in official.material.benchmarks.items()
    }
    material = replace(official.material, benchmarks=bare)
    model = next(published(material))
    assert ".eval_results/pope.yaml" not in dict(eval_results.files(material, model))
    assert eval_results.left_out(material, model) == ["POPE"]


def test_a_part_of_a_benchmark_is_not_the_benchmark(official: Stored) -> None:
    whole = official.material.benchmarks["pope"]
    some = {**official.material.benchmarks, "pope": replace(whole, releases=(Release("whole", 8910),))}
    material = replace(official.material, benchmarks=some)
    model = next(published(material))
    assert ".eval_results/pope.yaml" not in dict(eval_results.files(material, model))
    assert eval_results.left_out(material, model) == ["POPE"]


def test_questions_that_a_study_made_are_never_the_official_dataset(tmp_path: Path) -> None:
    material = stored_study(tmp_path, ["pope"]).material
    found = dict(eval_results.files(material, next(published(material))))
    (entry,) = parse_eval_result_entries(yaml.safe_load(found[".eval_results/pope.yaml"]))
    assert entry.dataset_id == "vertebra/miniature"
    assert "not the official ones" in str(entry.notes)
