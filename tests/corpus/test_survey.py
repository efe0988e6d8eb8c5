"""Mixtures gone through: what their files hold, where it stands, and what is missing."""

import json
from pathlib import Path

import pytest
from tests.chat.region_records import DESCRIBING, MARKED, POINTING

from vertebra.chat.records import read_records
from vertebra.corpus.survey import absent_files, survey
from vertebra.errors import DataError
from vertebra.spec import Mixture

TEXT = {"id": "t", "conversations": [{"from": "human", "value": "hü"}, {"from": "gpt", "value": "ho"}]}
SEEN = {
    "id": 7,
    "image": "a/b/5.png",
    "conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "ho"}],
}
COMPARED = {
    "id": "c",
    "image": ["5.png", "4.png", "5.png"],
    "conversations": [{"from": "human", "value": "<image> or <image>? <image>"}, {"from": "gpt", "value": "no"}],
}
REGION = {**POINTING, "image": "4.png"}
MIXTURE = Mixture(name="few", records=("few.json",), images="pictures")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a picture, not looked into."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "4.png").touch()
    return tmp_path


def write(folder: Path, *records: object, name: str = "few.json", **layout: object) -> None:
    (folder / name).write_text(json.dumps(records, **layout), encoding="utf-8")


def test_a_record_is_found_where_it_stands(folder):
    (folder / "pictures" / "a" / "b").mkdir(parents=True)
    for name in ("1.png", "9.png", "a/b/5.png"):
        (folder / "pictures" / name).touch()
    records = [TEXT, SEEN, REGION, DESCRIBING, MARKED]
    write(folder, *records, indent=1, ensure_ascii=False)
    write(folder, *reversed(records), name="more.json")
    found = survey(MIXTURE.model_copy(update={"records": ("few.json", "more.json"), "count": 10}), folder)
    assert [found.found(index).fields for index in range(len(found))] == [*records, *reversed(records)]
    expected = [one for name in ("few.json", "more.json") for one in read_records(folder / name)]
    told = [(one.id, one.images, one.kind) for one in expected]
    assert [(one.id, one.images, one.kind) for one in (found.found(index).record for index in range(10))] == told
    assert found.kinds == {"text alone": 2, "images": 2, "v7w": 2, "refcocog": 2, "own regions": 2}
    assert not found.is_fixed
    assert found.files == {"": {"1.png", "4.png", "9.png"}, "a/b": {"5.png"}}


def test_chance_has_no_part_in_what_is_told_as_it_stands(folder):
    write(folder, TEXT, {**SEEN, "image": "4.png"})
    assert survey(MIXTURE, folder).is_fixed


def test_a_file_that_changes_while_it_is_used_is_an_error(folder):
    write(folder, TEXT, TEXT)
    found = survey(MIXTURE, folder)
    write(folder, TEXT)
    with pytest.raises(DataError, match=r"few\.json was changed while it was being read"):
        found.found(1)


def test_records_without_their_image_are_counted_and_the_first_is_named(folder):
    lost = [{**REGION, "id": f"v7w-{name}", "image": f"{name}.png"} for name in ("a", "b", "c" * 300)]
    write(folder, REGION, *lost)
    with pytest.raises(DataError, match=r"3 of 4 records of the mixture few .* \(id v7w-a\): .*pictures/a\.png"):
        survey(MIXTURE, folder)


def test_a_record_that_lacks_any_of_its_images_is_counted_once_and_the_image_is_named(folder):
    write(folder, TEXT, COMPARED)
    with pytest.raises(DataError, match=r"1 of 2 records of the mixture few .* \(id c\): .*pictures/5\.png"):
        survey(MIXTURE, folder)


def test_what_a_record_is_told_from_must_be_there(folder):
    words = [["a"]] * 4
    record = {"id": "vcr-1", "image": "4.png", "meta_dir": "4.json", "class_names": [], "question": ["What?"],
              "answer_choices": words, "answer_label": 0, "rationale_choices": words, "rationale_label": 0}  # fmt: skip
    write(folder, record)
    with pytest.raises(DataError, match=r"few\.json: record 0 \(id vcr-1\): .*pictures/4\.json"):
        survey(MIXTURE, folder)


def test_a_folder_a_link_to_nothing_and_a_name_that_no_disk_takes_are_no_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "real").touch()
    (tmp_path / "linked").symlink_to(tmp_path / "a" / "real")
    (tmp_path / "dangling").symlink_to("nowhere")
    files = {"": {"a", "linked", "dangling", "\0", "\ud800"}, "a": {"real", "b"}, "none": {"x"}, "\ud800": {"y"}}
    assert absent_files(tmp_path, files) == {"a", "dangling", "\0", "\ud800", "a/b", "none/x", "\ud800/y"}


def test_another_number_of_records_than_the_mixture_says_is_an_error(folder):
    write(folder, REGION, TEXT)
    with pytest.raises(DataError, match=r"should hold 3 records, its files hold 2: .*few\.json"):
        survey(MIXTURE.model_copy(update={"count": 3}), folder)


def test_a_mixture_without_records_is_an_error(folder):
    write(folder)
    with pytest.raises(DataError, match="few holds no records"):
        survey(MIXTURE, folder)


def test_records_that_cannot_be_used_are_left_out_below_the_mixtures_limit_and_named(folder):
    write(folder, TEXT, {**REGION, "answer": [0, 0, 9, 9]}, REGION, TEXT)
    found = survey(MIXTURE.model_copy(update={"faulty": 0.25}), folder)
    assert [found.found(index).record.id for index in range(len(found))] == ["t", "v7w-4", "t"]
    assert len(found.faults) == 1
    assert "record 1 (id v7w-4): `answer` is none" in found.faults[0]
    with pytest.raises(DataError, match=r"1 of 4 records of few cannot be used, the first: .*id v7w-4"):
        survey(MIXTURE.model_copy(update={"faulty": 0.2}), folder)
    with pytest.raises(DataError, match=r"^.*few\.json: record 1 \(id v7w-4\)"):
        survey(MIXTURE, folder)


def test_progress_tells_how_many_there_are_so_far(folder):
    write(folder, *[TEXT] * 2500)
    told: list[tuple[int, int]] = []
    survey(MIXTURE, folder, lambda done, total: told.append((done, total)))
    assert told == [(0, 0), (0, 1000), (0, 2000)]
