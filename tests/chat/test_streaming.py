"""Lists read piece by piece, against json.loads of the whole."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vertebra.chat import streaming
from vertebra.chat.streaming import read_list
from vertebra.errors import DataError

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
layouts = st.sampled_from([{}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}])


def same(one: object, other: object) -> bool:
    """NaN is itself here."""
    return json.dumps(one) == json.dumps(other)


@quick
@given(
    records=st.lists(values, max_size=6),
    layout=layouts,
    blanks=st.text(" \t\r\n", max_size=3),
    chunk=st.integers(1, 80),
)
def test_a_list_is_read_as_it_is_at_once_whatever_is_read_at_a_time(tmp_path, records, layout, blanks, chunk):
    path = tmp_path / "list.json"
    text = json.dumps(records, **layout).encode(errors="replace")
    text = blanks.encode() + text + blanks.encode()
    path.write_bytes(text)
    entries = [*read_list(path, chunk)]
    assert same([entry.value for entry in entries], json.loads(text))
    assert all(same(json.loads(text[entry.start : entry.end]), entry.value) for entry in entries)


@quick
@given(
    records=st.lists(values, max_size=4),
    chunk=st.integers(1, 40),
    at=st.integers(0, 300),
    put=st.text('[]{},:"\\1e. x', max_size=2),
)
def test_a_list_that_is_not_whole_json_is_an_error_and_any_other_is_none(tmp_path, records, chunk, at, put):
    """A change anywhere: characters taken out, others put in."""
    whole = json.dumps(records)
    text = whole[: at % (len(whole) + 1)] + put + whole[at % (len(whole) + 1) + len(put) // 2 :]
    path = tmp_path / "list.json"
    path.write_text(text)
    try:
        expected = json.loads(text)
    except json.JSONDecodeError as error:
        with pytest.raises(DataError, match=rf"list\.json:{error.lineno}: not whole JSON"):
            [*read_list(path, chunk)]
        return
    if isinstance(expected, list):
        assert same([entry.value for entry in read_list(path, chunk)], expected)
    else:
        with pytest.raises(DataError, match="expected a JSON list of records"):
            [*read_list(path, chunk)]


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'[\n{"a": 1},\n{"a": 2}\n', "list.json:4: not whole JSON: Expecting ',' delimiter"),
        (b'[{"a": 1}\n\n"b"]', "list.json:3: not whole JSON: Expecting ',' delimiter"),
        (b"[1,\n2]\n[3]", "list.json:3: not whole JSON: Extra data"),
        (b'[1,\n"a', "list.json:2: not whole JSON: Unterminated string"),
        (b"[1, 2, ]", "list.json:1: not whole JSON"),
        ('["aé", "é'.encode() + b'\xe9"]', "not UTF-8 text (byte 11)"),
        ('["aé", "é'.encode()[:-1], "not UTF-8 text (byte 9)"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_or_byte(tmp_path, content, words, chunk):
    path = tmp_path / "list.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(words)):
        [*read_list(path, chunk)]


def test_records_in_front_of_what_is_torn_are_read(tmp_path):
    path = tmp_path / "list.json"
    path.write_text('[{"a": 1}, {"b": 2}, {"c":')
    entries = read_list(path)
    assert [next(entries).value, next(entries).value] == [{"a": 1}, {"b": 2}]
    with pytest.raises(DataError):
        next(entries)


def test_no_more_is_held_than_a_record_may_take(tmp_path, monkeypatch):
    """A mistyped record ends nowhere; the file is not read to its end to find that out."""
    monkeypatch.setattr(streaming, "_LONGEST", 1000)
    path = tmp_path / "list.json"
    path.write_text('[{"a": 1]\n' + ', {"a": 1}' * 10_000 + "]")
    with pytest.raises(DataError, match=r"list\.json:1: not whole JSON: Expecting ',' delimiter"):
        [*read_list(path, 100)]


def test_a_file_of_lines_has_a_record_in_each(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text('{"a": "é"}\n\n [2] \r\n"\u2028"', encoding="utf-8")
    entries = [*read_list(path)]
    assert [entry.value for entry in entries] == [{"a": "é"}, [2], "\u2028"]
    text = path.read_bytes()
    assert [json.loads(text[entry.start : entry.end]) for entry in entries] == [entry.value for entry in entries]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1}\n{"a":\n', "lines.jsonl:2: not whole JSON: Expecting value"),
        (b'{"a": 1} {"b": 2}', "lines.jsonl:1: not whole JSON: Extra data"),
        (b'{"a": 1}\n"\xe9"', "not UTF-8 text (byte 10)"),
    ],
)
def test_what_is_wrong_in_a_file_of_lines_is_said(tmp_path, content, words):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(words)):
        [*read_list(path)]


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match=r"nowhere\.json cannot be read"):
        [*read_list(Path("nowhere.json"))]
