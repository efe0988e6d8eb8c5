"""A mixture opened: records that can be worded and looked at, one by one, in any order.

Wording and marks of a record depend on (seed, epoch, id) alone, so no worker count, order or restart changes them.
Records that cannot be used are an error, or below the mixture's limit are left out, counted and named.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from vertebra.chat import Conversation
from vertebra.chat.records import Record
from vertebra.chat.regions import Told, Untellable
from vertebra.data.survey import survey
from vertebra.errors import DataError
from vertebra.spec import Mixture, digest
from vertebra.visual.images import read_image
from vertebra.visual.marks import draw

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

    def __len__(self) -> int:
        return len(self.records)

    def sample(self, index: int, epoch: int) -> Sample:
        """The record at an index as it is told in an epoch. `DataError` when an image cannot be read."""
        record = self.records[index]
        rng = random.Random(digest([self.seed, epoch, record.id]))
        for _ in range(_TRIES):
            try:
                return self._looked_at(record, record.tell(rng, self.images))
            except Untellable:  # as the published code does, when that is wanted
                record = self.records[rng.randrange(len(self.records))]
        raise DataError(f"No record was found that can stand for record {record.id}, in {_TRIES} draws.")

    def _looked_at(self, record: Record, told: Told) -> Sample:
        where, seen = f"record {record.id}", record.images[: told.conversation.images]
        images = [read_image(self.images / path, where) for path in seen]
        for mark in told.marks:
            if mark.region.box.misses(images[0].size):
                raise DataError(f"{self.images / seen[0]} ({where}) does not show its region {[*mark.region.box]}.")
        return Sample(record.id, told.conversation, tuple(draw(image, told.marks) for image in images))


def open_mixture(mixture: Mixture, folder: Path, seed: int) -> Dataset:
    """All records of a mixture under a data folder, checked.

    `DataError` for a bad record, an image that is not there, or a number of records other than the mixture says.
    """
    found = survey(mixture, folder)
    records = [found.found(index).record for index in range(len(found))]
    return Dataset(records, found.images, seed, found.faults)
