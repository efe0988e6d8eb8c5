"""A mixture's files gone through once: what they hold, where each record stands, and that nothing is missing.

    Survey(spots=int64[665298, 4], kinds={"images": 624610, "text alone": 40688}, ...).record(17)

Records stay in their files; what is kept of one is where it stands. Records that cannot be used are an error, or below
the mixture's limit are left out, counted and named.
"""

import json
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vertebra.chat.records import Record, record
from vertebra.chat.streaming import read_list
from vertebra.errors import DataError
from vertebra.spec import DataCompat, Json, Mixture

Progress = Callable[[int, int], None]
"""Told how many records are done, and how many there are; may raise what ends the work."""


def unheard(_done: int, _total: int) -> None:
    """Progress that nobody asks for."""


_TICK = 1000
"""Records between two reports."""
_FIXED = frozenset({"images", "text alone"})
"""The kinds that chance has no part in."""

Files = Mapping[str, Set[str]]
"""Names of files by the folder that they lie in, relative to the image folder."""


class Found(NamedTuple):
    """A record read back."""

    fields: Mapping[str, Json]
    """Its JSON."""
    record: Record


@dataclass(frozen=True, slots=True)
class Survey:
    """The records of a mixture that can be used."""

    sources: tuple[Path, ...]
    images: Path
    """The folder that the pictures lie in."""
    compat: frozenset[DataCompat]
    spots: np.ndarray
    """int64[n, 4]: which source, its number there, its first byte, the byte behind its last."""
    kinds: Mapping[str, int]
    """How many there are of each kind, the most frequent first."""
    files: Files
    """The pictures, and what else lies beside them."""
    faults: tuple[str, ...]
    """What is wrong with the records that were left out."""

    def __len__(self) -> int:
        return len(self.spots)

    @property
    def is_fixed(self) -> bool:
        """Whether every record is told in the same words in every epoch and with every seed."""
        return self.kinds.keys() <= _FIXED

    def found(self, index: int) -> Found:
        """One record, read anew. `DataError` when its file is no longer what it was."""
        source, number, start, end = map(int, self.spots[index])
        path = self.sources[source]
        try:
            with path.open("rb") as file:
                file.seek(start)
                fields = json.loads(file.read(end - start))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} was changed while it was being read. Start again when it is whole.") from error
        return Found(fields, record(fields, path, number, self.compat))


def survey(mixture: Mixture, folder: Path, progress: Progress = unheard) -> Survey:
    """All records of a mixture under a data folder, checked.

    `DataError` for a bad record, an image that is not there, or a number of records other than the mixture says.
    """
    sources, compat = tuple(folder / file for file in mixture.records), frozenset(mixture.compat)
    spots, kinds, faults = array("q"), Counter[str](), list[str]()
    files: dict[str, set[str]] = {}
    for place, number, start, end, one in _records(sources, compat):
        if (len(spots) // 4 + len(faults)) % _TICK == 0:
            progress(0, len(spots) // 4)
        if isinstance(one, DataError):
            if mixture.faulty == 0:
                raise one
            faults.append(str(one))
            continue
        spots.extend((place, number, start, end))
        kinds[one.kind] += 1
        for path in (*one.images, *one.beside):
            within, _, name = path.rpartition("/")
            files.setdefault(within, set()).add(name)
    found = Survey(
        sources, folder / mixture.images, compat, np.array(spots, np.int64).reshape(-1, 4),
        dict(kinds.most_common()), files, tuple(faults),
    )  # fmt: skip
    _demand(found, mixture, faults)
    return found


def _records(
    sources: tuple[Path, ...], compat: frozenset[DataCompat]
) -> Iterator[tuple[int, int, int, int, Record | DataError]]:
    for place, path in enumerate(sources):
        for number, entry in enumerate(read_list(path)):
            one: Record | DataError
            try:
                one = record(entry.value, path, number, compat)
            except DataError as error:
                one = error
            yield place, number, entry.start, entry.end, one


def _demand(found: Survey, mixture: Mixture, faults: list[str]) -> None:
    total = len(found) + len(faults)
    if len(faults) > mixture.faulty * total:
        raise DataError(f"{len(faults)} of {total} records of {mixture.name} cannot be used, the first: {faults[0]}")
    if mixture.count is not None and total != mixture.count:
        raise DataError(
            f"The mixture {mixture.name} should hold {mixture.count} records, its files hold {total}: "
            f"{', '.join(map(str, found.sources))}. Another release?"
        )
    if not len(found):
        raise DataError(f"The mixture {mixture.name} holds no records: {', '.join(mixture.records)}.")
    if absent := absent_files(found.images, found.files):
        records = (found.found(index).record for index in range(len(found)))
        lacking = [(one.id, lost) for one in records if (lost := absent.intersection((*one.images, *one.beside)))]
        name, lost = lacking[0]
        raise DataError(
            f"{len(lacking)} of {len(found)} records of the mixture {mixture.name} lack a file, the first is record "
            f"{name}: {found.images / min(lost)}. Fetch the images or take the records out."
        )


def absent_files(images: Path, files: Files) -> set[str]:
    """The paths of those that are not there. A folder is listed once, which is fast where it holds 100,000."""
    absent: set[str] = set()
    for within, names in files.items():
        folder = images / within
        try:
            with os.scandir(folder) as entries:
                there = {entry.name for entry in entries if entry.name in names and entry.is_file()}
        except (OSError, ValueError):  # none that can be listed; its files may be there all the same
            there = set()
        # What a listing does not show is looked for by name: a disk may know several ways of writing one.
        lost = (name for name in names - there if not _is_file(folder / name))
        absent.update(f"{within}/{name}" if within else name for name in lost)
    return absent


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, a folder that may not be entered
        return False
