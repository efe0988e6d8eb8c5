"""A mixture opened: records that can be worded and looked at, one by one, in any order.

Wording and marks of a record depend on (seed, epoch, id) alone, so no worker count, order or restart changes them.
Records that cannot be used are an error; below the mixture's limit, or listed as excluded, they are left out, counted
and named.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from vertebra.chat import Conversation
from vertebra.chat.records import Record, sorted_records
from vertebra.chat.regions import Told, Untellable
from vertebra.data.exclusion import Excluded, Position, read_exclusions, remedy, without
from vertebra.errors import DataError
from vertebra.spec import Mixture, digest
from vertebra.visual.images import read_image
from vertebra.visual.marks import Mark, draw
from vertebra.visual.regions import Box

_TRIES = 1000


class Sample(NamedTuple):
    """One record in words and pixels."""

    id: str
    conversation: Conversation
    images: tuple[Image.Image, ...]
    """RGB at their original sizes, marks drawn, in the order of their places in the conversation."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A mixture's records and where their images lie."""

    records: Sequence[Record]
    images: Path
    seed: int
    faults: tuple[str, ...] = ()
    """What is wrong with the records that were left out."""
    remedy: str = ""
    """What helps against a record that cannot be used."""

    def __len__(self) -> int:
        return len(self.records)

    def sample(self, index: int, epoch: int) -> Sample:
        """The record at an index as it is told in an epoch. `DataError` when it or an image cannot be read."""
        record = self.records[index]
        rng = random.Random(digest([self.seed, epoch, record.id]))
        for _ in range(_TRIES):
            try:
                return self._looked_at(record, record.tell(rng, self.images))
            except Untellable:  # as the published code does, when that is wanted
                record = self.records[rng.randrange(len(self.records))]
            except DataError as error:
                raise DataError(f"{error} {self.remedy}") from error
        raise DataError(f"No record was found that can stand for record {record.id}, in {_TRIES} draws.")

    def _looked_at(self, record: Record, told: Told) -> Sample:
        where, seen = f"record {record.id}", record.images[: told.conversation.images]
        images = [read_image(self.images / path, where) for path in seen]
        if images and (lost := beside(told.marks, images[0].size)):
            raise DataError(f"{self.images / seen[0]} ({where}) does not show its region {[*lost]}.")
        return Sample(record.id, told.conversation, tuple(draw(image, told.marks) for image in images))


class Held(NamedTuple):
    """What a mixture's files hold."""

    records: list[tuple[Position, Record]]
    """Those that can be used, each with its place."""
    faults: list[DataError]
    """What is wrong with each of the others."""


def open_mixture(mixture: Mixture, folder: Path, seed: int) -> Dataset:
    """All records of a mixture under a data folder, checked, without those that its list there excludes.

    `DataError` for a bad record, an image that is not there, a number of records other than the mixture says, or a list
    that is not about these records.
    """
    excluded = read_exclusions(mixture, folder)
    held = read_mixture(mixture, folder, excluded)
    records, images = [record for _, record in held.records], folder / mixture.images
    absent = [(record.id, paths[0]) for record in records if (paths := missing(record, images))]
    if absent:
        first, lost = absent[0]
        raise DataError(
            f"{len(absent)} of {len(records)} records of the mixture {mixture.name} lack a file, the first is "
            f"record {first}: {lost}. Fetch the images. {remedy(mixture, folder)}"
        )
    return Dataset(
        records, images, seed, (*map(str, held.faults), *map(str, excluded.values())), remedy(mixture, folder)
    )


def read_mixture(mixture: Mixture, folder: Path, excluded: Mapping[Position, Excluded]) -> Held:
    """The records of a mixture under a data folder, without the excluded ones; no image is looked for.

    `DataError` for more bad records than the mixture bears, or a number of records other than it says.
    """
    records: list[tuple[Position, Record]] = []
    faults: list[DataError] = []
    for file in mixture.records:
        usable, unusable = sorted_records(folder / file, frozenset(mixture.compat))
        records += [((file, number), record) for number, record in usable.items()]
        faults += unusable
    total = len(records) + len(faults)
    if len(faults) > mixture.faulty * total:
        if mixture.faulty == 0:
            raise faults[0]
        raise DataError(f"{len(faults)} of {total} records of {mixture.name} cannot be used, the first: {faults[0]}")
    if mixture.count is not None and total != mixture.count:
        raise DataError(
            f"The mixture {mixture.name} should hold {mixture.count} records, its files hold {total}: "
            f"{', '.join(str(folder / file) for file in mixture.records)}. Another release?"
        )
    records = list(without(records, excluded))
    if not records:
        raise DataError(f"The mixture {mixture.name} holds no records: {', '.join(mixture.records)}.")
    return Held(records, faults)


def missing(record: Record, images: Path) -> list[Path]:
    """The files that a record needs and that are not there."""
    return [images / path for path in (*record.images, *record.beside) if not is_file(images / path)]


def beside(marks: Iterable[Mark], size: tuple[int, int]) -> Box | None:
    """The first marked region of which nothing lies on a picture of this width and height."""
    return next((mark.region.box for mark in marks if mark.region.box.misses(size)), None)


def is_file(path: Path) -> bool:
    """Whether there is a file of this name, however odd the name."""
    try:
        return path.is_file()
    except OSError:  # a name too long, a folder that may not be entered
        return False
