"""Writing atomically and appending with tolerance, also when the writer is killed or the disk is full."""

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.errors import DataError, VertebraError
from vertebra.files import append_rows, read_rows, write_atomically

APPEND_FOREVER = """
import sys
from pathlib import Path
from vertebra.files import append_rows
number = 0
while True:
    append_rows(Path(sys.argv[1]), [{"n": number + i, "text": "x" * 5000} for i in range(3)])
    number += 3
    print(number, flush=True)
"""


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [{"question_id": "1", "text": "line\u2028separator \x85 新"}, {"question_id": "2", "text": None}]
    append_rows(tmp_path / "rows.jsonl", rows[:1])
    append_rows(tmp_path / "rows.jsonl", rows[1:])
    assert read_rows(tmp_path / "rows.jsonl") == rows


def test_a_file_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "rows.jsonl") == []


def test_a_torn_last_line_is_dropped_and_the_rest_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2}\n{"n": 3, "te')
    assert read_rows(path) == [{"n": 1}, {"n": 2}]


def test_the_next_writer_cuts_a_torn_line_off(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2, "text": "' + b"x" * 200_000)
    append_rows(path, [{"n": 3}])
    assert path.read_bytes() == b'{"n": 1}\n{"n": 3}\n'


def test_a_torn_only_line_leaves_an_empty_file_to_append_to(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n"')
    append_rows(path, [{"n": 3}])
    assert read_rows(path) == [{"n": 3}]


@given(st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text())), st.integers(0))
def test_any_cut_of_the_file_loses_at_most_the_lines_behind_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], cut: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    append_rows(path, rows)  # type: ignore[arg-type]
    whole = path.read_bytes()
    cut %= len(whole) + 1
    path.write_bytes(whole[:cut])
    assert read_rows(path) == rows[: whole[:cut].count(b"\n")]


def test_a_lone_surrogate_is_written_as_valid_utf_8(tmp_path: Path) -> None:
    append_rows(tmp_path / "rows.jsonl", [{"text": "\ud800"}])
    (tmp_path / "rows.jsonl").read_bytes().decode()
    assert read_rows(tmp_path / "rows.jsonl") == [{"text": "\ud800"}]


@pytest.mark.parametrize("line", [b"{oops}", b"[1]", b"\xff", b"", b"[" * 100_000])
def test_a_whole_line_that_is_no_row_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 1}\n' + line + b"\n")
    with pytest.raises(DataError, match=r"rows\.jsonl:2: "):
        read_rows(path)


def test_a_writer_killed_while_it_appends_leaves_all_that_it_reported(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for _ in range(3):
        before = len(read_rows(path))
        process = subprocess.Popen([sys.executable, "-c", APPEND_FOREVER, str(path)], stdout=subprocess.PIPE)
        assert process.stdout
        reported = [int(process.stdout.readline()) for _ in range(20)][-1]
        process.kill()
        process.communicate()
        assert len(read_rows(path)) >= before + reported


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    contents = {bytes([letter]) * 100_000 for letter in b"ab"}
    write_atomically(path, min(contents))
    stop = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        for content in contents:
            write_atomically(path, content)
    stop.set()
    reader.join()
    assert seen <= contents


def test_a_failed_write_leaves_the_old_content_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["state.json"]  # noqa: PTH208


@pytest.mark.parametrize("call", ["write_atomically(path, b'y' * 9000)", "append_rows(path, [{'n': 'y' * 9000}])"])
def test_a_full_disk_is_told_and_what_was_there_stays(tmp_path: Path, call: str) -> None:
    path = tmp_path / "rows.jsonl"
    append_rows(path, [{"n": 1}])
    script = (
        "import sys; from pathlib import Path; from vertebra.errors import VertebraError\n"
        "from vertebra.files import append_rows, write_atomically\n"
        f"path = Path(sys.argv[1])\ntry: {call}\nexcept VertebraError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert "cannot be written: File too large. Free space" in done.stdout
    assert read_rows(path) == [{"n": 1}]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(VertebraError, match="Permission denied"):
        write_atomically(tmp_path / "state.json", "new")


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(VertebraError, match="cannot be written"):
        write_atomically(tmp_path / "store" / "state.json", "new")
