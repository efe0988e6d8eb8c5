"""A model's answers as they come, each under the key of all that decided it; nothing asked twice, nothing lost.

    answers/tiny-llava-1.5--tiny-phi-3--seed0/
    ├── 1-of-1.jsonl     {"answers": {"9f…": "yes", "07…": "two"}, "seconds": 0.81}
    └── 2-of-8.jsonl     of another process

A line holds the answers of one batch, so a batch is there as a whole or not at all, and what is asked together after
a crash is what would have been without it. Each file has one writer, which holds a lock on it; all files are read.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vertebra.errors import DataError, StoreBusy
from vertebra.files import append_rows, read_rows, storing
from vertebra.spec import Json


class Ledger:
    """The answers in a folder, and the one file of it that this process writes."""

    def __init__(self, folder: Path, file: str = "1-of-1") -> None:
        """Reads what is there. `DataError` for a line that is none of ours."""
        self._path = folder / f"{file}.jsonl"
        self.answers: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        """That each took: its share of its batch."""
        for path in sorted(folder.glob("*.jsonl")):
            for number, row in enumerate(read_rows(path), start=1):
                self._take(*_line(row, f"{path}:{number}"))

    def add(self, answers: Mapping[str, str], seconds: float) -> None:
        """Keeps the answers of a batch, which took so long; they are on the disk when this returns."""
        append_rows(self._path, [{"answers": answers, "seconds": round(seconds, 4)}])
        self._take(answers, seconds)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Owns this process's file; `StoreBusy` when another one does."""
        lock = self._path.with_suffix(".lock")
        with storing(lock):
            lock.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise StoreBusy(f"{self._path} is being written by another process. Wait for it, or end it.") from error
        finally:
            os.close(handle)

    def _take(self, answers: Mapping[str, str], seconds: float) -> None:
        self.answers |= answers
        self.seconds |= dict.fromkeys(answers, seconds / max(1, len(answers)))


def _line(row: Mapping[str, Json], where: str) -> tuple[dict[str, str], float]:
    found, seconds = row.get("answers"), row.get("seconds")
    if isinstance(found, dict) and all(isinstance(text, str) for text in found.values()):
        return found, float(seconds) if isinstance(seconds, int | float) else 0.0
    raise DataError(f"{where}: no answers stand here. Delete the line; its questions are asked again.")
