"""lm-eval's layout."""

import hashlib
import json
from pathlib import Path

import pytest
from tests.stored_study import Stored, stored_study

from vertebra.report.publishing import lm_eval
from vertebra.report.publishing.models import published

DATE = "2026-11-23T23-50-54"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return stored_study(tmp_path_factory.mktemp("stored"), ["pope", "mm_vet"], data=None)


@pytest.fixture(scope="module")
def files(stored: Stored) -> dict[str, bytes]:
    model = next(published(stored.material))
    found = [lm_eval.samples_file(stored.material, model, result) for result in model.results]
    digests = {result.name: each.digest for result, each in zip(model.results, found, strict=True)}
    name, results = lm_eval.results_file(stored.material, model, digests)
    return {name: results, **{each.name: each.data for each in found}}


def test_results_have_the_keys_that_lm_eval_s_readers_ask_for(files: dict[str, bytes]) -> None:
    found = json.loads(files[f"results_{DATE}.json"])
    assert set(found) >= {
        *("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "config", "git_hash", "date"),
        *("pretty_env_info", "transformers_version", "model_source", "model_name", "model_name_sanitized"),
        *(
            "chat_template",
            "chat_template_sha",
            "system_instruction_sha",
            "task_hashes",
            "total_evaluation_time_seconds",
        ),
    }
    assert found["model_name_sanitized"] == "small__tiny-llava-1.5--tiny-vicuna-s--seed0"
    assert (found["git_hash"], found["transformers_version"]) == ("c0ffee", "5.23.0")
    assert found["date"] == 1795477854.0
    assert found["configs"]["pope"]["dataset_path"] == "lmms-lab-encoder/POPE"


def test_percent_are_shares_with_their_standard_errors(files: dict[str, bytes], stored: Stored) -> None:
    found = json.loads(files[f"results_{DATE}.json"])["results"]["pope"]
    card = stored.material.cells[0].scorecard
    assert card
    low, high = card["ci95"]["f1"]  # type: ignore[index]
    assert found["f1,none"] == card["metrics"]["f1"] / 100  # type: ignore[index]
    assert 0 < 2 * found["f1_stderr,none"] < (high - low) / 100


def test_a_sample_holds_question_gold_answer_and_score(files: dict[str, bytes]) -> None:
    rows = [json.loads(line) for line in files[f"samples_pope_{DATE}.jsonl"].splitlines()]
    assert len(rows) == json.loads(files[f"results_{DATE}.json"])["n-samples"]["pope"]["effective"]
    wrong, right = rows[0], rows[1]
    assert wrong["resps"] == [["perhaps | <b>"]]
    assert right["doc"]["question"].endswith("Answer the question using a single word or phrase.")
    assert right["arguments"]["gen_args_0"]["arg_0"] == right["doc"]["question"]
    assert (right["filtered_resps"], right["score"], right["parsed"]) == ([right["target"]], 1.0, right["target"])
    assert right["metrics"] == ["score"]


def test_the_hashes_of_a_task_are_those_of_its_samples(files: dict[str, bytes]) -> None:
    rows = [json.loads(line) for line in files[f"samples_pope_{DATE}.jsonl"].splitlines()]
    whole = "".join(row["doc_hash"] + row["prompt_hash"] + row["target_hash"] for row in rows)
    found = json.loads(files[f"results_{DATE}.json"])["task_hashes"]
    assert found["pope"] == hashlib.sha256(whole.encode()).hexdigest()


def test_every_line_is_one_line_for_any_reader(files: dict[str, bytes]) -> None:
    """U+2028 inside a JSON string breaks readers that split text into lines."""
    for name, data in files.items():
        if name.endswith(".jsonl"):
            assert data.isascii()
            assert len(data.decode().splitlines()) == data.count(b"\n")


def test_hugging_face_datasets_read_the_samples(files: dict[str, bytes], tmp_path: Path) -> None:
    from datasets import Dataset

    path = tmp_path / "samples.jsonl"
    path.write_bytes(files[f"samples_mm_vet_{DATE}.jsonl"])
    table = Dataset.from_json(str(path), cache_dir=str(tmp_path / "cache"))
    assert table.column_names[:2] == ["doc_id", "doc"]
    assert len(table) == len(path.read_text().splitlines())
