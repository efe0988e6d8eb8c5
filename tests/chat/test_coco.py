"""COCO's annotations become records that the reader of records takes, and none is lost without a word."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.chat.coco import Asking, Converted, convert
from vertebra.chat.records import SOURCES, read_records
from vertebra.errors import ConfigError, DataError, UnknownName
from vertebra.visual.regions import Box

IMAGES = [
    {"id": 139, "file_name": "000000000139.jpg", "width": 640, "height": 426},
    {"id": 7, "file_name": "set/7.png", "width": 100, "height": 80},
]
CATEGORIES = [{"id": 64, "name": "potted plant"}, {"id": 1, "name": "person"}]
OUTLINE = [240.86, 211.31, 240.16, 197.19, 236.98, 192.26]
PLANT = {"id": 1, "image_id": 139, "category_id": 64, "bbox": [236.98, 142.51, 24.7, 69.5], "iscrowd": 0,
         "segmentation": [OUTLINE], "area": 1035.7}  # fmt: skip
PERSON = {"id": 2, "image_id": 139, "category_id": 1, "bbox": [10, 20, 30, 40]}
OTHER = {"id": 3, "image_id": 7, "category_id": 1, "bbox": [0, 0, 100, 80],
         "segmentation": {"counts": [1, 2], "size": [80, 100]}}  # fmt: skip


@pytest.fixture
def converted(tmp_path):
    def converted(*annotations: dict[str, Any], **asking: Any) -> Converted:
        tree = {"images": IMAGES, "annotations": annotations, "categories": CATEGORIES}
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(tree))
        return convert(path, Asking(**asking))

    return converted


def test_a_record_is_one_picture_with_a_question_for_each_region(converted):
    found = converted(PLANT, OTHER, PERSON, images="val2017")
    assert found.records == [
        {
            "id": "coco-139-0",
            "image": "val2017/000000000139.jpg",
            "bboxes": [[236.98, 142.51, 261.68, 212.01], [10, 20, 40, 60]],
            "segmentations": [[OUTLINE], None],
            "conversations": [
                {"from": "human", "value": "<image>\nWhat is <bbox0>?"},
                {"from": "gpt", "value": "potted plant"},
                {"from": "human", "value": "What is <bbox1>?"},
                {"from": "gpt", "value": "person"},
            ],
        },
        {
            "id": "coco-7-0",
            "image": "val2017/set/7.png",
            "bboxes": [[0, 0, 100, 80]],
            "conversations": [
                {"from": "human", "value": "<image>\nWhat is <bbox0>?"},
                {"from": "gpt", "value": "person"},
            ],
        },
    ]
    assert (found.regions, found.crowds, found.faults) == (3, 0, ())


def test_what_is_written_is_what_the_reader_of_records_takes(converted, tmp_path):
    found = converted(PLANT, OTHER, PERSON, kinds=("mask", "arrow"), question="Name the thing <bbox>.\nWhat is it?")
    (tmp_path / "mine.json").write_text(json.dumps(found.records))
    first, second = read_records(tmp_path / "mine.json")
    told = first.tell(random.Random(0), Path())
    assert [mark.region.box for mark in told.marks] == [Box(236.98, 142.51, 261.68, 212.01), Box(10, 20, 40, 60)]
    assert [len(mark.region.polygons) for mark in told.marks] == [1, 0]
    assert {mark.kind for mark in told.marks} <= {"mask", "arrow"}
    assert told.conversation.turns[0].text.startswith("Name the thing ")
    assert (second.id, second.images) == ("coco-7-0", ("set/7.png",))


def test_a_picture_with_many_regions_gets_several_records(converted):
    found = converted(*({**PERSON, "id": number} for number in range(7)), most=3)
    assert [(record["id"], len(record["bboxes"])) for record in found.records] == [
        ("coco-139-0", 3),
        ("coco-139-1", 3),
        ("coco-139-2", 1),
    ]
    assert all(record["conversations"][0]["value"] == "<image>\nWhat is <bbox0>?" for record in found.records)


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"caption": "the plant to the left"}, "the plant to the left"),
        ({"sentences": ["a plant", "green"]}, "a plant"),
        ({"sentences": [{"raw": "A plant!", "sent": "a plant"}]}, "a plant"),
        ({"sentences": [], "caption": ""}, "potted plant"),
        ({"category_id": 999, "caption": "a plant"}, "a plant"),
    ],
)
def test_a_caption_of_its_own_is_the_answer(converted, fields, answer):
    (record,) = converted({**PLANT, **fields}).records
    assert record["conversations"][1]["value"] == answer


def test_crowds_are_counted_and_left_out(converted):
    found = converted(PLANT, {**OTHER, "iscrowd": 1})
    assert (len(found.records), found.crowds, found.faults) == (1, 1, ())


def test_outlines_that_enclose_nothing_are_left_out(converted):
    (record,) = converted({**PLANT, "segmentation": [[1, 2, 3, 4], OUTLINE, []]}).records
    assert record["segmentations"] == [[OUTLINE]]
    assert "segmentations" not in converted({**PLANT, "segmentation": [[1, 2, 3, 4]]}).records[0]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"bbox": [1, 2, 0, 5]}, r"`bbox` \[1, 2, 0, 5\] has no area"),
        ({"bbox": [1, 2, 3, -5]}, "has no area"),
        ({"bbox": [1, 2, 0.001, 5]}, "has no area"),
        ({"bbox": [1, 2, 3]}, r"is \[x, y, width, height\] in pixels"),
        ({"bbox": [1, 2, 3, float("nan")]}, "in pixels"),
        ({"bbox": [1, 2, "3", 4]}, "in pixels"),
        ({"bbox": None}, "`bbox` must be a list, found nothing"),
        ({"bbox": [640, 2, 3, 4]}, "lies beside its image, 640×426 pixels"),
        ({"image_id": 5}, "no image has its `image_id`, 5"),
        ({"image_id": None}, "no image has its `image_id`, None"),
        ({"image_id": [139]}, "no image has its `image_id`"),
        ({"category_id": 5}, "no category has its `category_id`, 5"),
        ({"category_id": None}, "no category has its `category_id`"),
        ({"caption": "see <bbox3>"}, "its answer holds <bbox"),
        ({"caption": "see <image>"}, "holds <image>"),
        ({"caption": 5}, "`caption` must be text"),
        ({"caption": "\ud83d"}, "half of a character"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "an outline is"),
        ({"segmentation": ["circle"]}, "an outline is"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_named(converted, fields, told):
    found = converted(PERSON, {**PLANT, "id": 77, **fields})
    (fault,) = found.faults
    with pytest.raises(DataError, match=told):
        raise DataError(fault)
    assert "instances.json: annotation 77: " in fault
    assert (len(found.records), found.regions, found.annotations) == (1, 1, 2)


@pytest.mark.parametrize("name", ["/etc/passwd", "../7.png", "", None, 5])
def test_a_picture_outside_the_folder_is_named(tmp_path, name):
    tree = {"images": [{"id": 139, "file_name": name}], "annotations": [PERSON], "categories": CATEGORIES}
    (tmp_path / "instances.json").write_text(json.dumps(tree))
    found = convert(tmp_path / "instances.json", Asking())
    assert (found.records, len(found.faults)) == ([], 1)
    assert "image 139: " in found.faults[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "expected an object"),
        ('{"images": []}', "`annotations` must be a list"),
        ('{"images": 1, "annotations": []}', "`images` must be a list"),
        ('{"images": [1], "annotations": []}', "`images` must be a list of objects"),
        ('{"images": [{}], "annotations": []}', "image number 0: `id` must be"),
        ('{"images": [{"id": 1}, {"id": 1}], "annotations": []}', "image 1: its id is another's"),
        ('{"images": [', "not whole JSON"),
    ],
)
def test_a_file_of_another_layout_is_refused(tmp_path, text, told):
    (tmp_path / "instances.json").write_text(text)
    with pytest.raises(DataError, match=told):
        convert(tmp_path / "instances.json", Asking())


@pytest.mark.parametrize("question", ["What is it?", "<image> What is <bbox>?", "<bbox> or <bbox1>?", "<obj> <bbox>"])
def test_a_question_has_the_region_in_it_and_nothing_else(question):
    with pytest.raises(ConfigError, match="no other placeholder"):
        Asking(question)


@pytest.mark.parametrize("name", ["", "vcr", "v7w", "refcocog-mine"])
def test_ids_are_no_published_source_s(name):
    with pytest.raises(ConfigError, match="published source's"):
        Asking(name=name)


def test_a_kind_that_there_is_none_of_and_a_folder_outside_are_refused():
    with pytest.raises(UnknownName, match="'mask contour'"):
        Asking(kinds=("mask_contour",))
    with pytest.raises(ConfigError, match=r"not '\.\./x'"):
        Asking(images="../x")


@pytest.mark.parametrize("name", [*SOURCES])
def test_ids_of_published_sources_are_not_given_to_own_records(name):
    with pytest.raises(ConfigError, match="published source"):
        Asking(name=name)


pixels = st.one_of(st.floats(-50, 700), st.integers(-50, 700), st.just(float("nan")), st.none())
annotation = st.fixed_dictionaries(
    {"image_id": st.sampled_from([139, 7, 8]), "category_id": st.sampled_from([1, 64, 2])},
    optional={
        "bbox": st.lists(pixels, min_size=3, max_size=5),
        "caption": st.text(max_size=5),
        "iscrowd": st.integers(0, 1),
        "segmentation": st.lists(st.lists(st.floats(0, 99), min_size=4, max_size=9), max_size=2),
    },
)


@given(annotations=st.lists(annotation, max_size=6), most=st.integers(1, 3))
def test_whatever_the_annotations_records_load_and_all_are_accounted_for(tmp_path_factory, annotations, most):
    folder = tmp_path_factory.mktemp("coco")
    tree = {"images": IMAGES, "annotations": annotations, "categories": CATEGORIES}
    (folder / "instances.json").write_text(json.dumps(tree))
    found = convert(folder / "instances.json", Asking(most=most))
    (folder / "mine.json").write_text(json.dumps(found.records, allow_nan=False))
    records = read_records(folder / "mine.json")
    marks = [mark for record in records for mark in record.tell(random.Random(0), folder).marks]
    assert len(marks) == found.regions
    assert found.annotations == len(annotations)
