"""Training records: what LLaVA's and ViP-LLaVA's files hold, and everything that can be wrong with them."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.chat.region_records import BOXES, DESCRIBING, MARKED, POINTING

from vertebra.chat import Conversation, Turn
from vertebra.chat.records import Told, read_conversations, read_records
from vertebra.errors import DataError

SPOKEN = {
    "id": "17",
    "image": "train/17.png",
    "conversations": [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "red"}],
}
COMPARED = {
    "id": 18,
    "image": ["a.png", "b/c.png", "a.png"],
    "conversations": [
        {"from": "human", "value": "Is it <image> or <image>?"},
        {"from": "gpt", "value": "neither"},
        {"from": "human", "value": "<image>\nAnd here?"},
        {"from": "gpt", "value": "yes"},
    ],
}
HERE = Path()
"""No folder is looked into."""
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("<image>") | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def written(folder: Path, *records: object) -> Path:
    path = folder / "records.json"
    path.write_text(json.dumps(records))
    return path


def told(folder: Path, record: dict[str, Any]) -> Told:
    (read,) = read_records(written(folder, record))
    return read.tell(random.Random(0), HERE)


def spoken(*turns: tuple[str, str], **fields: object) -> dict[str, Any]:
    return {"id": "s", "conversations": [{"from": who, "value": text} for who, text in turns], **fields}


def complaint(folder: Path, record: object) -> str:
    with pytest.raises(DataError) as caught:
        read_records(written(folder, SPOKEN, record))
    return str(caught.value)


def test_a_conversation_is_told_as_it_stands(tmp_path):
    assert told(tmp_path, SPOKEN) == Told(
        Conversation((Turn("user", "What?", images=1), Turn("assistant", "red"))), marks=()
    )


def test_records_keep_their_order_ids_as_text_and_images(tmp_path):
    records = read_records(written(tmp_path, SPOKEN, spoken(("human", "hi"), ("gpt", "ho"), id=5), POINTING, COMPARED))
    assert [(record.id, record.images) for record in records] == [
        ("17", ("train/17.png",)),
        ("5", ()),
        ("v7w-4", ("4.png",)),
        ("18", ("a.png", "b/c.png", "a.png")),
    ]


@pytest.mark.parametrize(
    "text", ["<image>\nWhat?", "What?\n<image>", "<image> What? <image>\n", "  <image>What?", "<image><image>What?"]
)
def test_the_image_comes_first_and_once_wherever_a_message_mentions_it(tmp_path, text):
    asked = told(tmp_path, spoken(("human", text), ("gpt", "red"), image="a.png")).conversation.turns[0]
    assert asked == Turn("user", "What?", images=1)


def test_several_images_stay_where_they_are_mentioned(tmp_path):
    """Unlike one alone; the newline behind each is the chat format's to write."""
    assert told(tmp_path, COMPARED).conversation.turns == (
        Turn("user", "Is it  or ?", images=2, places=(6, 10)),
        Turn("assistant", "neither"),
        Turn("user", "And here?", images=1),
        Turn("assistant", "yes"),
    )


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        ("<image>\n<image>\nCompare.", Turn("user", "Compare.", images=2)),
        ("<image><image>", Turn("user", "", images=2)),
        ("Compare.\n<image>\n\n<image>", Turn("user", "Compare.\n\n", images=2, places=(9, 10))),
        (" 一 <image> 🙂<image>\n ", Turn("user", " 一  🙂 ", images=2, places=(3, 5))),
    ],
)
def test_a_message_of_several_images_keeps_all_else_that_it_says(tmp_path, text, turn):
    record = spoken(("human", text), ("gpt", "\nBoth."), image=["a.png", "b.png"])
    assert told(tmp_path, record).conversation.turns == (turn, Turn("assistant", "\nBoth."))


