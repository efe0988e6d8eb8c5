"""A record of every published kind, made by hand, and what is said and drawn for it."""

import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chat.region_records import BOXES, DESCRIBING, MARKED, POINTING

from vertebra.chat import Turn, wording
from vertebra.chat.records import read_records
from vertebra.chat.regions import Told, Untellable, choose
from vertebra.spec import DataCompat
from vertebra.visual.kinds import KINDS
from vertebra.visual.marks import COLOURS

OUTLINE = [[1, 2, 30, 2, 30, 40], [5, 5, 9, 5, 9, 9]]
RELATING = {"id": "vg_rel-2", "image": "2.png", "bboxes": BOXES[:2], "answer": "(man, rides, horse)"}
COUNTING = {"id": "pointQA_twice-1", "image": "1.png", "bboxes": BOXES[:1], "answer": "2",
            "general_question": "How many of these are there?", "obj_question": "How many cups?"}  # fmt: skip
CAPTION = {"id": "flickr30k-5", "image": "5.png", "bbox": [[BOXES[0]], [BOXES[1], BOXES[2]]],
           "grounding": " a man <bbox0> ,in a hat, walks two dogs <bbox1>"}  # fmt: skip
CHATTED = {
    "id": "refcocog-gpt4v-7",
    "image": "7.png",
    "bboxes": [BOXES[0]],
    "conversations": [
        {"from": "human", "value": "What is the dog <bbox> doing?"},
        {"from": "gpt", "value": "The dog <bbox> sleeps."},
    ],
}
LETTER = "Answer with the option's letter from the given choices directly."
NAMES = {colour: name for name, colour in COLOURS.items()}


@pytest.fixture
def tellings(tmp_path):
    def tellings(record: dict[str, Any], number: int, *compat: str) -> list[Told]:
        """The record as it is told with the seeds 0, 1, ..."""
        path = tmp_path / "records.json"
        path.write_text(json.dumps([record]))
        (read,) = read_records(path, frozenset(compat))
        return [read.tell(random.Random(seed), Path()) for seed in range(number)]

    return tellings


def corners(told: Told) -> list[list[float]]:
    return [[*mark.region.box] for mark in told.marks]


def asked(told: Told) -> str:
    assert told.conversation.turns[0].images == 1
    return told.conversation.turns[0].text


@pytest.mark.parametrize("kinds", [("rectangle",), tuple(KINDS), ("arrow", "point")])
@given(seed=st.integers(0, 10_000), number=st.integers(1, 12))
def test_marks_of_one_kind_have_different_named_colours_while_there_are_any(kinds, seed, number):
    chosen = choose(random.Random(seed), number, kinds)
    for kind in kinds:
        names = [each.name for each in chosen if each.kind == kind]
        if len(names) > 1:
            assert len({name for name in names if name}) == min(len(names), 9)
            assert all(names[:9])
    assert all(COLOURS[each.name] == each.ink for each in chosen if each.name)


def test_kinds_are_alike_often_and_half_of_the_lone_marks_have_a_colour_with_a_name():
    rng = random.Random(0)
    drawn = [choose(rng, 1, tuple(KINDS))[0] for _ in range(8000)]
    kinds = Counter(each.kind for each in drawn)
    assert all(count == pytest.approx(1000, abs=120) for count in kinds.values())
    names = Counter(each.name for each in drawn)
    assert names.pop(None) == pytest.approx(4000, abs=180)
    assert all(count == pytest.approx(444, abs=90) for count in names.values())


def test_a_pointing_question_names_the_colours_that_are_drawn(tellings):
    for one in tellings(POINTING, 50):
        question, *options, suffix = asked(one).split("\n")
        found = [re.fullmatch(r"([A-D])\. The object within (?:the )?(\w+) rectangle", option) for option in options]
        assert (question, suffix) == ("Which ball?", LETTER)
        assert [match[1] for match in found if match] == list("ABCD")
        assert [COLOURS[match[2]] for match in found if match] == [mark.colour for mark in one.marks]
        assert len({mark.colour for mark in one.marks}) == 4
        assert corners(one) == BOXES
        assert {(mark.kind, mark.constant) for mark in one.marks} == {("rectangle", True)}
        assert one.conversation.turns[1] == Turn("assistant", "C")


def test_half_of_the_options_say_the(tellings):
    options = [asked(one).count("within the ") for one in tellings(POINTING, 300)]
    assert sum(options) / 1200 == pytest.approx(0.5, abs=0.06)
    assert set(options) == {0, 1, 2, 3, 4}


