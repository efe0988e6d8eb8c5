"""Readers of official files: JSON in any state, file and line in every complaint."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.errors import DataError
from vertebra.scoring.records import (
    Annotators,
    Record,
    annotation,
    checked,
    json_lines,
    json_list,
    json_mapping,
    lines,
    rows,
)


def test_lines_end_at_newline_bytes_only(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"a": "one\u2028two\u0085three"}\r\n\n{"a": "four"}'.encode())
    assert list(json_lines(path)) == [(1, {"a": "one\u2028two\u0085three"}), (3, {"a": "four"})]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'{"a": 1}\n{"a": "tor', 2),
        (b'{"a": 1}\n{"a": "\xff"}\n', 2),
        (b"[1, 2]\n", 1),
        (b"\xef\xbb\xbf{}", 1),
        (b"[" * 100_000, 1),
        (b'{"a": ' + b"9" * 5_000 + b"}", 1),
    ],
)
def test_a_broken_line_is_named(tmp_path, content, line):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.jsonl:{line}: "):
        list(json_lines(path))


@given(content=st.binary(max_size=40))
def test_any_bytes_are_read_or_refused_with_file_and_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    for reader in (lambda path: list(json_lines(path)), json_mapping, json_list):
        try:
            reader(path)
        except DataError as error:
            assert re.match(rf"{re.escape(str(path))}:\d+: ", str(error))


def test_a_document_cut_off_is_named_with_the_line_of_the_cut(tmp_path):
    (tmp_path / "a.json").write_text('{\n"a": 1,\n"b": ')
    with pytest.raises(DataError, match=r"a\.json:3: not valid JSON"):
        json_mapping(tmp_path / "a.json")


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        json_list(tmp_path / "a.json")


def test_a_field_of_the_wrong_type_is_named(tmp_path):
    class Pair(Record):
        a: int
        b: list[str]

    with pytest.raises(DataError, match=r"x\.json:3: `b\.1`: .*string"):
        checked(Pair, {"a": 1, "b": ["x", 2]}, "x.json:3")


def test_an_annotation_is_the_file_or_lies_in_the_folder(tmp_path):
    file = tmp_path / "any_name.json"
    file.touch()
    assert annotation(file, "official.json") == file
    assert annotation(tmp_path, "official.json") == tmp_path / "official.json"


def test_what_json_takes_is_taken(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "\\ud800", "b": NaN, "b": 12345678901234567890}')
    assert list(json_lines(path)) == [(1, {"a": "\ud800", "b": 12345678901234567890})]


def test_annotators_are_records_or_texts_and_ten():
    class Question(Record):
        answers: Annotators

    texts = [f"answer {number}" for number in range(10)]
    rows = [{"answer": text, "answer_id": number} for number, text in enumerate(texts, 1)]
    assert checked(Question, {"answers": texts}, "x").answers == checked(Question, {"answers": rows}, "x").answers
    for broken in (texts[:9], [*rows[:9], {"answer": 1}], [*texts[:9], None], "0123456789"):
        with pytest.raises(DataError, match=r"x: `answers"):
            checked(Question, {"answers": broken}, "x")


def test_records_stand_in_a_list_or_in_lines(tmp_path):
    (tmp_path / "a.json").write_text('[{"a": 1}, {"a": 2}]')
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    listed, lined = list(rows(tmp_path / "a.json")), list(rows(tmp_path / "a.jsonl"))
    assert [row for _, row in listed] == [row for _, row in lined] == [{"a": 1}, {"a": 2}]
    assert (listed[1][0][-16:], lined[1][0][-10:]) == ("a.json: record 1", "/a.jsonl:3")


def test_lines_of_text_lose_their_ends_and_bad_ones_are_named(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("one\u2028two\r\n\nthree \n".encode())
    assert list(lines(path)) == [(1, "one\u2028two"), (3, "three ")]
    path.write_bytes(b"one\n\xff\n")
    with pytest.raises(DataError, match=r"a\.txt:2: not UTF-8"):
        list(lines(path))
