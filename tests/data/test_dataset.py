"""Mixtures opened: records, where their images lie, and what a sample of them depends on."""

import hashlib
import json
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vertebra.data import Dataset, open_mixture
from vertebra.errors import DataError
from vertebra.spec import Mixture, digest
from vertebra.visual.marks import COLOURS

BOXES = [[2, 2, 20, 12], [30, 2, 50, 12], [2, 20, 20, 35], [30, 20, 50, 35]]
REGION = {"id": "v7w-4", "image": "4.png", "question": "Which ball?", "bboxes": BOXES, "answer": BOXES[2]}
TEXT = {"id": "t", "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]}
COMPARED = {
    "id": "c",
    "image": ["5.png", "4.png", "5.png"],
    "conversations": [{"from": "human", "value": "<image> or <image>? <image>"}, {"from": "gpt", "value": "no"}],
}
MIXTURE = Mixture(name="few", records=("few.json",), images="pictures")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder: a mixture of a region and a text, and a grey picture."""
    (tmp_path / "few.json").write_text(json.dumps([REGION, TEXT]))
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (60, 40), (90, 90, 90)).save(tmp_path / "pictures" / "4.png")
    return tmp_path


def replace(folder: Path, *records: object) -> None:
    (folder / "few.json").write_text(json.dumps(records))


def colours_in_options(dataset: Dataset, epoch: int) -> list[str]:
    options = dataset.sample(0, epoch).conversation.turns[0].text.split("\n")[1:5]
    return [option.split()[-2] for option in options]


def test_a_region_is_drawn_in_the_colours_that_its_options_name(folder):
    dataset = open_mixture(MIXTURE, folder, 0)
    (image,) = dataset.sample(0, 0).images
    assert (image.mode, image.size) == ("RGB", (60, 40))
    marks = dataset.records[0].tell(random.Random(digest([0, 0, "v7w-4"])), folder).marks
    for box, colour, mark in zip(BOXES, colours_in_options(dataset, 0), marks, strict=True):
        mixed = [(90 * (255 - mark.alpha) + value * mark.alpha) / 255 for value in COLOURS[colour]]
        np.testing.assert_allclose(image.getpixel((box[0], box[1])), mixed, atol=1)
    assert image.getpixel((10, 7)) == (90, 90, 90)


def test_text_alone_has_no_image(folder):
    sample = open_mixture(MIXTURE, folder, 0).sample(1, 0)
    assert (sample.id, sample.images, sample.conversation.images) == ("t", (), 0)


def test_several_images_are_read_in_their_order(folder):
    Image.new("RGB", (9, 5), (1, 2, 3)).save(folder / "pictures" / "5.png")
    replace(folder, COMPARED)
    sample = open_mixture(MIXTURE, folder, 0).sample(0, 0)
    assert [image.size for image in sample.images] == [(9, 5), (60, 40), (9, 5)]
    assert sample.conversation.images == 3


def test_the_files_of_a_mixture_follow_each_other(folder):
    (folder / "more.json").write_text(json.dumps([{**TEXT, "id": "u"}]))
    mixture = MIXTURE.model_copy(update={"records": ("more.json", "few.json"), "count": 3})
    dataset = open_mixture(mixture, folder, 0)
    assert [dataset.sample(index, 0).id for index in range(len(dataset))] == ["u", "v7w-4", "t"]


def test_a_sample_depends_on_seed_epoch_and_id_alone(folder):
    dataset = open_mixture(MIXTURE, folder, 7)
    first = dataset.sample(0, 2)
    replace(folder, TEXT, {**TEXT, "id": "u"}, REGION)
    moved = open_mixture(MIXTURE, folder, 7)
    moved.sample(0, 0)
    assert moved.sample(2, 2) == first
    others = [colours_in_options(dataset, epoch) for epoch in range(8)]
    others += [colours_in_options(open_mixture(MIXTURE, folder.with_name(folder.name), 8), 2)]
    assert len({tuple(colours) for colours in others}) > 5


def test_a_sample_is_the_same_in_every_process(folder):
    """Hashes of texts differ between processes; these colours were drawn in another one."""
    assert colours_in_options(open_mixture(MIXTURE, folder, 3), 1) == ["orange", "lime", "gold", "red"]


def look(folder: Path, index: int) -> str:
    """What a sample of five regions of any kind says and shows, in short."""
    sample = open_mixture(MIXTURE, folder, 5).sample(index, 1)
    said = [turn.text for turn in sample.conversation.turns]
    return hashlib.sha256(repr(said).encode() + sample.images[0].tobytes()).hexdigest()


def test_four_processes_draw_what_one_draws(folder):
    asked = "<image>" + ", ".join(f"<bbox{number}>" for number in range(4))
    talk = [{"from": "human", "value": asked}, {"from": "gpt", "value": "yes"}]
    replace(folder, *({"id": f"m-{n}", "image": "4.png", "bboxes": BOXES, "conversations": talk} for n in range(24)))
    here = [look(folder, index) for index in range(24)]
    context = get_context("forkserver")
    context.set_forkserver_preload(["vertebra.data"])  # imported once, not by each of the four
    with ProcessPoolExecutor(4, context) as pool:
        there = list(pool.map(look, [folder] * 24, reversed(range(24))))
    assert there[::-1] == here
    assert len(set(here)) == 24


def test_records_that_cannot_be_used_are_left_out_below_the_mixture_s_limit_and_named(folder):
    replace(folder, TEXT, {**REGION, "answer": [0, 0, 9, 9]}, REGION, TEXT)
    dataset = open_mixture(MIXTURE.model_copy(update={"faulty": 0.25}), folder, 0)
    assert [record.id for record in dataset.records] == ["t", "v7w-4", "t"]
    assert len(dataset.faults) == 1
    assert "record 1 (id v7w-4): `answer` is none" in dataset.faults[0]
    with pytest.raises(DataError, match=r"1 of 4 records of few cannot be used, the first: .*id v7w-4"):
        open_mixture(MIXTURE.model_copy(update={"faulty": 0.2}), folder, 0)


def test_a_region_beside_the_picture_is_an_error_that_names_the_record(folder):
    replace(folder, {**REGION, "bboxes": [*BOXES[:3], [60, 2, 90, 30]], "answer": BOXES[0]})
    with pytest.raises(DataError, match=r"4\.png \(record v7w-4\) does not show its region \[60"):
        open_mixture(MIXTURE, folder, 0).sample(0, 0)


def test_where_the_published_code_fails_another_record_is_taken_if_that_is_wanted(folder):
    pointed = {"id": "refcocog-1", "image": "4.png", "bboxes": BOXES[:1], "answer": "a cup"}
    replace(folder, pointed, TEXT)
    dataset = open_mixture(MIXTURE.model_copy(update={"compat": ("point_needs_outline",)}), folder, 0)
    told = [dataset.sample(0, epoch).id for epoch in range(60)]
    assert set(told) == {"refcocog-1", "t"}
    assert {open_mixture(MIXTURE, folder, 0).sample(0, epoch).id for epoch in range(60)} == {"refcocog-1"}


def test_a_broken_image_names_the_record(folder):
    (folder / "pictures" / "4.png").write_bytes(b"\x89PNG\r\n\x1a\ntorn")
    with pytest.raises(DataError, match=r"4\.png .*record v7w-4"):
        open_mixture(MIXTURE, folder, 0).sample(0, 0)
