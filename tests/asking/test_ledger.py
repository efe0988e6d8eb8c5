"""Answers as they come: what a crash or a stranger leaves in the folder."""

import json
import multiprocessing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertebra.asking.ledger import Ledger
from vertebra.errors import DataError, StoreBusy


def test_what_was_added_is_read_again(tmp_path):
    first = Ledger(tmp_path)
    first.add({"a": "yes", "b": "naïve \u2028 \ud800"}, 2.0)
    first.add({"c": ""}, 1.0)
    again = Ledger(tmp_path)
    assert again.answers == first.answers == {"a": "yes", "b": "naïve \u2028 \ud800", "c": ""}
    assert again.seconds == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_files_of_all_processes_are_read_and_ones_own_is_written(tmp_path):
    Ledger(tmp_path, "1-of-2").add({"a": "yes"}, 1.0)
    second = Ledger(tmp_path, "2-of-2")
    assert second.answers == {"a": "yes"}
    second.add({"b": "no"}, 1.0)
    assert json.loads((tmp_path / "2-of-2.jsonl").read_text()) == {"answers": {"b": "no"}, "seconds": 1.0}
    assert Ledger(tmp_path).answers == {"a": "yes", "b": "no"}


@settings(max_examples=60)
@given(cut=st.integers(0, 400))
def test_however_a_file_is_cut_off_batches_are_there_as_a_whole_or_not_at_all(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("ledger")
    batches = [{f"{number}{key}": "x" * number for key in "abc"} for number in range(6)]
    ledger = Ledger(folder)
    for batch in batches:
        ledger.add(batch, 1.0)
    file = folder / "1-of-1.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:cut])
    left = Ledger(folder)
    number = whole[:cut].count(b"\n")
    assert left.answers == {key: text for batch in batches[:number] for key, text in batch.items()}
    for batch in batches[number:]:
        left.add(batch, 1.0)
    assert file.read_bytes() == whole


@pytest.mark.parametrize("line", ['{"text": "yes"}', '{"answers": ["yes"]}', '{"answers": {"a": 1}}', "[]", "{"])
def test_a_line_that_is_none_of_ours_is_named(tmp_path, line):
    (tmp_path / "1-of-1.jsonl").write_text('{"answers": {}, "seconds": 1}\n' + line + "\n")
    with pytest.raises(DataError, match=r"1-of-1\.jsonl:2: "):
        Ledger(tmp_path)


def test_nothing_is_there_before_anything_is_written(tmp_path):
    assert Ledger(tmp_path / "none").answers == {}
    assert not (tmp_path / "none").exists()


def hold(folder, file, held, over):
    with Ledger(folder, file).writing():
        held.set()
        over.wait(30)


def test_a_file_has_one_writer_until_that_is_gone(tmp_path):
    context = multiprocessing.get_context("fork")
    held, over = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, "1-of-2", held, over))
    other.start()
    assert held.wait(30)
    with (
        pytest.raises(StoreBusy, match=r"1-of-2\.jsonl is being written by another process"),
        Ledger(tmp_path, "1-of-2").writing(),
    ):
        pass
    with Ledger(tmp_path, "2-of-2").writing():
        pass
    other.kill()
    other.join()
    with Ledger(tmp_path, "1-of-2").writing():
        pass
