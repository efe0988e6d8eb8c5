"""What a stage trains on, step by step: samples, their weights in the loss, and the packs of one device.

    step 17, device 1   Task(epoch=0, samples=(4031, 77, 5), weights=(0.0021, 0.0021, 0.0021))

Samples and weights of a step follow from the recipe alone; devices and packs only say where they are worked on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vertebra.corpus import Corpus
from vertebra.data.packing import Placement, place
from vertebra.data.packs import Pack, Packer
from vertebra.data.sampling import Schedule
from vertebra.errors import DataError


class Task(NamedTuple):
    """A pack to be laid out."""

    epoch: int
    samples: Sequence[int]
    """Indices into the epoch's corpus."""
    weights: Sequence[float]
    """What a supervised token of each counts for in the batch's loss."""


class Content(NamedTuple):
    """What is in the batch of an optimizer step, over all devices."""

    samples: int
    tokens: int
    squares: int
    """Sum of the squared lengths, which attention takes."""
    supervised: int
    images: int


@dataclass(slots=True)
class Course:
    """A stage's samples in the order in which one device of several meets them."""

    corpora: Callable[[int], Corpus]
    """The corpus of an epoch."""
    schedule: Schedule
    packer: Packer
    ranks: int = 1
    rank: int = 0
    pack_tokens: int | None = None
    mean_over: int | None = None
    """Samples whose supervised tokens have one mean, of which the loss is the mean; None for the whole batch."""
    _placed: dict[int, Placement] = field(default_factory=dict)

    def names(self, step: int) -> list[str]:
        """The ids of the samples of a step."""
        epoch, indices = self.schedule.at(step)
        corpus = self.corpora(epoch)
        return [corpus.name(index) for index in indices]

    def content(self, step: int) -> Content:
        """What a step trains, wherever it is worked on."""
        epoch, indices = self.schedule.at(step)
        corpus, chosen = self.corpora(epoch), np.asarray(indices)
        lengths = corpus.lengths[chosen].astype(np.int64)
        supervised, images = int(corpus.supervised[chosen].sum()), int(corpus.images[chosen].sum())
        return Content(len(chosen), int(lengths.sum()), int((lengths**2).sum()), supervised, images)

    def packs(self, step: int) -> int:
        """Packs of each device in a step."""
        epoch, place = self.schedule.place(step)
        return int(self._placement(epoch).packs[place])

    def placement(self) -> Placement:
        """That of the first epoch."""
        return self._placement(0)

    def tasks(self, begin: int) -> Iterator[Task]:
        """This device's packs from a step on."""
        for step in range(begin, self.schedule.steps):
            yield from self.of(step)

    def of(self, step: int) -> list[Task]:
        """This device's packs of a step. `DataError` naming the samples when none of them has an answer left."""
        epoch, place = self.schedule.place(step)
        indices, weights = self._weighted(step)
        packs = self._placement(epoch).of(place, self.rank)
        return [Task(epoch, [indices[at] for at in pack], [weights[at] for at in pack]) for pack in packs]

    def pack(self, task: Task) -> Pack:
        """The tensors of a task. `DataError` naming a sample whose picture cannot be read."""
        corpus = self.corpora(task.epoch)
        return self.packer([corpus.sample(index) for index in task.samples], task.weights)

    def _weighted(self, step: int) -> tuple[list[int], list[float]]:
        """The samples of a step that have answers, and the weight of each of their supervised tokens."""
        epoch, indices = self.schedule.at(step)
        counts = self.corpora(epoch).supervised
        size = self.mean_over or len(indices)
        groups = [indices[start : start + size] for start in range(0, len(indices), size)]
        totals = [int(counts[np.asarray(group)].sum()) for group in groups]
        taught = sum(total > 0 for total in totals)
        if not taught:
            named = ", ".join(self.names(step))
            raise DataError(f"Nothing is to be learnt from the records {named}: no answer of theirs is left.")
        kept = [
            (index, 1 / (taught * total))
            for group, total in zip(groups, totals, strict=True)
            for index in group
            if counts[index]
        ]
        chosen, weights = zip(*kept, strict=True)
        return list(chosen), list(weights)

    def _placement(self, epoch: int) -> Placement:
        if epoch not in self._placed:
            for old in [*self._placed][:-1]:  # two are kept, as there are in use where one epoch meets the next
                del self._placed[old]
            self._placed[epoch] = place(self._lengths(epoch), self.ranks, self.pack_tokens)
        return self._placed[epoch]

    def _lengths(self, epoch: int) -> list[npt.NDArray[np.int32]]:
        corpus = self.corpora(epoch)
        lengths = np.where(corpus.supervised[:] > 0, corpus.lengths, 0)
        batches = [lengths[np.asarray(indices)] for indices in self.schedule.epoch(epoch)]
        return [batch[batch > 0].astype(np.int32) for batch in batches]
