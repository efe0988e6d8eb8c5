"""A mixture's files gone through once: what they hold, where each record stands, and that nothing is missing.

    Survey(spots=int64[665298, 4], kinds={"images": 624610, "text alone": 40688}, ...).found(17).record

Records stay in their files; what is kept of one is where it stands. Records that cannot be used are an error; below the
mixture's limit, or listed as excluded, they are left out, counted and named.
"""

import json
import os
from array import array
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Set
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from vertebra.chat.records import Record, record
from vertebra.chat.streaming import read_list
from vertebra.corpus.exclusion import Excluded, Exclusions, Position, demand_found, remedy
from vertebra.errors import DataError
from vertebra.spec import Json, Mixture

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

    position: Position
    fields: Mapping[str, Json]
    """Its JSON."""
    record: Record

    @property
    def where(self) -> str:
        """Its file, its number and its id."""
        file, number = self.position
        return f"{file}: record {number} (id {self.record.id})"


@dataclass(frozen=True, slots=True)
class Survey:
    """The records of a mixture that can be used."""

    mixture: Mixture
    folder: Path
    """The data folder."""
    spots: np.ndarray
    """int64[n, 4]: which source, its number there, its first byte, the byte behind its last."""
    kinds: Mapping[str, int]
    """How many there are of each kind, the most frequent first."""
    files: Files
    """The pictures, and what else lies beside them."""
    faults: tuple[str, ...]
    """What is wrong with the malformed records, which were left out."""
    excluded: tuple[Excluded, ...]
    """The records that were left out because they are listed."""

    def __len__(self) -> int:
        return len(self.spots)

    def __iter__(self) -> Iterator[Found]:
        """All records in order, one held at a time."""
        return map(self.found, range(len(self)))

    @property
    def images(self) -> Path:
        """The folder that the pictures lie in."""
        return self.folder / self.mixture.images

    @property
    def is_fixed(self) -> bool:
        """Whether every record is told in the same words in every epoch and with every seed."""
        return self.kinds.keys() <= _FIXED

    def found(self, index: int) -> Found:
        """One record, read anew. `DataError` when its file is no longer what it was."""
        source, number, start, end = map(int, self.spots[index])
        file = self.mixture.records[source]
        path = self.folder / file
        try:
            with path.open("rb") as records:
                records.seek(start)
                fields = json.loads(records.read(end - start))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} was changed while it was being read. Start again when it is whole.") from error
        return Found((file, number), fields, record(fields, path, number, frozenset(self.mixture.compat)))


def survey(
    mixture: Mixture, folder: Path, progress: Progress = unheard, excluded: Exclusions = MappingProxyType({})
) -> Survey:
    """All records of a mixture under a data folder but the excluded ones; every file that they need is there.

    `DataError` for a missing one, and as `survey_records`.
    """
    found = survey_records(mixture, folder, progress, excluded)
    _demand_files(found)
    return found


def survey_records(mixture: Mixture, folder: Path, progress: Progress, excluded: Exclusions) -> Survey:
    """All records of a mixture under a data folder but the excluded ones; no other file is looked for.

    `DataError` for more bad records than the mixture bears, a number of records other than it says, or an excluded
    record that there is not.
    """
    spots, kinds, faults, left = array("q"), Counter[str](), list[str](), dict(excluded)
    files: dict[str, set[str]] = {}
    total = 0
    with closing(_records(mixture, folder)) as records:
        for spot, one in records:
            if total % _TICK == 0:
                progress(0, total)
            total += 1
            position = mixture.records[spot[0]], spot[1]
            if isinstance(one, DataError):
                if mixture.faulty == 0:
                    raise one
                faults.append(str(one))
            elif position in left and left[position].is_of(one):
                del left[position]
            else:
                spots.extend(spot)
                kinds[one.kind] += 1
                for path in one.files:
                    within, _, name = path.rpartition("/")
                    files.setdefault(within, set()).add(name)
    _demand_records(mixture, folder, total, faults)
    demand_found(left)
    if not spots:
        raise DataError(f"The mixture {mixture.name} holds no records that can be used: {', '.join(mixture.records)}.")
    rows = np.array(spots, np.int64).reshape(-1, 4)
    return Survey(
        mixture, folder, rows, dict(kinds.most_common()), files, tuple(faults), tuple(excluded.values())
    )  # fmt: skip


def _records(mixture: Mixture, folder: Path) -> Generator[tuple[tuple[int, int, int, int], Record | DataError]]:
    """Where each stands, as in `Survey.spots`, and the record or what is wrong with it."""
    compat = frozenset(mixture.compat)
    for place, file in enumerate(mixture.records):
        path = folder / file
        for number, entry in enumerate(read_list(path)):
            one: Record | DataError
            try:
                one = record(entry.value, path, number, compat)
            except DataError as error:
                one = error
            yield (place, number, entry.start, entry.end), one


def _demand_records(mixture: Mixture, folder: Path, total: int, faults: list[str]) -> None:
    if len(faults) > mixture.faulty * total:
        raise DataError(f"{len(faults)} of {total} records of {mixture.name} cannot be used, the first: {faults[0]}")
    if mixture.count is not None and total != mixture.count:
        raise DataError(
            f"The mixture {mixture.name} should hold {mixture.count} records, its files hold {total}: "
            f"{', '.join(str(folder / file) for file in mixture.records)}. Another release?"
        )


def _demand_files(found: Survey) -> None:
    absent = absent_files(found.images, found.files)
    if not absent:
        return
    lacking = ((one.where, min(lost)) for one in found if (lost := absent.intersection(one.record.files)))
    where, first = next(lacking)
    number = 1 + sum(1 for _ in lacking)
    raise DataError(
        f"{number} of {len(found)} records of the mixture {found.mixture.name} lack a file, the first is {where}: "
        f"{found.images / first}. Fetch what is missing, or leave the records out: "
        f"{remedy(found.mixture, found.folder)}"
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
        lost = (name for name in names - there if not is_file(folder / name))
        absent.update(f"{within}/{name}" if within else name for name in lost)
    return absent


def is_file(path: Path) -> bool:
    """Whether there is a file of this name, however odd the name."""
    try:
        return path.is_file()
    except OSError:  # a name too long, a folder that may not be entered
        return False
