"""What `vertebra check BENCHMARK` sees."""

import hashlib
import json
from dataclasses import replace

import pytest
from PIL import Image

from vertebra.benchmarks.gqa import BENCHMARK
from vertebra.errors import DataError
from vertebra.scoring.inspection import inspect
from vertebra.scoring.sources import Release

QUESTION = {"question": "?", "answer": "no", "isBalanced": True, "types": {"structural": "verify", "semantic": "rel"}}


@pytest.fixture
def folder(tmp_path):
    """Three questions on two pictures."""
    asked = {str(n): {**QUESTION, "imageId": f"n{n % 2}"} for n in range(3)}
    (tmp_path / "testdev_balanced_questions.json").write_text(json.dumps(asked))
    (tmp_path / "images").mkdir()
    for n in range(2):
        Image.new("RGB", (2, 2)).save(tmp_path / "images" / f"n{n}.jpg")
    return tmp_path


@pytest.fixture
def look(folder):
    def look(*releases: Release):
        return inspect(replace(BENCHMARK, releases=releases or (Release("small", 3, 2),)), folder)

    return look


def figures(report) -> dict[str, str]:
    return {check.name: check.figure for check in report.checks if not check.passed}


def test_a_whole_release_passes(look):
    report = look()
    assert (report.passed, report.release, report.questions, report.images) == (True, "small", 3, 2)
    assert report.document()["passed"] is True
    report.demand()


def test_another_release_is_named(look):
    report = look(Release("big", 300, 2), Release("later", 3, 2))
    wrong = "3 questions on 2 pictures, where release big has 300 on 2. It looks like release later."
    assert figures(report) == {"release": wrong}
    with pytest.raises(DataError, match=r"not the official release of gqa.*looks like release later"):
        report.demand()


def test_pictures_of_another_number_are_no_release(look):
    assert "has 3 on 5." in figures(look(Release("small", 3, 5)))["release"]


def test_counts_that_nobody_knows_are_no_complaint(folder):
    assert inspect(replace(BENCHMARK, releases=()), folder).passed


def test_an_annotation_file_of_another_digest_is_named(look, folder):
    data = (folder / "testdev_balanced_questions.json").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert look(Release("small", 3, 2, {"testdev_balanced_questions.json": digest})).passed
    report = look(Release("small", 3, 2, {"testdev_balanced_questions.json": "0" * 64}))
    assert figures(report) == {"checksums": "Changed or of another release: testdev_balanced_questions.json."}


@pytest.mark.parametrize("note", ['{"source": "hub", "files": {"testdev_balanced_questions.json": "00"}}', "[", "[]"])
def test_files_that_changed_since_they_were_fetched_are_named(look, folder, note):
    (folder / "source.json").write_text(note)
    assert "json" in figures(look())["checksums"]


def test_every_picture_is_decoded_and_the_first_that_is_not_is_named(look, folder):
    whole = (folder / "images" / "n0.jpg").read_bytes()
    (folder / "images" / "n0.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "images" / "n1.jpg").unlink()
    said = figures(look())["pictures"]
    assert said.startswith("2 of 2 cannot be used: ")
    assert "n0.jpg cannot be read as a picture (question 0)" in said
    assert said.endswith("and 1 more")


def test_questions_that_cannot_be_read_are_told_of(look, folder):
    (folder / "testdev_balanced_questions.json").write_text("{")
    assert "Is it cut off?" in figures(look())["questions"]


def test_a_score_on_another_known_release_says_so_in_its_protocol(folder):
    releases = (Release("big", 300), Release("later", 3))
    samples = BENCHMARK.load(folder)
    assert replace(BENCHMARK, releases=releases).of_release(samples).protocol == "testdev_balanced release=later"
    assert replace(BENCHMARK, releases=releases[::-1]).of_release(samples).protocol == "testdev_balanced"
    assert BENCHMARK.of_release(samples).protocol == "testdev_balanced"
