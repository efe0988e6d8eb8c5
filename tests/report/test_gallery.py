"""The questions of a study, packed for its page."""

import base64
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.report.questions import EVIL, MISSING, MODELS, NONE, study_in

from vertebra.errors import DataError
from vertebra.report import Cell, Material
from vertebra.report.gallery import LONGEST, Gallery, build_gallery
from vertebra.report.questions import Questions
from vertebra.report.thumbnails import BROKEN, LEFT_OUT, NO_PICTURE

Build = Callable[..., Gallery]


@pytest.fixture
def material(tmp_path: Path) -> Material:
    return study_in(tmp_path)


def built(material: Material, **changes: Any) -> Gallery:
    questions = Questions(material.benchmarks, changes.pop("data", material.data))
    return build_gallery(material.cells, material.benchmarks, questions, **changes)


def unpacked(gallery: Gallery, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(gallery.blocks[f"questions-{number}"])))
    return found


def pictures(gallery: Gallery) -> list[bytes]:
    names = [name for name in gallery.blocks if name.startswith("pictures-")]
    return [base64.b64decode(each) for name in names for each in json.loads(gallery.blocks[name])]


def test_a_question_has_its_text_gold_groups_and_what_each_model_said(material: Material) -> None:
    found = unpacked(built(material))
    assert found["ids"][:2] == ["q0", "q1"]
    assert found["questions"][1] == "Is there a number 1?"
    assert found["texts"][found["gold"][1]] == "yes ×2 · javascript:window.ran=1"
    assert found["groups"]["subset"]["of"][:3] == [[0], [1], [2]]
    said = [found["texts"][model["answers"][1]] for model in found["models"]]
    assert said == [f"no {EVIL}", "Yes", "Yes"]
    assert [model["scores"][1] for model in found["models"]] == [0, 1, 1]
    assert found["texts"][found["models"][1]["parsed"][1]] == "yes"


def test_each_distinct_picture_is_there_once_and_those_that_are_not_are_told(material: Material) -> None:
    gallery = built(material)
    found = unpacked(gallery)
    assert found["pictures"][MISSING] == BROKEN
    assert found["pictures"][NONE] == NO_PICTURE
    assert found["pictures"][0] == found["pictures"][12] != found["pictures"][1]
    assert len(pictures(gallery)) == 24  # twelve plain ones, and twelve with a mark
    assert all(each[8:12] == b"WEBP" for each in pictures(gallery))
    assert any("missing.png" in note for note in gallery.notes)
    assert not any(str(material.data) in note for note in gallery.notes)


def test_a_full_page_keeps_the_pictures_of_disputed_questions_and_counts_the_others(material: Material) -> None:
    alike = [cell for cell in material.cells if cell.backbone == "ada"]
    few = replace(material, cells=alike)
    one = len(pictures(built(few))[0])
    wanted = [("pope", "q5")]
    gallery = built(few, budget=(one + 20) * 4 // 3, first=wanted)
    found = unpacked(gallery)
    assert found["pictures"][5] == 0
    assert set(found["pictures"]) == {0, LEFT_OUT, NO_PICTURE}
    assert "pictures are left out" in gallery.notes[0]
    disputed = unpacked(built(material, budget=(one + 20) * 4 // 3))
    first = disputed["pictures"].index(0)
    assert len({model["scores"][first] for model in disputed["models"]}) == 2


def test_without_a_data_folder_there_are_prompts_answers_and_verdicts(material: Material) -> None:
    gallery = built(material, data=None)
    found = unpacked(gallery)
    assert found["questions"][1] == "Is there a number 1?"
    assert found["gold"][1] == -1
    assert set(found["pictures"]) == {NO_PICTURE}
    assert [model["scores"][1] for model in found["models"]] == [0, 1, 1]
    assert any("--data" in note for note in gallery.notes)


def test_files_that_cannot_be_read_are_told_and_end_nothing(material: Material) -> None:
    def broken(folder: Path) -> list[Any]:
        raise DataError(f"{folder}/coco_pope_random.json is torn.")

    torn = {**material.benchmarks, "pope": replace(material.benchmarks["pope"], read=broken)}
    gallery = built(replace(material, benchmarks=torn))
    assert unpacked(gallery)["questions"][1] == "Is there a number 1?"
    assert unpacked(gallery, 1)["gold"][1] >= 0
    assert gallery.notes[0].endswith("POPE: pope/coco_pope_random.json is torn.")


def test_two_runs_make_the_same_bytes(material: Material) -> None:
    assert built(material) == built(material)


def test_of_several_seeds_the_first_that_is_scored_is_shown_and_the_page_says_so(material: Material) -> None:
    first = material.cells[0]
    other = replace(material.cells[1], family=first.family, backbone=first.backbone, seed=1)
    waiting = Cell(first.family, first.backbone, 2, "pope", None)
    gallery = built(replace(material, cells=[waiting, first, other]))
    assert gallery.entries[0].models == ("/".join(MODELS[0]),)
    assert unpacked(gallery)["models"][0]["scores"][:2] == [1, 0]
    assert "first of its seeds" in gallery.notes[0]


def test_protocols_of_one_benchmark_are_shown_apart(material: Material) -> None:
    first, second, *_ = material.cells
    assert second.scorecard
    other = replace(second, scorecard={**second.scorecard, "protocol": "other"})
    keys = [entry.key for entry in built(replace(material, cells=[first, other])).entries]
    assert keys == ["pope/llava", "pope/other"]


def test_a_question_without_an_answer_and_a_very_long_one_are_shown_as_such(material: Material) -> None:
    first = material.cells[0]
    assert first.answers
    rows = [json.loads(line) for line in first.answers.read_text().splitlines()]
    rows[0]["text"] = "x" * (LONGEST + 1_000)
    first.answers.write_text("".join(json.dumps(row) + "\n" for row in (rows[0], *rows[2:])))
    found = unpacked(built(material))
    assert found["models"][0]["answers"][1] == -1
    assert found["texts"][found["models"][0]["answers"][0]] == "x" * LONGEST + " … (1,000 more characters)"


def test_a_row_of_verdicts_that_is_none_is_an_error_with_its_file(material: Material) -> None:
    first = material.cells[0]
    assert first.score
    (first.score / "samples.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(DataError, match=r"samples.jsonl holds a row that is none"):
        built(material)