@quick
@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=1), max_size=4))
def test_images_between_any_words_are_put_back_between_them(tmp_path, questions):
    """Apart from the newline behind an image."""
    images = [f"{number}.png" for number in range(sum(len(pieces) - 1 for pieces in questions))]
    assume(len(images) > 1)
    turns = [turn for pieces in questions for turn in (("human", "<image>".join(pieces)), ("gpt", "yes"))]
    conversation = told(tmp_path, spoken(*turns, image=images)).conversation
    for pieces, turn in zip(questions, conversation.turns[::2], strict=True):
        written = "".join("<image>" if part["type"] == "image" else part["text"] for part in turn.message()["content"])
        assert written == pieces[0] + "".join("<image>" + piece.removeprefix("\n") for piece in pieces[1:])


def test_a_list_of_one_image_is_one_image_and_an_empty_one_is_none(tmp_path):
    assert told(tmp_path, {**SPOKEN, "image": ["train/17.png"]}) == told(tmp_path, SPOKEN)
    assert told(tmp_path, spoken(("human", "hi"), ("gpt", "ho"), image=[])).conversation.images == 0


def test_conversations_are_told_alone_as_they_are_told_with_their_images(tmp_path):
    path = written(tmp_path, SPOKEN, COMPARED, spoken(("human", "hi"), ("gpt", "ho")))
    records = read_records(path)
    assert read_conversations(path) == [(one.id, one.tell(random.Random(), HERE).conversation) for one in records]


def test_images_are_not_looked_for_but_a_list_of_them_is_counted(tmp_path):
    ((_, conversation),) = read_conversations(written(tmp_path, {**SPOKEN, "image": None}))
    assert conversation.images == 1
    with pytest.raises(DataError, match=r"record 0 \(id 18\): its messages .* 3 shown by <image> and 2 named"):
        read_conversations(written(tmp_path, {**COMPARED, "image": ["a.png", "b.png"]}))


def test_a_message_without_an_image_keeps_its_blanks(tmp_path):
    assert told(tmp_path, spoken(("human", " hi\n"), ("gpt", " ho "))).conversation.turns == (
        Turn("user", " hi\n"),
        Turn("assistant", " ho "),
    )


def test_the_image_may_belong_to_a_later_question(tmp_path):
    record = spoken(("human", "hi"), ("gpt", "ho"), ("human", "<image>"), ("gpt", "a cat"), image="a.png")
    assert [turn.images for turn in told(tmp_path, record).conversation.turns] == [0, 0, 1, 0]


def test_what_is_said_before_the_first_question_is_left_out(tmp_path):
    record = spoken(("gpt", "Welcome!"), ("human", "hi"), ("gpt", "ho"))
    assert told(tmp_path, record).conversation == Conversation((Turn("user", "hi"), Turn("assistant", "ho")))


def test_line_separators_inside_a_text_are_kept(tmp_path):
    path = tmp_path / "records.json"
    path.write_text(json.dumps([spoken(("human", "a\u2028b\x85c"), ("gpt", "ho"))], ensure_ascii=False))
    (record,) = read_records(path)
    assert record.tell(random.Random(), HERE).conversation.turns[0].text == "a\u2028b\x85c"


@pytest.mark.parametrize("record", [SPOKEN, POINTING, DESCRIBING, MARKED])
def test_telling_twice_with_the_same_randomness_tells_the_same(tmp_path, record):
    (read,) = read_records(written(tmp_path, record))
    first = read.tell(random.Random(3), HERE)
    for seed in range(5):
        read.tell(random.Random(seed), HERE)
    assert read.tell(random.Random(3), HERE) == first