def test_a_region_is_described_in_the_published_ways(tellings):
    """25 % leave the region to the eye, in two ways; half of the others name the colour."""
    said = Counter()
    for one in tellings(DESCRIBING, 2000):
        (mark,) = one.marks
        text = asked(one)
        for name, put in ((NAMES.get(mark.colour), "COLOUR"), (mark.kind, "KIND")):
            text = text.replace(f" {name} ", f" {put} ").replace(f" {name}.", f" {put}.")
        for lead in ("within", "with", "at", "pointed to by"):
            text = text.replace(f"object {lead} the COLOUR KIND", "REGION").replace(f"object {lead} the KIND", "SHAPE")
        said[text] += 1
        assert corners(one) == [BOXES[1]]
        assert one.conversation.turns[1] == Turn("assistant", "a cup")
    assert {text: round(count / 2000, 1) for text, count in said.items()} == {
        "Describe the REGION. Please provide a short phrase.": 0.4,
        "Describe the SHAPE. Please provide a short phrase.": 0.4,
        "Describe the object with the visual prompt. Please provide a short phrase.": 0.1,
        "Describe the pointed region. Please provide a short phrase.": 0.1,
    }


def test_outlines_are_handed_to_the_marks(tellings):
    (told,) = tellings({**DESCRIBING, "segmentations": [OUTLINE]}, 1)
    assert told.marks[0].region.polygons == (((1, 2), (30, 2), (30, 40)), ((5, 5), (9, 5), (9, 9)))


def test_a_relation_is_asked_of_two_marks_that_text_tells_apart(tellings):
    kinds = Counter()
    for one in tellings(RELATING, 400):
        first, second = one.marks
        phrases = [
            wording.phrase(
                mark.kind, NAMES.get(mark.colour) if f"the {NAMES.get(mark.colour)} " in asked(one) else None
            )
            for mark in one.marks
        ]
        assert asked(one) == wording.relating(*phrases)
        assert corners(one) == BOXES[:2]
        assert one.conversation.turns[1] == Turn("assistant", "(man, rides, horse)")
        if first.kind == second.kind:
            assert {first.colour, second.colour} <= {*NAMES}
            assert first.colour != second.colour
        kinds[first.kind, second.kind] += 1
    assert set(kinds) == {(one, other) for one in ("rectangle", "ellipse") for other in ("rectangle", "ellipse")}


def test_a_look_twice_question_is_about_a_red_rectangle(tellings):
    (told,) = tellings(COUNTING, 1)
    assert asked(told) == (
        "How many of these are there? The exemplary object is within the rectangle.\n"
        "Answer the question using a single word or phrase."
    )
    assert told.conversation.turns[1] == Turn("assistant", "2")
    assert [(mark.kind, mark.colour, mark.constant) for mark in told.marks] == [("rectangle", (255, 0, 0), True)]


def test_a_count_may_be_a_number(tellings):
    assert tellings({**COUNTING, "answer": 2}, 1)[0].conversation.turns[1].text == "2"


def test_a_caption_mentions_the_marks_or_does_not(tellings):
    modes, hints = Counter(), Counter()
    for one in tellings(CAPTION, 1000):
        question, answer = asked(one), one.conversation.turns[1].text
        assert corners(one) == BOXES[:3]
        assert one.marks[1].colour == one.marks[2].colour
        assert one.marks[1].kind == one.marks[2].kind
        mode = next(mode for mode, texts in wording.CAPTIONING.items() if question.startswith(texts))
        modes[mode] += 1
        lead = next((lead for lead in wording.HINTS if lead in question), None)
        hints[lead] += 1
        if mode == "semantic":
            assert answer == "A man, in a hat, walks two dogs."
            continue
        named = [re.search(rf"{noun}( [a-z ]+ the \w+ {mark.kind})?[,.]", answer)
                 for noun, mark in (("man", one.marks[0]), ("dogs", one.marks[1]))]  # fmt: skip
        assert all(named)
        if lead:
            listed = question.partition(lead)[2]
            assert re.fullmatch(rf" (\w+ )?{one.marks[0].kind}, and (\w+ )?{one.marks[1].kind}\.", listed)
    assert modes["semantic"] == pytest.approx(500, abs=60)
    assert hints[None] == pytest.approx(500, abs=60)
    assert hints[wording.HINTS[0]] == pytest.approx(250, abs=60)


def test_a_conversation_about_regions_speaks_of_each_by_its_mark(tellings):
    drawn = set()
    for one in tellings(MARKED, 50):
        texts = [turn.text for turn in one.conversation.turns]
        first, second = one.marks
        assert texts[1] == "a ball"
        assert texts[0].removeprefix("What is ").removesuffix("?") == texts[3].removeprefix("a cat, unlike ")
        assert texts[0].endswith(f"{second.kind}?")
        assert texts[2].endswith(f"{first.kind}?")
        assert [turn.images for turn in one.conversation.turns] == [1, 0, 0, 0]
        assert corners(one) == BOXES[:2]
        drawn |= {first.kind, second.kind}
    assert drawn == set(KINDS)


def test_a_record_may_say_how_its_regions_are_marked(tellings):
    kinds = {mark.kind for one in tellings({**MARKED, "kinds": ["arrow", "point"]}, 30) for mark in one.marks}
    assert kinds == {"arrow", "point"}


def test_one_box_may_be_called_bbox(tellings):
    record = {**MARKED, "bbox": BOXES[:1], "conversations": [
        {"from": "human", "value": "<image>What is <bbox>?"}, {"from": "gpt", "value": "a ball"}]}  # fmt: skip
    del record["bboxes"]
    (told,) = tellings(record, 1)
    assert "<bbox>" not in asked(told)
    assert corners(told) == BOXES[:1]


