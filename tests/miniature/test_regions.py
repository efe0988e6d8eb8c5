"""Region records of digit scenes: those of every source are read and told by the code that reads the published ones."""

import json
import random
from collections import Counter

import pytest

from vertebra.chat.records import read_records
from vertebra.miniature import data, regions
from vertebra.miniature.benchmarks.vcr import objects
from vertebra.miniature.scenes import COLORS, WORDS, draw_scene

PICTURE = "00001.png"


@pytest.fixture
def tell(tmp_path):
    def tell(source: str, seed: int):
        """A scene, a record of it as it is stored, and as it is told."""
        rng = random.Random(seed)
        scene = draw_scene(rng, "train", things=(4,))
        make = {**{name: made for name, (_, made) in regions.SOURCES.items()}, "marked": regions.named}[source]
        record = {"id": f"{source}-1", "image": PICTURE, **make(rng, scene)}
        if source == "vcr":
            record["meta_dir"] = "00001.json"
            (tmp_path / "00001.json").write_text(json.dumps(objects(scene)))
        (tmp_path / "records.json").write_text(json.dumps([record]))
        (read,) = read_records(tmp_path / "records.json")
        return scene, record, read.tell(rng, tmp_path)

    return tell


@pytest.mark.parametrize("source", [*regions.SOURCES, "marked"])
@pytest.mark.parametrize("seed", range(5))
def test_every_source_is_read_and_marks_things_of_the_scene(tell, source, seed):
    scene, _, told = tell(source, seed)
    boxes = {tuple(scene.box(thing)) for thing in scene.things}
    assert told.marks
    assert {tuple(mark.region.box) for mark in told.marks} <= boxes
    assert told.conversation.images == 1


@pytest.mark.parametrize("seed", range(20))
def test_what_is_asked_twice_is_answered_by_the_marked_thing_alone(tell, seed):
    scene, record, told = tell("pointQA_twice", seed)
    (thing,) = [one for one in scene.things if tuple(scene.box(one)) == tuple(told.marks[0].region.box)]
    assert record["answer"] == (WORDS[thing.digit] if "digit" in record["general_question"] else thing.color)


@pytest.mark.parametrize("seed", range(20))
def test_the_reasoned_answer_and_its_reason_are_those_of_the_marked_thing(tell, seed):
    scene, record, _ = tell("vcr", seed)
    thing = scene.things[record["question"][3][0]]
    assert record["answer_choices"][record["answer_label"]] == ["It", "is", WORDS[thing.digit], "."]
    assert record["rationale_choices"][record["rationale_label"]][2] == thing.color
    assert len({choice[2] for choice in record["rationale_choices"]} & {*COLORS}) == 4


def test_the_stored_records_are_of_all_sources_and_tell_of_files_that_are_there(tmp_path):
    data.make_pocket(tmp_path, lambda done, total: None)
    records = read_records(tmp_path / "train" / "regions.json")
    sources = Counter(record.id.rpartition("-")[0] for record in records)
    assert set(sources) == {*regions.SOURCES, "marked"}
    assert sources["marked"] == len(records) / 2
    for record in records:
        for path in (*record.images, *record.beside):
            assert (tmp_path / "train" / "images" / path).is_file()
        assert record.tell(random.Random(record.id), tmp_path / "train" / "images").conversation.images == 1
