"""Where the samples of an optimizer step are worked on: which device, and in which pack of it.

    step 0, two devices, packs of at most 2,048 tokens      device 0: [(7, 31), (4, 90, 2)]  device 1: [(55,), (8, 13)]

A step trains exactly the samples that its recipe says; only their placement is chosen here, so that all packs of a
step are as nearly alike as can be, because the longest decides how long everybody takes. Samples are laid out longest
first, each into the pack that is shortest so far (R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969), for
all steps of an epoch at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Placement:
    """The packs of consecutive optimizer steps."""

    ranks: int
    packs: Numbers
    """int64[steps]: packs of each device in a step."""
    bins: tuple[Numbers, ...]
    """For each step int64[samples]: the pack of each sample, in the step's order; pack p is on device p % ranks."""
    useful: int
    """Tokens of all samples."""
    filled: int
    """Tokens that there would be if all packs that are worked on at the same time were as long as the longest."""

    @property
    def efficiency(self) -> float:
        """Part of the devices' time that goes into samples, padding and waiting for the others counted as lost."""
        return self.useful / max(1, self.filled)

    def of(self, step: int, rank: int) -> list[list[int]]:
        """The packs of a device in a step, as places in the step's list of samples."""
        bins = self.bins[step]
        return [np.flatnonzero(bins == pack * self.ranks + rank).tolist() for pack in range(int(self.packs[step]))]


def place(steps: Sequence[npt.NDArray[np.int32]], ranks: int, pack_tokens: int | None) -> Placement:
    """Places samples given by their lengths in tokens, an array for each step.

    A pack holds at most `pack_tokens` (without a limit: any number of tokens), or in a step with a sample that alone is
    longer, as many as that sample: what memory it takes is taken anyway.
    """
    packs = np.zeros(len(steps), np.int64)
    bins: list[Numbers] = [np.zeros(0, np.int64)] * len(steps)
    filled = 0
    for number, members in _by_packs(steps, ranks, pack_tokens).items():
        while members:
            too_long = []
            for step, (chosen, loads) in zip(
                members, _level([steps[step] for step in members], number * ranks), strict=True
            ):
                if pack_tokens and loads[0] > max(pack_tokens, steps[step].max(initial=0)):
                    too_long.append(step)
                else:
                    packs[step], bins[step] = number, chosen
                    filled += int(loads[::ranks].sum()) * ranks
            members, number = too_long, number + 1
    return Placement(ranks, packs, tuple(bins), sum(int(step.sum()) for step in steps), filled)


def _by_packs(steps: Sequence[npt.NDArray[np.int32]], ranks: int, pack_tokens: int | None) -> dict[int, list[int]]:
    """Steps by the least number of packs that could hold them."""
    found: dict[int, list[int]] = {}
    for step, lengths in enumerate(steps):
        least = -(-int(lengths.sum()) // (ranks * pack_tokens)) if pack_tokens else 1
        found.setdefault(max(1, least), []).append(step)
    return found


def _level(steps: Sequence[npt.NDArray[np.int32]], bins: int) -> Iterator[tuple[Numbers, Numbers]]:
    """For each step the bin of each sample, and the bins' tokens, the fullest first.

    So bins that are worked on at the same time, which are neighbours, are as long as each other.
    """
    most = max(len(lengths) for lengths in steps)
    lengths = np.zeros((len(steps), most), np.int64)
    for row, step in enumerate(steps):
        lengths[row, : len(step)] = step
    order = np.argsort(-lengths, axis=1, kind="stable")
    chosen = np.empty_like(order)
    loads = np.zeros((len(steps), bins), np.int64)
    rows = np.arange(len(steps))
    for place in range(most):
        sample = order[:, place]
        emptiest = loads.argmin(1)
        chosen[rows, sample] = emptiest
        loads[rows, emptiest] += lengths[rows, sample]
    fullest = np.argsort(-loads, axis=1, kind="stable")
    ranking = np.argsort(fullest, axis=1)
    for row, step in enumerate(steps):
        yield ranking[row, chosen[row, : len(step)]], loads[row, fullest[row]]
