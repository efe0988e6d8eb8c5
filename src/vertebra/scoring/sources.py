"""Where a benchmark's files come from, as data, and how rows of a hub dataset become the official files.

    Source(Files(("liuhaotian/llava-bench-in-the-wild",), ("questions.jsonl", "images/*")))
    Source(Rows(("lmms-lab-encoder/GQA", "lmms-lab/GQA"), (Table("testdev", "testdev_balanced_images"), ...), lay_out))

There is one reader per benchmark, that of the official layout, so that the samples are the same wherever the files
come from: the rows of a hub dataset are laid out as those files once, by `vertebra fetch`. Nothing here reaches for a
network.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from vertebra.errors import DataError
from vertebra.files import write_atomically

Row = Mapping[str, object]
"""A dataset's row; a picture is {"bytes": ..., "path": ...}, not decoded."""
LayOut = Callable[..., None]
"""Writes the official files and pictures: (folder, rows of the first table, rows of the second, ...)."""


@dataclass(frozen=True, slots=True)
class Release:
    """What the files of a release hold, so that a folder can be told from another one."""

    name: str
    questions: int
    images: int | None = None
    """Different pictures that the questions are on, where the number is known."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Digests of official annotation files."""


@dataclass(frozen=True, slots=True)
class Web:
    """A file on a web server."""

    url: str
    path: str
    """Where it goes, relative to the benchmark's folder."""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a dataset repository on the Hugging Face hub that are the official ones."""

    names: tuple[str, ...]
    """The repository's names, best first."""
    patterns: tuple[str, ...]
    unzip: Mapping[str, str] | None = None
    """Archive -> the folder that its files go to; a leading folder of that name in the archive counts as it."""


class Table(NamedTuple):
    """A split of a hub dataset."""

    split: str
    config: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """A hub dataset whose rows are laid out as the official files."""

    names: tuple[str, ...]
    tables: tuple[Table, ...]
    lay_out: LayOut


Part = Web | Files | Rows


@dataclass(frozen=True, slots=True)
class Source:
    """One way to a benchmark's folder: parts that are fetched in this order."""

    parts: tuple[Part, ...]
    lacks: str = ""
    """What has to be put there by hand."""


def sums(name: str) -> Mapping[str, str]:
    """The digests of official annotation files in `reference/sha256/NAME.txt`, which `sha256sum --check` reads too."""
    text = files("vertebra").joinpath("reference", "sha256", f"{name}.txt").read_text("utf-8")
    return {file: digest for digest, _, file in (line.partition("  ") for line in text.splitlines())}


def lmms_lab(name: str) -> tuple[str, str]:
    """The two names of a dataset that lmms-eval moved in July 2026."""
    return f"lmms-lab-encoder/{name}", f"lmms-lab/{name}"


def save_picture(folder: Path, name: str, cell: object) -> None:
    """Writes a row's picture to a file of this name, byte by byte; one that is there is left alone.

    `DataError` for a name that leads out of the folder and for a cell without bytes.
    """
    target = folder / plain(name)
    if target.exists():
        return
    data = cell.get("bytes") if isinstance(cell, Mapping) else None
    if not isinstance(data, bytes) or not data:
        raise DataError(f"The row of {name} has no picture. Is the dataset whole? Fetch it again.")
    write_atomically(target, data)


def plain(name: object) -> str:
    """The name of a file in one folder. `DataError` for anything else."""
    text = str(name)
    if text in ("", ".", "..") or {"/", "\\", "\0"} & set(text):
        raise DataError(f"A row of the dataset names the picture {text[:80]!r}, which is no plain file name.")
    return text


def without(row: Row, *columns: str) -> dict[str, object]:
    """The row's other columns."""
    return {column: value for column, value in row.items() if column not in columns}


def write_json(path: Path, value: object) -> None:
    """One JSON document."""
    write_atomically(path, json.dumps(value, ensure_ascii=False, default=str))


def write_lines(path: Path, rows: Iterable[Row]) -> None:
    """A JSON object a line."""
    write_atomically(path, "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows))