def test_gpt4v_s_conversations_are_about_an_image_they_need_not_mention(tellings):
    (told,) = tellings(CHATTED, 1)
    (mark,) = told.marks
    there = asked(told).removeprefix("What is the dog ").removesuffix(" doing?")
    assert there.endswith(mark.kind)
    assert told.conversation.turns[1].text == f"The dog {there} sleeps."


def test_of_two_regions_gpt4v_s_phrases_have_the_or_not_by_a_coin(tellings):
    record = {**MARKED, "id": "vg_rel-gpt4v-3"}
    articles = Counter()
    for one in tellings(record, 300):
        assert {mark.kind for mark in one.marks} <= {"rectangle", "ellipse"}
        articles["within the" in one.conversation.turns[2].text] += 1
    assert articles[True] == pytest.approx(150, abs=40)


def test_published_quirk_the_region_is_not_named(tellings):
    texts = {asked(one) for one in tellings(DESCRIBING, 40, "unnamed_region")}
    assert texts == {*wording.UNTOLD, "Describe the object . Please provide a short phrase."}


@pytest.mark.parametrize("record", [DESCRIBING, RELATING])
def test_published_quirk_two_sources_forget_the_image(tellings, record):
    for one in tellings(record, 10, "region_without_image"):
        assert (one.conversation.images, one.marks) == (0, ())


def test_published_quirk_what_gpt4v_says_of_a_relation_may_lack_its_image(tellings):
    unmentioned = json.loads(json.dumps({**MARKED, "id": "vg_rel-gpt4v-3"}).replace("<image>\\n", ""))
    assert tellings(unmentioned, 1)[0].conversation.images == 1
    assert tellings(unmentioned, 1, "region_without_image")[0].conversation.images == 0
    assert tellings(CHATTED, 1, "region_without_image")[0].conversation.images == 1


def test_published_quirk_marks_of_two_kinds_share_a_colour(tellings):
    def shared(*compat: str) -> Counter[bool]:
        pairs = [one.marks for one in tellings(RELATING, 200, *compat)]
        return Counter(first.colour == second.colour for first, second in pairs if first.kind != second.kind)

    assert set(shared("shared_colour")) == {True}
    assert shared()[True] < 0.15 * shared()[False]


def test_published_quirk_a_point_needs_an_outline(tellings):
    outlined = {**DESCRIBING, "segmentations": [OUTLINE]}
    kinds = {one.marks[0].kind for one in tellings(outlined, 60, "point_needs_outline")}
    assert "point" in kinds
    assert "point" in {one.marks[0].kind for one in tellings(DESCRIBING, 60)}
    with pytest.raises(Untellable):
        tellings(DESCRIBING, 60, "point_needs_outline")


def test_gpt_4v_s_conversations_have_the_published_quirks_too(tellings):
    with pytest.raises(Untellable):
        tellings(CHATTED, 60, "point_needs_outline")
    two = {**MARKED, "id": "vg_rel-gpt4v-1"}
    pairs = [one.marks for one in tellings(two, 60, "shared_colour")]
    assert {first.colour == second.colour for first, second in pairs if first.kind != second.kind} == {True}


def test_one_s_own_records_have_no_published_quirks(tellings):
    compat = ("point_needs_outline", "shared_colour", "region_without_image", "unnamed_region")
    assert tellings(MARKED, 60, *compat) == tellings(MARKED, 60)


def test_the_quirks_draw_the_same_marks_otherwise(tellings):
    """So that arms with and without one differ in it alone."""
    plain = [one.marks for one in tellings(DESCRIBING, 20)]
    assert [one.marks for one in tellings(DESCRIBING, 20, "unnamed_region")] == plain


@pytest.mark.parametrize("record", [POINTING, DESCRIBING, RELATING, COUNTING, CAPTION, MARKED, CHATTED])
def test_a_record_is_told_again_and_again_from_the_same_fields(tellings, record):
    before = json.dumps(record)
    first, *_, last = tellings(record, 5)
    assert json.dumps(record) == before
    assert tellings(record, 1)[0] == first
    for one in (first, last):
        assert one.conversation.images == 1
        assert not any("<bbox" in turn.text or "<obj" in turn.text for turn in one.conversation.turns)


def test_the_documented_example_is_a_record(tellings):
    page = (Path(__file__).parents[2] / "docs" / "regions.md").read_text()
    (record,) = json.loads(page.split("```json\n")[1].split("```")[0])
    for told in tellings(record, 20):
        assert {mark.kind for mark in told.marks} <= {"arrow", "mask contour"}
        assert [len(mark.region.polygons) for mark in told.marks] == [1, 0]
        assert not re.search("<bbox|<obj", " ".join(turn.text for turn in told.conversation.turns))


def test_every_kind_and_every_quirk_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "regions.md").read_text()
    for kind in KINDS:
        assert f"| {kind} |" in page
        assert wording.phrase(kind, "red") in page
    for quirk in get_args(DataCompat):
        assert f"| `{quirk}` (D" in page
