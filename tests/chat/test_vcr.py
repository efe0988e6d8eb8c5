"""VCR's records in words and marks."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from vertebra.chat import wording
from vertebra.chat.records import read_records
from vertebra.chat.regions import Chosen
from vertebra.chat.vcr import KINDS, mentioned, spoken
from vertebra.errors import DataError

RECORD = {
    "id": "vcr-12",
    "image": "vcr1images/a.jpg",
    "meta_dir": "./dataset/vcr1images/a.json",
    "class_names": ["person", "person", "cup", "dog"],
    "question": ["What", "does", [1], "hold", "?"],
    "answer_choices": [["A", [2], "."], [[1, 0], "sleep", "."], ["Nothing", "."], ["Yes", ",", "it", "does", "."]],
    "answer_label": 0,
    "rationale_choices": [["It", "is", "so", "."], [[2], "is", "there", "."], ["No", "."], ["Maybe", "."]],
    "rationale_label": 1,
}
META = {
    "boxes": [[number, 0, number + 50, 40, 0.9] for number in range(4)],
    "segms": [[], [[[1, 0], [51, 0], [51, 40], [1, 40]], [[0, 0], [1, 1], [2, 2]]], [], []],
}
STYLES = (
    r"\(B\)",
    r"The [a-z ]+ answer is \(B\)",
    r"\(B\)(:|->|→|::|-|;|\||⇒) .*",
    r"The [a-z ]+ answer is \(B\) - .*",
    r"\(B\) - The [a-z ]+ because .*",
    r"Answer \(B\): .*",
    r"Opt for \(B\) if .*",
)


def write(folder: Path, record: object = RECORD, meta: object = META) -> Path:
    (folder / "vcr1images").mkdir(exist_ok=True)
    (folder / "vcr1images" / "a.json").write_text(json.dumps(meta))
    (folder / "records.json").write_text(json.dumps([record]))
    return folder / "records.json"


def tellings(folder: Path, number: int, **changes: object):
    (record,) = read_records(write(folder, RECORD | changes))
    return [record.tell(random.Random(seed), folder) for seed in range(number)]


def test_two_rounds_each_with_options_in_half_of_the_cases(tmp_path):
    options = Counter()
    for conversation, _ in tellings(tmp_path, 400):
        first, answer, second, reason = conversation.turns
        assert [turn.images for turn in conversation.turns] == [1, 0, 0, 0]
        assert first.text.startswith(wording.VCR_ASKING)
        assert second.text.startswith(wording.VCR_WHY)
        has = tuple(any(lead in turn.text for lead in wording.VCR_OPTIONS) for turn in (first, second))
        options[has] += 1
        if has[0]:
            assert re.search(
                r"\(A\) A.*\(B\) The .* and the .* sleep\. \(C\) Nothing\. \(D\) Yes, it does\.", first.text
            )
            assert "(A)" in answer.text
        else:
            assert re.fullmatch(r"A the [a-z ]+\.", answer.text)
        if has[1]:
            assert any(re.fullmatch(style, reason.text) for style in STYLES), reason.text
    assert all(count == pytest.approx(100, abs=35) for count in options.values())
    assert len(options) == 4


def test_answers_take_each_of_seven_styles(tmp_path):
    said = [conversation.turns[3].text for conversation, _ in tellings(tmp_path, 2000)]
    styles = Counter(next((style for style in STYLES if re.fullmatch(style, text)), "plain") for text in said)
    assert styles.pop("plain") == pytest.approx(1000, abs=120)
    assert all(count == pytest.approx(143, abs=50) for count in styles.values())
    assert len(styles) == 7


def test_only_what_is_spoken_of_is_drawn_and_spoken_of_by_its_mark(tmp_path):
    for conversation, marks in tellings(tmp_path, 100):
        text = " ".join(turn.text for turn in conversation.turns)
        drawn = {int(mark.region.box.x1) for mark in marks}
        assert {1, 2} <= drawn <= {0, 1, 2}
        assert (0 in drawn) == ("sleep" in text)
        assert all(mark.kind in text and mark.kind in KINDS for mark in marks)
        assert all(bool(mark.region.polygons) == (mark.region.box.x1 == 1) for mark in marks)


def test_objects_are_called_what_they_are_or_object_or_instance():
    chosen = {0: Chosen("ellipse", "red", (255, 0, 0)), 1: Chosen("arrow", None, (1, 2, 3))}
    text = ("Is", (0, 1), "near", (1,), "?")
    said = {spoken(text, chosen, ("cat", "dog"), random.Random(seed)) for seed in range(200)}
    pattern = (
        r"Is the (cat|object|instance) within (the )?red ellipse and the (dog|object|instance) pointed to by "
        r"(the )?arrow near the (dog|object|instance) pointed to by (the )?arrow\?"
    )
    assert all(re.fullmatch(pattern, one) for one in said)
    plain = {spoken(text, chosen, ("cat", "dog"), random.Random(seed), plain=True) for seed in range(50)}
    assert not any("object" in one or "instance" in one for one in plain)
    assert spoken(((0,), "sleeps", "."), chosen, ("cat", "dog"), random.Random(1)).startswith("The ")


def test_objects_are_counted_once_and_in_order():
    assert mentioned([("a", (3, 1)), ((1,), "b")]) == [1, 3]


def test_there_are_as_many_paraphrases_as_published():
    lists = (wording.VCR_ASKING, wording.VCR_OPTIONS, wording.VCR_WHY, wording.VCR_ADJECTIVES, wording.VCR_PUNCTUATION)
    assert [len(set(texts)) for texts in lists] == [10, 10, 39, 10, 8]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"question": "What?"}, "`question` must be words and lists"),
        ({"question": ["What", [9]]}, r"speaks of \[9\]"),
        ({"question": ["What", 3]}, "speaks of 3"),
        ({"answer_choices": [["a"]] * 3}, "`answer_choices` must hold 4, found 3"),
        ({"answer_label": 4}, "`answer_label` must be 0 to 3, found 4"),
        ({"answer_label": True}, "`answer_label` must be a whole number"),
        ({"class_names": [3]}, "`class_names` must hold text"),
        ({"meta_dir": "../../etc/passwd"}, "`meta_dir` must be a path inside"),
        ({"question": ["<image>"]}, "holds <image>"),
    ],
)
def test_a_record_that_cannot_be_used_is_named(tmp_path, changes, words):
    with pytest.raises(DataError, match=rf"record 0 \(id vcr-12\): .*{words}"):
        read_records(write(tmp_path, RECORD | changes))


@pytest.mark.parametrize(
    "meta", [{}, {"boxes": [], "segms": []}, {"boxes": [[0, 0, 0, 0, 1]] * 4, "segms": [[]] * 4}, 3]
)
def test_a_file_without_the_objects_is_named_with_the_record(tmp_path, meta):
    (record,) = read_records(write(tmp_path, meta=meta))
    with pytest.raises(DataError, match="id vcr-12"):
        record.tell(random.Random(0), tmp_path)
