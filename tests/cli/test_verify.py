"""`vertebra report STUDY --verify`, as a person runs it."""

import json
import shutil
from pathlib import Path

from tests.conftest import Workshop

from vertebra.store import Store


def results(workshop: Workshop) -> Path:
    return workshop.store / "reports" / "small" / "results.json"


def outs(workshop: Workshop, kind: str) -> list[Path]:
    """The results of the steps of a kind."""
    store = Store(workshop.store)
    return [store.out(key) for key, record in store.finished() if record["kind"] == kind]


def test_an_untouched_report_passes(finished: Workshop) -> None:
    done = finished.vertebra("report", "small.yaml", "--store", "store", "--verify")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ok   pope ")
    assert "Every number is what the stored answers give." in done.stdout


def test_a_changed_number_fails_and_is_named(finished: Workshop) -> None:
    text = results(finished).read_text()
    results(finished).write_text(text.replace('"n": 6', '"n": 7', 1))
    done = finished.vertebra("report", "small.yaml", "--store", "store", "--verify")
    assert done.returncode == 1
    assert "results.json: pope/eyes/ada/seed0/f1 n is 7, computed 6 (step" in done.stdout
    assert "1 value and 0 files differ" in " ".join(done.stderr.split())


def test_a_changed_answer_fails_even_where_it_changes_no_number(finished: Workshop) -> None:
    answers = outs(finished, "predict")[0] / "answers.jsonl"
    answers.write_text(answers.read_text().replace('"Yes"', '"yes"', 1))
    done = finished.vertebra("report", "small.yaml", "--store", "store", "--verify", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["equal"], found["differences"]) == (False, [])
    assert str(answers.name) in found["damaged_steps"][0]


def test_a_stored_scorecard_is_not_trusted(finished: Workshop) -> None:
    for out in outs(finished, "score"):
        (out / "scorecard.json").write_text("{")
    done = finished.vertebra("report", "small.yaml", "--store", "store", "--verify")
    assert done.returncode == 1
    assert "scorecard.json" in done.stdout
    assert "ok   pope" in done.stdout


def test_json_is_one_document(finished: Workshop) -> None:
    done = finished.vertebra("report", "small.yaml", "--store", "store", "--verify", "--json")
    found = json.loads(done.stdout)
    assert found["equal"] is True
    assert found["benchmarks"]["pope"]["differing"] == 0 < found["benchmarks"]["pope"]["numbers"]


def test_missing_answers_end_with_exit_code_4(finished: Workshop) -> None:
    (outs(finished, "predict")[0] / "answers.jsonl").unlink()
    done = finished.vertebra("report", "small.yaml", "--store", "store", "--verify")
    assert done.returncode == 4
    assert "1 score cannot be recomputed" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_no_report_ends_with_exit_code_4(finished: Workshop) -> None:
    done = finished.vertebra("report", "small.yaml", "--store", "store", "--verify", "--out", "elsewhere")
    assert done.returncode == 4
    assert "There is no report in elsewhere" in " ".join(done.stderr.split())


def test_a_report_is_verified_where_it_was_moved_to(finished: Workshop) -> None:
    shutil.move(results(finished).parent, finished.root / "moved")
    shutil.move(finished.store, finished.root / "elsewhere")
    done = finished.vertebra("report", "small.yaml", "--store", "elsewhere", "--verify", "--out", "moved")
    assert done.returncode == 0, done.stderr


def test_weights_and_organization_make_a_folder_for_upload(finished: Workshop) -> None:
    for out in outs(finished, "train"):
        (out / "model.safetensors").write_bytes(b"\0")
    done = finished.vertebra("report", "small.yaml", "--store", "store", "--weights", "--organization", "lab")
    assert done.returncode == 0, done.stderr
    folder = results(finished).parent / "models" / "eyes--ada--seed0"
    assert (folder / "model.safetensors").exists()
    assert "# lab/eyes--ada--seed0" in (folder / "README.md").read_text()
    assert str(folder.relative_to(finished.root)) in done.stdout
    assert finished.vertebra("report", "small.yaml", "--store", "store", "--verify").returncode == 0


def test_weights_are_not_put_anywhere_while_verifying(finished: Workshop) -> None:
    assert finished.vertebra("report", "small.yaml", "--store", "store", "--weights", "--verify").returncode == 2