@pytest.mark.parametrize(
    "image", ["/etc/passwd", "../secret.png", "a/../../secret.png", "", 7, ["a.png", ""], [["a.png"]], {"a": 1}]
)
@pytest.mark.parametrize("record", [SPOKEN, POINTING])
def test_an_image_outside_the_folder_is_refused(tmp_path, record, image):
    assert "inside the image folder" in complaint(tmp_path, {**record, "image": image})


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (spoken(("human", "hi")), "end with an answer"),
        (spoken(("human", "hi"), ("gpt", "ho"), ("human", "and?")), "end with an answer"),
        (spoken(("gpt", "ho")), "end with an answer"),
        (spoken(("human", "hi"), ("human", "hi"), ("gpt", "ho")), "human, gpt, human"),
        (spoken(("human", "hi"), ("gpt", "")), "is empty"),
        (spoken(("human", "hi"), ("gpt", " \n")), "is empty"),
        (spoken(("human", "hi"), ("gpt", "<image>"), image="a.png"), "`value` holds <image>"),
        (spoken(("system", "be kind"), ("human", "hi"), ("gpt", "ho")), "`from` must be human or gpt, found 'system'"),
        (spoken(("human", "<image>"), ("gpt", "ho")), "1 shown by <image> and 0 named"),
        (spoken(("human", "<image>"), ("gpt", "ho"), image=None), "1 shown by <image> and 0 named"),
        (spoken(("human", "hi"), ("gpt", "ho"), image="a.png"), "0 shown by <image> and 1 named"),
        (
            spoken(("human", "<image>"), ("gpt", "a"), ("human", "<image>"), ("gpt", "b"), image="a.png"),
            "2 shown by <image> and 1 named",
        ),
        ({**COMPARED, "image": ["a.png", "b.png"]}, "3 shown by <image> and 2 named"),
        ({**COMPARED, "image": ["a.png"] * 4}, "3 shown by <image> and 4 named"),
        ({**COMPARED, "image": "a.png"}, "2 shown by <image> and 1 named"),
        ({**SPOKEN, "image": ["a.png", "b.png"]}, "1 shown by <image> and 2 named"),
        (spoken(("human", "hi"), ("gpt", "<image>"), image=["a.png", "b.png"]), "`value` holds <image>"),
        ({**POINTING, "image": ["4.png", "5.png"]}, "needs its `image`, one and no more, found 2"),
        ({**MARKED, "image": ["4.png", "5.png"]}, "needs its `image`, one and no more, found 2"),
        (spoken(("human", "a \ud83d b"), ("gpt", "ho")), "half of a character"),
        ({**POINTING, "answer": [1, 2, 3, 4]}, "none of its `bboxes`"),
        ({**POINTING, "bboxes": BOXES[:3]}, "must hold 4, found 3"),
        ({**POINTING, "bboxes": [[float("nan"), 2, 3, 4], *BOXES[1:]]}, r"found [nan, 2, 3, 4]"),
        ({**POINTING, "bboxes": [[True, 2, 3, 4], *BOXES[1:]]}, "a box is"),
        ({**POINTING, "image": None}, "needs its `image`"),
        ({**MARKED, "image": None}, "needs its `image`"),
        ({**MARKED, "bboxes": BOXES[:1]}, "speaks of <bbox1>, but has 1 regions"),
        ({**MARKED, "bboxes": BOXES[:3]}, "must speak of <bbox0> to <bbox2>, one for each box"),
        ({**MARKED, "bboxes": []}, "speaks of <bbox0>, but has 0 regions"),
        ({**MARKED, "bboxes": [BOXES[0], [5, 5, 5, 9]]}, "`bboxes` 1: the box [5, 5, 5, 9] has no area"),
        ({**MARKED, "segmentations": [None]}, "as long as `bboxes`"),
        ({**MARKED, "segmentations": [None, [[1, 2, 3]]]}, "an outline is [x, y, x, y, ...]"),
        ({**MARKED, "segmentations": [None, [[1, 2, 3, 4]]]}, "no outline of at least three points"),
        ({**MARKED, "kinds": ["arow"]}, "`kinds` may hold rectangle, ellipse"),
        (
            {**MARKED, "conversations": [*MARKED["conversations"][:3], {"from": "gpt", "value": "<bbox 0>"}]},
            "<bbox 0> is no placeholder",
        ),
        ({**MARKED, "bboxes": [[1, 2, 3]]}, "a box is"),
        ({**DESCRIBING, "answer": ""}, "is empty"),
        ({**POINTING, "id": "v7w-gpt4v-9"}, "the kind v7w-gpt4v are not understood; known: refcocog, vg_rel"),
        ({**SPOKEN, "id": None}, "`id` must be text or a whole number, found nothing"),
        ({**SPOKEN, "id": True}, "`id` must be"),
        ("a text", "expected an object, found str"),
    ],
)
def test_a_record_that_cannot_be_used_is_named(tmp_path, record, words):
    message = complaint(tmp_path, record)
    assert f"{tmp_path / 'records.json'}: record 1" in message
    assert words in message


