"""The records of a mixture that no training may use, as `vertebra check MIXTURE --exclude` lists them.

    data/few.excluded.json
    {"mixture": "few",
     "of": {"few.json": "9f86d081884c7d65..."},
     "records": [{"file": "few.json", "number": 3, "id": "v7w-4", "why": "4.png is missing. Fetch it."}, ...]}

Records are told by their file and their number in it, from 0, because ids may repeat. `of` holds the SHA-256 of the
mixture's files, so that a list is never applied to others. Its own is in the key of every stage that trains on the
mixture: all arms of a study leave out the same records.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import NonNegativeInt, ValidationError

from vertebra.chat.records import Record
from vertebra.errors import DataError
from vertebra.files import storing, write_atomically
from vertebra.reading import read_text
from vertebra.spec import Mixture, Spec
from vertebra.store import file_digest

Position = tuple[str, int]
"""A record's file, as the mixture names it, and its number in it, from 0."""


class Excluded(NamedTuple):
    """A record that cannot be used."""

    file: str
    number: NonNegativeInt
    id: str
    why: str
    """A sentence; paths in it begin in the data folder, so that a list is the same wherever that lies."""

    @classmethod
    def of(cls, position: Position, record: Record, why: str) -> "Excluded":
        """The record at a place. Half characters, which no UTF-8 file can hold, are spelt out."""
        return cls(*position, _spelled(record.id), _spelled(why))

    @property
    def position(self) -> Position:
        """Where it stands."""
        return self.file, self.number

    def is_of(self, record: Record) -> bool:
        """Whether it may mean this record, by the id."""
        return self.id == _spelled(record.id)

    def __str__(self) -> str:
        """Where it stands and why."""
        return f"{self.file}: record {self.number} (id {self.id}): {self.why}"


Exclusions = Mapping[Position, Excluded]
"""What is excluded, by where it stands."""
Digests = Mapping[str, str]
"""The SHA-256 of each of a mixture's record files, in their order."""


class _List(Spec):
    mixture: str
    of: Digests
    records: tuple[Excluded, ...]


def record_digests(mixture: Mixture, folder: Path) -> Digests:
    """What the record files hold. `DataError` for one that cannot be read."""
    try:
        return {file: file_digest(folder / file) for file in mixture.records}
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from error


def read_exclusions(mixture: Mixture, folder: Path, digests: Digests) -> Exclusions:
    """The records that a data folder excludes of a mixture with these files, in order; none where it has no list.

    `DataError` for a list that cannot be read or was written for other record files.
    """
    path = folder / mixture.exclusion_file
    if not path.is_file():
        return {}
    cure = f"Write it anew with `vertebra check {mixture.name} --data {folder} --exclude`, or delete it."
    try:
        listed = _List.model_validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        about = ": ".join([*map(str, first["loc"]), first["msg"]])
        raise DataError(f"{path} is no list of excluded records: {about}. {cure}") from error
    if listed.of != digests:
        raise DataError(f"{path} was written for other files than {', '.join(mixture.records)} as they are now. {cure}")
    return {each.position: each for each in listed.records}


def write_exclusions(mixture: Mixture, folder: Path, digests: Digests, excluded: Iterable[Excluded]) -> None:
    """Replaces the list of the records that a data folder excludes of a mixture with these files.

    Where there are none, there is no list afterwards. Raises `VertebraError` when the folder may not be written.
    """
    path, records = folder / mixture.exclusion_file, tuple(excluded)
    if not records:
        with storing(path):
            path.unlink(missing_ok=True)
        return
    rows = [each._asdict() for each in records]
    listed = {"mixture": mixture.name, "of": {**digests}, "records": rows}
    write_atomically(path, json.dumps(listed, indent=1, ensure_ascii=False) + "\n")


def demand_found(left: Exclusions) -> None:
    """`DataError` when some excluded records are left that the mixture does not hold."""
    if left:
        stray = next(iter(left.values()))
        raise DataError(
            f"{len(left)} excluded records are not where the list of them says, the first is record {stray.number} of "
            f"{stray.file} (id {stray.id}). Mend the list, or have it written anew by `vertebra check` with --exclude."
        )


def remedy(mixture: Mixture, folder: Path) -> str:
    """What to do about records that cannot be used, as a sentence."""
    return (
        f"`vertebra check {mixture.name} --data {folder} --exclude` leaves out every record that cannot be used. (A "
        "mixture of your own is given by its YAML file.)"
    )


def _spelled(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
