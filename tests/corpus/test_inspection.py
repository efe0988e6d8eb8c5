"""Mixtures looked at before anything trains: which records would stop it, and why."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vertebra.corpus.exclusion import read_exclusions, record_digests
from vertebra.corpus.inspection import Inspection, exclude, inspect
from vertebra.corpus.survey import survey
from vertebra.errors import DataError
from vertebra.spec import Mixture

BOX = [2, 2, 20, 12]
ASKED = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "a cup"}]
TEXT = {"id": "t", "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]}
MIXTURE = Mixture(name="few", records=("few.json",), images="pictures")


def shown(name: str, image: str) -> dict[str, object]:
    return {"id": name, "image": image, "conversations": ASKED}


def region(name: str, box: list[float]) -> dict[str, object]:
    return {"id": f"refcocog-{name}", "image": "whole.png", "bboxes": [box], "answer": "a cup"}


def asked_with_options(*objects: int) -> dict[str, object]:
    """A VCR record whose wrong answer alone mentions these objects."""
    choices = [["yes"], ["no"], [[*objects], "perhaps"], ["never"]]
    return {
        "id": "vcr-1", "image": "whole.png", "meta_dir": "whole.json", "class_names": ["person", "dog"],
        "question": ["Is", "it", "?"], "answer_choices": choices, "answer_label": 0,
        "rationale_choices": [["a"], ["b"], ["c"], ["d"]], "rationale_label": 3,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures that are whole, of another format than their names say, and cut off."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    noise.save(pictures / "whole.png")
    noise.save(pictures / "gif.jpg", "GIF")
    for name in ("cut.jpg", "cut.png"):
        noise.save(pictures / name)
        (pictures / name).write_bytes((pictures / name).read_bytes()[:900])
    return tmp_path


@pytest.fixture
def look(folder: Path) -> Callable[..., Inspection]:
    def look(*records: object, mixture: Mixture = MIXTURE, anew: bool = False) -> Inspection:
        if records:
            (folder / "few.json").write_text(json.dumps(records))
        return inspect(mixture, folder, lambda done, total, unit: None, anew)

    return look


def why(found: Inspection) -> list[str]:
    return [each.why for each in found.unusable]


def test_whole_records_pass_and_a_gif_may_be_named_jpg(look) -> None:
    found = look(TEXT, shown("a", "whole.png"), shown("b", "gif.jpg"), region("1", BOX))
    assert (found.unusable, found.records, found.pictures) == ((), 4, 2)
    assert found.kinds == {"images": 2, "text alone": 1, "refcocog": 1}
    found.demand()


def test_missing_and_broken_pictures_are_told_apart_and_each_counts_once(look) -> None:
    names = ("cut.jpg", "gone.png", "whole.png", "cut.png", "gone.png", "cut.jpg", "gone/" + "x" * 300)
    found = look(*(shown(str(number), name) for number, name in enumerate(names)))
    assert (found.wrong, found.pictures, found.records) == ({"missing": 2, "broken": 2}, 5, 1)
    assert [(each.number, each.id) for each in found.unusable] == [(n, str(n)) for n in (0, 1, 3, 4, 5, 6)]
    assert why(found)[0].startswith("pictures/cut.jpg cannot be read as a picture: ")
    assert why(found)[1] == "pictures/gone.png is missing. Fetch it."
    with pytest.raises(
        DataError, match=r"^6 of 7 records of .* \(pictures missing: 2, pictures broken: 2\)\. The first is"
    ):
        found.demand()


def test_any_picture_of_a_record_can_spoil_it(look) -> None:
    said = [{"from": "human", "value": "<image> or <image>?"}, {"from": "gpt", "value": "no"}]
    found = look(TEXT, {"id": "c", "image": ["whole.png", "cut.png"], "conversations": said})
    assert why(found)[0].startswith("pictures/cut.png cannot be read")


def test_a_region_beside_its_picture_is_found_and_one_that_reaches_beyond_is_not(look) -> None:
    found = look(region("in", BOX), region("over", [50, 30, 90, 90]), region("off", [60, 2, 90, 30]))
    assert found.wrong == {"beside": 1}
    assert [str(each) for each in found.unusable] == [
        "few.json: record 2 (id refcocog-off): pictures/whole.png does not show its region [60.0, 2.0, 90.0, 30.0]."
    ]


def test_a_record_that_the_published_code_sometimes_replaces_is_still_held_against_its_picture(look) -> None:
    mixture = MIXTURE.model_copy(update={"compat": ("point_needs_outline",)})
    said = [{"from": "human", "value": "<image> <bbox>?"}, {"from": "gpt", "value": "a cup"}]
    off = {"image": "whole.png", "bboxes": [[60, 2, 90, 30]], "conversations": said}
    kinds = ["point", "arrow"], ["arrow", "point"], ["point"]  # one of the former begins with a point, drawn in a box
    found = look(
        *({**off, "id": f"refcocog-gpt4v-{number}", "kinds": few} for number, few in enumerate(kinds)), mixture=mixture
    )
    assert [each.id for each in found.unusable] == ["refcocog-gpt4v-0", "refcocog-gpt4v-1"]


def test_a_region_that_is_never_drawn_need_not_lie_on_its_picture(look) -> None:
    mixture = MIXTURE.model_copy(update={"compat": ("region_without_image",)})
    said = [{"from": "human", "value": "How is <bbox0> to <bbox1>?"}, {"from": "gpt", "value": "near"}]
    off = {"id": "vg_rel-gpt4v-1", "image": "whole.png", "bboxes": [BOX, [60, 2, 90, 30]], "conversations": said}
    assert look(off, mixture=mixture).unusable == ()
    assert look(off).wrong == {"beside": 1}


def test_what_shows_only_in_the_telling_is_found_though_one_option_alone_mentions_it(look, folder) -> None:
    boxes = [[*BOX, 0.9], [70, 2, 90, 30, 0.9]]
    (folder / "pictures" / "whole.json").write_text(json.dumps({"boxes": boxes, "segms": [[], []]}))
    assert look(asked_with_options(0), TEXT).unusable == ()
    assert look(asked_with_options(0, 1), TEXT).wrong == {"beside": 1}
    (folder / "pictures" / "whole.json").write_text("[]")
    found = look(TEXT, asked_with_options(0))
    assert (found.wrong, found.unusable[0].number) == ({"untold": 1}, 1)
    assert why(found)[0].startswith("pictures/whole.json does not hold the objects [0]")
    (folder / "pictures" / "whole.json").unlink()
    assert why(look(TEXT, asked_with_options(0))) == ["pictures/whole.json is missing. Fetch it."]


def test_what_a_listing_says_does_not_depend_on_where_the_data_lie(look, folder, monkeypatch) -> None:
    records = shown("a", "cut.png"), shown("b", "gone.png"), region("off", [60, 2, 90, 30])
    whole = why(look(*records))
    monkeypatch.chdir(folder)
    assert [each.why for each in inspect(MIXTURE, Path(), lambda *_: None).unusable] == whole


def test_more_pictures_than_are_waited_for_at_a_time_keep_their_records(look, folder) -> None:
    names = [f"{number}.png" for number in range(200)]
    for name in names[::2]:
        (folder / "pictures" / name).write_bytes((folder / "pictures" / "whole.png").read_bytes())
    found = look(*(shown(name, name) for name in names))
    assert [each.id for each in found.unusable] == names[1::2]


def test_each_picture_is_looked_at_once_and_each_record_once(folder) -> None:
    records = [shown("a", "whole.png"), shown("b", "gif.jpg"), shown("c", "whole.png"), TEXT]
    (folder / "few.json").write_text(json.dumps(records))
    told: list[tuple[int, int, str]] = []
    inspect(MIXTURE, folder, lambda *progress: told.append(progress))
    assert told == [(n, 2, "pictures") for n in (1, 2)] + [(n, 4, "records") for n in (1, 2, 3, 4)]


def test_what_is_excluded_is_not_looked_at_again_and_the_rest_passes(look, folder) -> None:
    found = exclude(look(TEXT, shown("a", "cut.png"), shown("b", "whole.png")))
    assert ([each.id for each in found.excluded], found.unusable) == (["a"], ())
    later = look()
    assert (later.excluded, later.unusable, later.records, later.pictures) == (found.excluded, (), 2, 1)
    listed = read_exclusions(MIXTURE, folder, record_digests(MIXTURE, folder))
    assert [found.record.id for found in survey(MIXTURE, folder, excluded=listed)] == ["t", "b"]


def test_a_list_made_anew_takes_back_what_was_mended(look, folder) -> None:
    exclude(look(TEXT, shown("a", "cut.png"), shown("b", "gone.png")))
    (folder / "pictures" / "cut.png").write_bytes((folder / "pictures" / "whole.png").read_bytes())
    assert [each.id for each in exclude(look(anew=True)).excluded] == ["b"]
    (folder / "pictures" / "gone.png").write_bytes((folder / "pictures" / "whole.png").read_bytes())
    exclude(look(anew=True))
    assert not (folder / "few.excluded.json").exists()


def test_the_same_faults_make_the_same_list(look, folder) -> None:
    exclude(look(TEXT, shown("a", "cut.png"), shown("b", "gone.png")))
    first = (folder / "few.excluded.json").read_bytes()
    exclude(look(anew=True))
    assert (folder / "few.excluded.json").read_bytes() == first


def test_a_list_is_about_the_files_that_were_looked_at(look, folder) -> None:
    found = look(TEXT, shown("a", "cut.png"))
    (folder / "few.json").write_text(json.dumps([shown("b", "whole.png"), shown("a", "cut.png")]))
    exclude(found)
    with pytest.raises(DataError, match="was written for other files"):
        look()


def test_a_list_of_all_records_is_not_written(look, folder) -> None:
    with pytest.raises(DataError, match="2 of 2 records"):
        exclude(look(shown("a", "cut.png"), shown("b", "gone.png")))
    assert not (folder / "few.excluded.json").exists()
