"""What chance decides about a sample: it depends on seed, epoch and id alone, and what is said is what is drawn."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.corpus.test_corpus import MIXTURE, said, speech

from vertebra.chat.records import read_records
from vertebra.corpus import Corpus, open_corpus
from vertebra.spec import digest
from vertebra.visual.marks import COLOURS

BOXES = [[2, 2, 20, 12], [30, 2, 50, 12], [2, 20, 20, 35], [30, 20, 50, 35]]
REGION = {"id": "v7w-4", "image": "4.png", "question": "Which ball?", "bboxes": BOXES, "answer": BOXES[2]}
TEXT = said("t", "hi", "ho")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a region and a text, and a grey picture."""
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (60, 40), (90, 90, 90)).save(tmp_path / "pictures" / "4.png")
    write(tmp_path, REGION, TEXT)
    return tmp_path


def write(folder: Path, *records: object) -> None:
    (folder / "few.json").write_text(json.dumps(records))


def drawn(folder: Path, seed: int, epoch: int) -> Corpus:
    return open_corpus(MIXTURE, folder, seed, epoch, speech(), folder / "cache")


def colours_in_options(corpus: Corpus, index: int = 0) -> list[str]:
    """Those of the regions between which a sample asks to choose, as its ids spell them."""
    text = speech().chat.tokenizer.decode(corpus.sample(index).ids, skip_special_tokens=True)
    asked = text.split("Which ball?")[1].split("ASSISTANT")[0]
    return [word for word in asked.replace(",", " ").split() if word in COLOURS]


def test_a_region_is_drawn_in_the_colours_that_its_options_name(folder):
    corpus = drawn(folder, 0, 0)
    (image,) = corpus.sample(0).images
    assert (image.mode, image.size) == ("RGB", (60, 40))
    (record, _) = read_records(folder / "few.json")
    marks = record.tell(random.Random(digest([0, 0, "v7w-4"])), folder).marks
    for box, colour, mark in zip(BOXES, colours_in_options(corpus), marks, strict=True):
        mixed = [(90 * (255 - mark.alpha) + value * mark.alpha) / 255 for value in COLOURS[colour]]
        np.testing.assert_allclose(image.getpixel((box[0], box[1])), mixed, atol=1)
    assert image.getpixel((10, 7)) == (90, 90, 90)


def test_a_sample_depends_on_seed_epoch_and_id_alone(folder):
    first = drawn(folder, 7, 2).sample(0)
    write(folder, TEXT, {**TEXT, "id": "u"}, REGION)
    moved = drawn(folder, 7, 2).sample(2)
    assert (moved.id, moved.ids.tolist()) == (first.id, first.ids.tolist())
    assert moved.images == first.images
    others = [colours_in_options(drawn(folder, 7, epoch), 2) for epoch in range(8)]
    others.append(colours_in_options(drawn(folder, 8, 2), 2))
    assert len({tuple(colours) for colours in others}) > 5


def test_a_sample_is_the_same_in_every_process(folder):
    """Hashes of texts differ between processes; these colours were drawn in another one."""
    assert colours_in_options(drawn(folder, 3, 1)) == ["orange", "lime", "gold", "red"]
