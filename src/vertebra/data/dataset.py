"""A mixture opened: records that can be worded and looked at, one by one, in any order.

Wording and marks of a record depend on (seed, epoch, id) alone, so no worker count, order or restart changes them.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from vertebra.chat import Conversation
from vertebra.chat.records import Record, read_records
from vertebra.errors import DataError
from vertebra.spec import Mixture, digest
from vertebra.visual.images import read_image
from vertebra.visual.marks import draw


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

    def __len__(self) -> int:
        return len(self.records)

    def sample(self, index: int, epoch: int) -> Sample:
        """The record at an index as it is told in an epoch. `DataError` when an image cannot be read."""
        record = self.records[index]
        rng = random.Random(digest([self.seed, epoch, record.id]))
        images = [read_image(self.images / path, where=f"record {record.id}") for path in record.images]
        told = record.tell(rng, images[0].size if images else (0, 0))
        assert len(images) == 1 or not told.marks, record.id
        return Sample(record.id, told.conversation, tuple(draw(image, told.marks) for image in images))


def open_mixture(mixture: Mixture, folder: Path, seed: int) -> Dataset:
    """All records of a mixture under a data folder, checked.

    `DataError` for a bad record, an image that is not there, or a number of records other than the mixture says.
    """
    records = [record for file in mixture.records for record in read_records(folder / file)]
    if mixture.count is not None and len(records) != mixture.count:
        raise DataError(
            f"The mixture {mixture.name} should hold {mixture.count} records, its files hold {len(records)}: "
            f"{', '.join(str(folder / file) for file in mixture.records)}. Another release?"
        )
    if not records:
        raise DataError(f"The mixture {mixture.name} holds no records: {', '.join(mixture.records)}.")
    images = folder / mixture.images
    absent = [
        (record.id, lost)
        for record in records
        if (lost := [path for path in record.images if not _is_file(images / path)])
    ]
    if absent:
        first, lost = absent[0]
        raise DataError(
            f"{len(absent)} of {len(records)} records of the mixture {mixture.name} have no image file, the first is "
            f"record {first}: {images / lost[0]}. Fetch the images or take the records out."
        )
    return Dataset(records, images, seed)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, a folder that may not be entered
        return False
