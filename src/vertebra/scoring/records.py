"""Files in official layouts, read strictly: every complaint names the file and the line or record.

    for line, row in json_lines(path): ...                          {"question_id": 1, "text": "No", ...}
    checked(Question, row, f"{path}:{line}")                        a `Record` with its fields checked

JSON lines end at newline bytes only, because U+2028 and U+0085 are legal inside JSON strings.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from vertebra.errors import DataError


class Record(BaseModel):
    """The fields of an official record that we read; others may be there."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


AnyRecord = TypeVar("AnyRecord", bound=Record)


def _texts(value: object) -> object:
    if not isinstance(value, list):
        return value
    return [said.get("answer") if isinstance(said, dict) else said for said in value]


Annotators = Annotated[list[str], BeforeValidator(_texts), Field(min_length=10, max_length=10)]
"""What the ten annotators of a VQA question said, of `[{"answer": "down", ...}, ...]` or of the texts alone."""


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Line number and object of every line that is not blank. `DataError` for anything but JSON objects in UTF-8."""
    for number, line in enumerate(_bytes(path).split(b"\n"), start=1):
        if line and not line.isspace():
            row = _parse(line, path, number)
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: expected a JSON object, found {type(row).__name__}.")
            yield number, row


def rows(path: Path) -> Iterator[tuple[str, object]]:
    """Place and value of every record of a file that is one JSON list or, named .jsonl, one object a line."""
    if path.suffix == ".jsonl":
        for number, row in json_lines(path):
            yield f"{path}:{number}", row
    else:
        for index, value in enumerate(json_list(path)):
            yield f"{path}: record {index}", value


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of every line that is not blank, without its end. `DataError` for what is not UTF-8."""
    for number, line in enumerate(_bytes(path).split(b"\n"), start=1):
        if line and not line.isspace():
            try:
                yield number, line.removesuffix(b"\r").decode("utf-8")
            except UnicodeDecodeError as error:
                raise _no_text(path, number) from error


def json_mapping(path: Path) -> dict[str, object]:
    """A file that is one JSON object."""
    value = _parse(_bytes(path), path)
    if not isinstance(value, dict):
        raise DataError(f"{path}:1: expected a JSON object, found {type(value).__name__}.")
    return value


def json_list(path: Path) -> list[object]:
    """A file that is one JSON list."""
    value = _parse(_bytes(path), path)
    if not isinstance(value, list):
        raise DataError(f"{path}:1: expected a JSON list, found {type(value).__name__}.")
    return value


def checked(kind: type[AnyRecord], value: object, where: str) -> AnyRecord:
    """The value as a record. `DataError` naming `where` and the field that is missing or of the wrong type."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "record"
        raise DataError(f"{where}: `{field}`: {first['msg']}. Is this the official file?") from error


def annotation(path: Path, name: str) -> Path:
    """The annotation file itself, or the one of this name in the folder given instead."""
    return path if path.is_file() else path / name


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _parse(data: bytes, path: Path, line: int = 1) -> object:
    """The JSON value of bytes that begin on this line of the file."""
    # Three times as fast as json, which takes a little more and can say what is wrong with the rest.
    with suppress(ValueError):
        fast: object = from_json(data)
        return fast
    try:
        value: object = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _no_text(path, line + data.count(b"\n", 0, error.start)) from error
    except json.JSONDecodeError as error:
        where = f"{path}:{line + error.lineno - 1}"
        raise DataError(f"{where}: not valid JSON: {error.msg}, column {error.colno}. Is it cut off?") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}:{line}: not readable JSON: {error}.") from error
    return value


def _no_text(path: Path, line: int) -> DataError:
    return DataError(f"{path}:{line}: not UTF-8 text. Save the file as UTF-8.")