@pytest.mark.parametrize("record", [SPOKEN, POINTING, DESCRIBING])
def test_a_record_without_its_answer_is_an_error(tmp_path, record):
    if record is SPOKEN:
        record = spoken(("human", "<image>"), image="a.png")
    else:
        record = {name: value for name, value in record.items() if name != "answer"}
    assert "answer" in complaint(tmp_path, record)


@quick
@given(data=st.data())
@pytest.mark.parametrize("record", [SPOKEN, COMPARED, POINTING, DESCRIBING, MARKED])
def test_whatever_stands_in_a_field_is_told_or_named(tmp_path, record, data):
    """Any value in any place, or nothing at all."""
    broken = copy.deepcopy(record)
    field = data.draw(st.sampled_from(sorted(broken)))
    inside = broken[field]
    if isinstance(inside, list) and data.draw(st.booleans()):
        part = data.draw(st.sampled_from(range(len(inside))))
        if isinstance(inside[part], dict):
            inside[part][data.draw(st.sampled_from(["from", "value"]))] = data.draw(anything)
        else:
            inside[part] = data.draw(anything)
    elif data.draw(st.booleans()):
        broken[field] = data.draw(anything)
    else:
        del broken[field]
    try:
        records = read_records(written(tmp_path, SPOKEN, broken))
    except DataError as error:
        assert "records.json: record 1" in str(error)
        return
    for one in records:
        conversation, marks = one.tell(random.Random(0), HERE)
        assert conversation.turns[-1].role == "assistant"
        assert conversation.turns[-1].text.strip()
        assert conversation.images == len(one.images)
        assert all(abs(corner) < 1e9 for mark in marks for corner in mark.region.box)
        assert not any("<bbox" in turn.text for turn in conversation.turns if one.id.startswith("mine"))


@quick
@given(end=st.integers(0, 200))
def test_a_torn_file_is_named_with_its_line(tmp_path, end):
    path = tmp_path / "torn.json"
    whole = json.dumps([SPOKEN, POINTING], indent=1)
    path.write_text(whole[: min(end, len(whole) - 1)])
    with pytest.raises(DataError, match=r"torn\.json:\d+: not whole JSON"):
        read_records(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" * 100_000, "cannot be read"),
        (b'{"a":' * 100_000, "cannot be read"),
        (b'[{"id": ' + b"9" * 5000 + b"}]", "cannot be read"),
        (b'["caf\xe9"]', "not UTF-8"),
        (b"\xff\xfe[\x00]\x00", "not UTF-8"),
        (b"\xef\xbb\xbf[]", "BOM"),
        (b"", "not whole JSON"),
        (b"{}", "expected a JSON list of records, found dict"),
        (b"null", "found NoneType"),
    ],
)
def test_a_file_that_is_no_list_of_records_is_named(tmp_path, content, words):
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_records(path)
    assert str(path) in str(caught.value)


def test_a_value_nested_as_deep_as_json_allows_is_named(tmp_path):
    path = tmp_path / "deep.json"
    for depth in (900, 940, 960, 980):
        path.write_text('[{"id": "v7w-1", "image": ' + "[" * depth + "]" * depth + "}]")
        with pytest.raises(DataError, match=r"deep\.json"):
            read_records(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.json cannot be read"):
        read_records(tmp_path / "nowhere.json")
