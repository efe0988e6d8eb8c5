"""Samples that a stage's limit cuts short: each is named in the step's log, and too many end the stage.

    {"time": 1732300000.1, "cut": ["17"], "lost": ["23"]}

A sample that is cut loses a part of its answers, one that is lost has none left and teaches nothing.
"""

from collections.abc import Mapping, Sequence

from vertebra.bench import Bench
from vertebra.data import Batch
from vertebra.errors import DataError
from vertebra.files import read_rows
from vertebra.spec import Json

BEARABLE = 0.01
"""Part of a mixture's records that may be lost."""


class Shortened:
    """The names so far, of an earlier part of a resumed stage too."""

    def __init__(self, bench: Bench, records: int) -> None:
        """`records` is how many the mixture has."""
        self._bench = bench
        self._records = records
        log = bench.folder / "log.jsonl"
        rows = list(read_rows(log)) if log.is_file() else []
        self.cut = _names(rows, "cut")
        self.lost = _names(rows, "lost")

    def note(self, batch: Batch) -> None:
        """Names a batch's samples that were too long. `DataError` once more are lost than can be borne."""
        if not (batch.cut or batch.lost):
            return
        self.cut |= {*batch.cut}
        self.lost |= {*batch.lost}
        self._bench.log(cut=batch.cut, lost=batch.lost)
        if len(self.lost) > max(1, BEARABLE * self._records):
            some = ", ".join(sorted(self.lost)[:5])
            raise DataError(
                f"{len(self.lost)} of {self._records} records are so long that no answer of theirs is left, such as "
                f"{some}. Raise the stage's `max_tokens` or take them out."
            )


def _names(rows: Sequence[Mapping[str, Json]], field: str) -> set[str]:
    found: set[str] = set()
    for row in rows:
        names = row.get(field)
        if isinstance(names, list):
            found |= {str(name) for name in names}
    return found
