"""Which records an optimizer step sees: decided by the seed and the step's number, for all devices together.

The order of an epoch is one permutation, cut into global batches; how many devices share a batch changes nothing, and
any step can be reached without walking through those before it.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Schedule:
    """The order of `samples` records over `epochs` in global batches of `batch`."""

    samples: int
    batch: int
    epochs: float
    seed: int

    @property
    def steps(self) -> int:
        """Optimizer steps in all; the last batch of an epoch may be small, as in the published training."""
        return max(1, round(self.epochs * self._per_epoch))

    @property
    def _per_epoch(self) -> int:
        return math.ceil(self.samples / self.batch)

    def at(self, step: int) -> tuple[int, Sequence[int]]:
        """Epoch and record indices of a step."""
        epoch, place = divmod(step, self._per_epoch)
        order = _order(self.samples, self.seed, epoch)
        return epoch, order[place * self.batch : (place + 1) * self.batch]


@lru_cache(maxsize=2)
def _order(samples: int, seed: int, epoch: int) -> list[int]:
    order = list(range(samples))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return order
