"""Which records an optimizer step sees: decided by the seed and the step's number, for all devices together.

The order of an epoch is one permutation, cut into global batches; how many devices share a batch changes nothing, and
any step can be reached without walking through those before it.

`by_modality` is the order of the published `group_by_modality_length`: batches of pictures or of text alone, each
sorted by length and dealt out into micro-batches of like length.
https://github.com/haotian-liu/LLaVA/blob/main/llava/train/llava_trainer.py
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Modality:
    """What the published sampler orders records by."""

    words: tuple[int, ...]
    """Of each record, negative for text alone."""
    micro_batch: int
    """Samples of a device that go through the model at a time."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The order of `samples` records over `epochs` in global batches of `batch`."""

    samples: int
    batch: int
    epochs: float
    seed: int
    modality: Modality | None = None
    """How the order is the published one by modality; else it is any permutation."""
    _orders: dict[int, list[int]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def steps(self) -> int:
        """Optimizer steps in all; the last batch of an epoch may be small, as in the published training."""
        return max(1, round(self.epochs * self._per_epoch))

    @property
    def _per_epoch(self) -> int:
        return math.ceil(self.samples / self.batch)

    def place(self, step: int) -> tuple[int, int]:
        """A step's epoch, and its place in it."""
        return divmod(step, self._per_epoch)

    def at(self, step: int) -> tuple[int, Sequence[int]]:
        """Epoch and record indices of a step."""
        epoch, place = self.place(step)
        return epoch, self._order(epoch)[place * self.batch : (place + 1) * self.batch]

    def epoch(self, epoch: int) -> Iterator[Sequence[int]]:
        """The record indices of each step of an epoch."""
        order = self._order(epoch)
        for start in range(0, self.samples, self.batch):
            yield order[start : start + self.batch]

    def _order(self, epoch: int) -> list[int]:
        if epoch not in self._orders:
            for old in [*self._orders][:-1]:  # two are kept: at the end of an epoch, packs of the next are laid out
                del self._orders[old]
            self._orders[epoch] = self._shuffled(random.Random(f"{self.seed}/{epoch}"))
        return self._orders[epoch]

    def _shuffled(self, rng: random.Random) -> list[int]:
        if self.modality:
            return by_modality(self.modality, self.batch, rng)
        order = list(range(self.samples))
        rng.shuffle(order)
        return order


def by_modality(modality: Modality, batch: int, rng: random.Random) -> list[int]:
    """The published order: batches of one modality in any order; what is left of both comes last, sorted.

    Where all records are text alone their lengths stay negative, as there: the shortest comes first.
    """
    seen = [index for index, words in enumerate(modality.words) if words > 0]
    read = [index for index, words in enumerate(modality.words) if words <= 0]
    parts = batch // modality.micro_batch
    if not seen or not read:
        return [index for group in _grouped(seen or read, modality.words, batch, parts, rng) for index in group]
    lengths = [abs(words) for words in modality.words]
    *pictures, rest = _grouped(seen, lengths, batch, parts, rng)
    *texts, more = _grouped(read, lengths, batch, parts, rng)
    groups = [*pictures, *texts]
    rng.shuffle(groups)
    return [index for group in (*groups, sorted([*rest, *more])) for index in group]


def _grouped(
    indices: Sequence[int], lengths: Sequence[int], batch: int, parts: int, rng: random.Random
) -> list[list[int]]:
    """Batches of records in any order; in each, micro-batches of like sums of lengths, one behind the other."""
    shuffled = [*indices]
    rng.shuffle(shuffled)
    return [_dealt(shuffled[start : start + batch], lengths, parts) for start in range(0, len(shuffled), batch)]


def _dealt(group: Sequence[int], lengths: Sequence[int], parts: int) -> list[int]:
    """Longest first, each to the part with the least in it that is not full; an uneven group is dealt in turn."""
    ordered = sorted(group, key=lengths.__getitem__, reverse=True)
    if len(ordered) % parts:
        return [index for part in range(parts) for index in ordered[part::parts]]
    chunks: list[list[int]] = [[] for _ in range(parts)]
    loads = [0.0] * parts
    for index in ordered:
        least = loads.index(min(loads))
        chunks[least].append(index)
        loads[least] = math.inf if len(chunks[least]) == len(ordered) // parts else loads[least] + lengths[index]
    return [index for chunk in chunks for index in chunk]
