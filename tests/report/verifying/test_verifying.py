"""Whether a report is what the stored answers give."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.judge_server import judging, said
from tests.stored_study import Stored, stored_study

from vertebra.errors import DataError
from vertebra.report import write_report
from vertebra.report.verifying import Verification, verify
from vertebra.spec import Judge

MODEL = "models/tiny-llava-1.5--tiny-vicuna-s--seed0"
POPE_STEP = "tiny-llava-1.5/tiny-vicuna-s/seed0/pope/score"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stored, Path]:
    """A study that no test changes, and its report."""
    root = tmp_path_factory.mktemp("made")
    study = stored_study(root / "study")
    write_report(study.material, root / "report")
    return study, root / "report"


@pytest.fixture
def stored(made: tuple[Stored, Path], tmp_path: Path) -> Stored:
    """The study; its report is copied to the test's folder."""
    shutil.copytree(made[1], tmp_path / "report")
    return made[0]


@pytest.fixture
def own(tmp_path: Path) -> Stored:
    """A study of the test's own, with its report."""
    study = stored_study(tmp_path / "study")
    write_report(study.material, tmp_path / "report")
    return study


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Changes a file in place, which has to change something."""
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before


def names(found: Verification) -> set[str]:
    return {each.file for each in found.files}


def test_an_untouched_report_is_equal_number_for_number(stored: Stored, tmp_path: Path) -> None:
    found = verify(stored.material, tmp_path / "report")
    assert found.is_equal
    assert set(found.benchmarks) == {"pope", "mm_vet", "vqav2"}
    # two models: f1 and accuracy with n and interval, two arms, one comparison
    assert found.benchmarks["pope"].numbers > 2 * 2 * 4
    assert found.compared > 2 * (2 + 3 * 4)


def test_verifying_changes_nothing(own: Stored, tmp_path: Path) -> None:
    def contents() -> dict[str, tuple[int, bytes]]:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = contents()
    verify(own.material, tmp_path / "report")
    assert contents() == before


@pytest.mark.parametrize("field", ["value", "n", "ci95"])
def test_a_changed_number_of_the_results_is_named_with_its_step(stored: Stored, tmp_path: Path, field: str) -> None:
    path = tmp_path / "report" / "results.json"
    document = json.loads(path.read_text())
    row = next(row for row in document["rows"] if (row["benchmark"], row["metric"]) == ("pope", "f1"))
    computed = row[field][0] if field == "ci95" else row[field]
    row[field] = [99.5, row[field][1]] if field == "ci95" else 99
    path.write_text(json.dumps(document, indent=1) + "\n")
    found = verify(stored.material, tmp_path / "report")
    (difference,) = found.differences
    assert (difference.file, difference.benchmark, difference.step) == ("results.json", "pope", POPE_STEP)
    assert difference.where == f"pope/tiny-llava-1.5/tiny-vicuna-s/seed0/f1 {field}" + (" 0" if field == "ci95" else "")
    assert (difference.stands, difference.computed) == ("99.5" if field == "ci95" else "99", str(computed))
    assert (found.benchmarks["pope"].differing, found.benchmarks["mm_vet"].differing) == (1, 0)
    assert not found.files


def test_a_row_that_is_gone_or_new_is_named(stored: Stored, tmp_path: Path) -> None:
    path = tmp_path / "report" / "results.json"
    document = json.loads(path.read_text())
    document["rows"][0]["backbone"] = "a-better-one"
    path.write_text(json.dumps(document))
    found = verify(stored.material, tmp_path / "report")
    assert {(bool(each.stands), bool(each.computed)) for each in found.differences} == {(True, False), (False, True)}


def test_a_changed_comparison_is_found(stored: Stored, tmp_path: Path) -> None:
    path = tmp_path / "report" / "comparisons.json"
    document = json.loads(path.read_text())
    document["comparisons"][0]["metrics"]["f1"]["p_holm"] = 0.001
    path.write_text(json.dumps(document))
    (difference,) = verify(stored.material, tmp_path / "report").differences
    assert difference.file == "comparisons.json"
    assert difference.where.endswith("metrics f1 p_holm")


def test_a_changed_answer_changes_what_is_computed(own: Stored, tmp_path: Path) -> None:
    edit(own.answers("pope"), lambda text: text.replace('"text": "perhaps | <b>"', '"text": "no"'))
    found = verify(own.material, tmp_path / "report")
    assert POPE_STEP in {each.step for each in found.differences}
    assert found.benchmarks["pope"].differing
    assert not found.benchmarks["vqav2"].differing
    assert {"table.md", "table.csv", "table.tex", "index.html", f"{MODEL}/README.md"} <= names(found)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("table.md", lambda text: text.replace("POPE", "P0PE")),
        ("table.csv", lambda text: text.replace("tiny-phi-3", "tiny-phi-4")),
        ("table.tex", lambda text: text.replace(r"\toprule", r"\toprule 99.9")),
        ("index.html", lambda text: text.replace("</table>", "<tr><td>99.9</td></tr></table>", 1)),
        (f"{MODEL}/README.md", lambda text: text.replace("**", "**9", 1)),
        (f"{MODEL}/.eval_results/pope.yaml", lambda text: text.replace("value: ", "value: 9", 1)),
        (f"{MODEL}/results_2026-11-23T23-50-54.json", lambda text: text.replace('"f1,none": 0', '"f1,none": 1')),
        (
            f"{MODEL}/samples_pope_2026-11-23T23-50-54.jsonl",
            lambda text: text.replace('"score": 0.0', '"score": 1.0', 1),
        ),
    ],
)
def test_a_tampered_file_is_named(stored: Stored, tmp_path: Path, file: str, change: Callable[[str], str]) -> None:
    edit(tmp_path / "report" / file, change)
    found = verify(stored.material, tmp_path / "report")
    assert names(found) == {file}
    assert not found.differences


def test_a_file_that_is_missing_or_of_another_report_is_named(stored: Stored, tmp_path: Path) -> None:
    for name in ("table.tex", "radar-tiny-llava-1.5.png"):
        (tmp_path / "report" / name).unlink()
    (tmp_path / "report" / MODEL / ".eval_results" / "gqa.yaml").write_text("[]")
    found = verify(stored.material, tmp_path / "report")
    assert set(found.files) == {
        ("table.tex", "it is missing"),
        ("radar-tiny-llava-1.5.png", "it is missing"),
        (f"{MODEL}/.eval_results/gqa.yaml", "it is of another report"),
    }


def test_a_last_digit_of_another_machine_is_no_difference(stored: Stored, tmp_path: Path) -> None:
    path = tmp_path / "report" / "results.json"
    document = json.loads(path.read_text())
    for row in document["rows"]:
        row["value"] *= 1 + 1e-14
    path.write_text(json.dumps(document, indent=1) + "\n")
    found = verify(stored.material, tmp_path / "report")
    assert not found.differences


def test_a_report_that_was_written_without_the_benchmarks_files_is_equal_too(stored: Stored, tmp_path: Path) -> None:
    write_report(replace(stored.material, data=None), tmp_path / "bare")
    assert verify(stored.material, tmp_path / "bare").is_equal


def test_measured_times_are_not_compared(stored: Stored, tmp_path: Path) -> None:
    edit(tmp_path / "report" / "results.json", lambda text: text.replace('"seconds": 0.5', '"seconds": 0.7'))
    assert verify(stored.material, tmp_path / "report").is_equal


def test_stored_judgments_are_replayed_and_a_changed_one_found(tmp_path: Path) -> None:
    with judging(lambda _: said("0.5")) as server:
        judge = Judge(name="judge-1", endpoint=server.url, runs=2)
        stored = stored_study(tmp_path / "study", ["mm_vet"], judge=judge)
        before = len(server.asked)
    write_report(stored.material, tmp_path / "report")
    assert verify(stored.material, tmp_path / "report").is_equal
    assert before == len(server.asked) > 0
    score = stored.material.cells[0].score
    assert score
    edit(score / "judgments.jsonl", lambda text: text.replace('"content": "0.5"', '"content": "1.0"', 1))
    found = verify(stored.material, tmp_path / "report")
    assert found.benchmarks["mm_vet"].differing
    (score / "judgments.jsonl").unlink()
    with pytest.raises(DataError, match=r"judgments\.jsonl does not hold the judge's replies"):
        verify(stored.material, tmp_path / "report")


def test_missing_answers_and_data_are_said(own: Stored, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Give --data the folder"):
        verify(replace(own.material, data=None), tmp_path / "report")
    shutil.rmtree(own.data / "pope")
    with pytest.raises(DataError, match=r"^2 scores cannot be recomputed\. .*pope"):
        verify(own.material, tmp_path / "report")
    cells = [replace(cell, answers=None) for cell in own.material.cells]
    with pytest.raises(DataError, match=r"6 scores cannot be recomputed\..*answers are not in the store.* And 1 more"):
        verify(replace(own.material, cells=cells), tmp_path / "report")


@pytest.mark.parametrize("content", [None, b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_report_that_is_none_is_a_sentence(stored: Stored, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "report" / "results.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=r"results\.json"):
        verify(stored.material, tmp_path / "report")


def test_a_text_that_is_no_text_is_named(stored: Stored, tmp_path: Path) -> None:
    (tmp_path / "report" / "table.md").write_bytes(os.urandom(64) + b"\xff")
    assert names(verify(stored.material, tmp_path / "report")) == {"table.md"}
