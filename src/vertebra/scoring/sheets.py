"""Excel sheets of one table, as MMBench's server takes them: a row of names, then a row per record.

index | question | A | B | C | D | prediction | answer | split
241   | ...      | cat | dog | | | A          | A      | dev
"""

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from vertebra.errors import DataError

if TYPE_CHECKING:
    from openpyxl import Workbook

MAX_BYTES = 300_000_000
"""Unpacked. The largest official table (6,666 rows) has a hundredth of it."""


def write_sheet(names: Sequence[str], rows: Iterable[Sequence[str | int | None]]) -> bytes:
    """The file. Text stays text ("=1+1" is no formula), without what Excel cannot hold and cut at 32,767 characters."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    for row in ([*names], *rows):
        cells = [WriteOnlyCell(sheet, _plain(value) if isinstance(value, str) else value) for value in row]
        for cell, value in zip(cells, row, strict=True):
            if isinstance(value, str):
                cell.data_type = "s"
        sheet.append(cells)
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def sheet_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Place and cells by name of each row of the first sheet that is not empty.

    `DataError` for what is no such file, is larger than `MAX_BYTES`, or lacks a column that is needed.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's, on styles that do not concern us
        table = _table(path)
    names = ["" if name is None else str(name) for name in table[0]] if table else []
    for name in needed:
        if name not in names:
            raise DataError(f"{path}: row 1 has no column {name!r}, but {[each[:40] for each in names[:20]]}.")
    for number, cells in enumerate(table[1:], start=2):
        if any(cell is not None for cell in cells):
            yield f"{path}: row {number}", dict.fromkeys(names) | dict(zip(names, cells, strict=False))


def _table(path: Path) -> list[tuple[object, ...]]:
    from xml.etree.ElementTree import ParseError

    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = _open(path)
        return [tuple(row) for row in book.worksheets[0].iter_rows(values_only=True)]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (
        *(BadZipFile, zlib.error, InvalidFileException, ParseError, EOFError, NotImplementedError),
        *(KeyError, IndexError, ValueError, TypeError, AttributeError, RuntimeError),
    ) as error:  # openpyxl checks little of what it reads
        raise DataError(f"{path} is not a readable Excel file (.xlsx): {error}. Save it again.") from error


def _open(path: Path) -> "Workbook":
    from openpyxl import load_workbook

    with ZipFile(path) as parts:
        # Python reads no more of a part than it declares here.
        size = sum(part.file_size for part in parts.infolist())
    if size > MAX_BYTES:
        raise DataError(f"{path} unpacks to {size:,} bytes; {MAX_BYTES:,} are allowed. Is it MMBench's upload?")
    return load_workbook(path, read_only=True, data_only=True)


def _plain(text: str) -> str:
    """Without control characters and lone surrogates, which no XML can hold."""
    return _UNSPEAKABLE.sub("", text)


_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
