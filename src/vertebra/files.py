"""Files that a crash at any moment leaves whole: written atomically, or appended to and read with tolerance.

A rewritten file appears by `os.replace` of a synced temporary file in the same folder. A growing file is JSON lines:

    {"question_id": "12", "text": "two dogs"}
    {"question_id": "13", "te

where the torn last line of a killed writer is dropped by the reader and cut off by the next writer. Lines end at
newline bytes only, because U+2028 and U+0085 are legal inside JSON strings.
"""

import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vertebra.errors import DataError, VertebraError
from vertebra.spec import Json

_TAIL = 1 << 16
_STORAGE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG),
}


def write_atomically(path: Path, data: bytes | str) -> None:
    """Replaces a file so that every reader sees the old or the new content, whole, whatever crashes.

    Raises `VertebraError` when the disk is full or the folder may not be written; the old content then stays.
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with temporary.open("wb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)


def append_rows(path: Path, rows: Iterable[Mapping[str, Json]]) -> None:
    """Adds JSON lines to a file, synced before it returns; a torn last line of a killed writer is cut off first.

    Raises `VertebraError` when the disk is full or the file may not be written.
    """
    text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    lines = text.encode(errors="backslashreplace")  # a lone surrogate becomes its JSON escape
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            _cut_torn_line(handle)
            while lines:
                lines = lines[os.write(handle, lines) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            sync(path.parent)


def read_rows(path: Path) -> list[dict[str, Json]]:
    """The rows of a file that `append_rows` wrote; none where there is no file, a torn last line left out.

    Raises `DataError` with the line number for a whole line that is no JSON object.
    """
    try:
        *lines, _torn = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    return [_row(path, number, line) for number, line in enumerate(lines, start=1)]


def sync(path: Path) -> None:
    """Makes a file's bytes, or a folder's names, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turns a full disk or a missing permission into a `VertebraError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) or error from error


def storage_error(error: OSError, path: Path) -> VertebraError | None:
    """The error for people, where it is the disk's and not a bug."""
    if error.errno not in _STORAGE:
        return None
    where = error.filename or path
    return VertebraError(
        f"{where} cannot be written: {os.strerror(error.errno)}. Free space or mend the permissions and give the "
        "same command again; everything finished before is kept."
    )


def _row(path: Path, number: int, line: bytes) -> dict[str, Json]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}:{number}: not JSON. Delete the line, or the file to have it written again.") from error
    if not isinstance(row, dict):
        raise DataError(f"{path}:{number}: expected a JSON object, found {type(row).__name__}.")
    return row


def _cut_torn_line(handle: int) -> None:
    """Truncates to the last newline; only a killed writer leaves anything behind it."""
    end = os.fstat(handle).st_size
    position = end
    while position:
        start = max(0, position - _TAIL)
        newline = os.pread(handle, position - start, start).rfind(b"\n")
        if newline >= 0:
            position = start + newline + 1
            break
        position = start
    if position < end:
        os.ftruncate(handle, position)
