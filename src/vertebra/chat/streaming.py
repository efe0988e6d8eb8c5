"""A JSON file of records read one by one, however large it is.

    [{"id": "17", ...}, {"id": "18", ...}]     Entry({"id": "17", ...}, start=1, end=213), Entry(...), ...

A training file is one list of up to a million records and gigabytes (`vip-llava_stage2_mix.json` has 2.4); what is held
is a few million characters of it and one record. A file whose name ends in `.jsonl` has a record in each line instead.
"""

import codecs
import json
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from vertebra.errors import DataError
from vertebra.reading import read_text

_CHUNK = 1 << 22
"""Bytes read at once."""
_LONGEST = 1 << 26
"""Characters in which a record must end; in a file that is torn or mistyped none ever does."""
_BLANKS = re.compile(r"[ \t\n\r]*")
_MARKS = frozenset(",]")


class Entry(NamedTuple):
    """What a record's JSON says, and where in the file its bytes stand."""

    value: object
    start: int
    end: int


def read_list(path: Path, chunk: int = _CHUNK) -> Generator[Entry]:
    """The records of a JSON file, `chunk` bytes of it read at once.

    `DataError` with the line where it is not whole JSON, and for anything but a list or text in UTF-8; the records in
    front of it come first.
    """
    try:
        with path.open("rb") as file:
            yield from _lines(path, file) if path.suffix == ".jsonl" else _elements(_Window(path, file, chunk))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def read_json(path: Path) -> object:
    """What a JSON file holds. `DataError` with its line where it is not whole."""
    return _parsed(path, read_text(path))


def _parsed(path: Path, text: str, line: int = 1) -> object:
    """The value of a text that begins in this line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _torn(path, line + error.lineno - 1, error.msg) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error


def _torn(path: Path, line: int, complaint: str) -> DataError:
    return DataError(f"{path}:{line}: not whole JSON: {complaint}. Fetch or write it again.")


def _unreadable(path: Path, error: Exception) -> DataError:
    """Numbers of thousands of digits, lists nested by the thousand."""
    return DataError(f"{path}: its JSON cannot be read: {error}. Fetch or write it again.")


def _lines(path: Path, file: BinaryIO) -> Iterator[Entry]:
    start = 0
    for number, line in enumerate(file, start=1):
        if line.strip():
            yield Entry(_parsed(path, _decoded(path, line.rstrip(b"\r\n"), start), number), start, start + len(line))
        start += len(line)


def _decoded(path: Path, data: bytes, start: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(path, start + error.start) from error


def _not_utf8(path: Path, byte: int) -> DataError:
    return DataError(f"{path} is not UTF-8 text (byte {byte}). Save it as UTF-8.")


def _elements(window: "_Window") -> Iterator[Entry]:
    """Every element of the list that a file is."""
    if window.next() != "[":
        value = read_json(window.path)  # says what is torn
        raise DataError(f"{window.path}: expected a JSON list of records, found {type(value).__name__}.")
    window.move(window.place + 1)
    mark = ","
    if window.next() == "]":
        window.move(window.place + 1)
        mark = "]"
    while mark == ",":
        window.next()
        value, end, after = window.element()
        start = window.byte
        window.move(end)
        yield Entry(value, start, window.byte)
        mark = window.text[after]
        window.move(after + 1)
    if window.next():
        raise window.torn("Extra data", window.place)


class _Window:
    """The part of a file that is looked at; it moves along."""

    def __init__(self, path: Path, file: BinaryIO, chunk: int) -> None:
        self.path = path
        self.text = ""
        self.place = 0
        """Characters of the text that are done with."""
        self.byte = 0
        """Where the place is in the file."""
        self._file, self._chunk = file, chunk
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._parse = json.JSONDecoder().raw_decode
        self._line = 1
        """In which the text begins."""
        self._read = 0
        self._is_all = False

    def move(self, place: int) -> None:
        """On to a later place."""
        passed = self.text[self.place : place]
        self.byte += len(passed) if passed.isascii() else len(passed.encode())
        self.place = place

    def next(self) -> str:
        """Moves to the next character that is no blank; none at the end."""
        while True:
            self.move(self._behind_blanks(self.place))
            if self.place < len(self.text) or self._is_all:
                return self.text[self.place : self.place + 1]
            self._more()

    def element(self) -> tuple[object, int, int]:
        """The value that begins here, where it ends, and where the comma or bracket behind it stands.

        What does not parse may only want more text, and so may a number with nothing behind it.
        """
        while True:
            try:
                value, end = self._parse(self.text, self.place)
                after = self._behind_blanks(end)
                if self.text[after : after + 1] in _MARKS:
                    return value, end, after
                error = self.torn("Expecting ',' delimiter", after)
            except json.JSONDecodeError as found:
                error = self.torn(found.msg, found.pos)
            except (ValueError, RecursionError) as found:
                raise _unreadable(self.path, found) from found
            if self._is_all or len(self.text) - self.place > _LONGEST:
                raise error
            self._more()

    def torn(self, complaint: str, place: int) -> DataError:
        """An error about a place in the text."""
        return _torn(self.path, self._line + self.text.count("\n", 0, place), complaint)

    def _behind_blanks(self, place: int) -> int:
        found = _BLANKS.match(self.text, place)
        assert found, "it matches no blank, too"
        return found.end()

    def _more(self) -> None:
        """Reads on, each time as much again as is waiting, so that a long record is not parsed over and over."""
        data = self._file.read(max(self._chunk, len(self.text) - self.place))
        waiting = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise _not_utf8(self.path, self._read - waiting + error.start) from error
        self._read += len(data)
        self._is_all = not data
        self._line += self.text.count("\n", 0, self.place)
        self.text = self.text[self.place :] + text
        self.place = 0
