"""Samples as tensors: a pack is what goes through a model at a time.

    packed    ids int64[1, 2310]: eight samples in one row, each seeing itself alone, no padding
    padded    ids int64[8, 512]:  one sample a row, filled up on the right, where causal attention never looks

The second is for backbones that cannot keep the samples of a row apart. Either way the same tokens carry the same loss:
`rows` are the states that predict a supervised token, `weights` what each counts for in the batch's loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vertebra.chat.template import IGNORED
from vertebra.corpus import Sample
from vertebra.data.eyes import Eyes
from vertebra.model.attention import Segments


class Pack(NamedTuple):
    """Some samples of an optimizer step."""

    ids: Tensor
    """int64[rows, tokens]; each picture's placeholder stands as often as it has positions."""
    positions: Tensor
    """int64[rows, tokens]: places inside of each sample. Padding counts on: to transformers a restart is packing."""
    segments: Segments | None
    """Where the samples of the one row lie; None where each has a row of its own."""
    rows: Tensor
    """int64[S]: which states of the flattened rows predict a supervised token."""
    targets: Tensor
    """int64[S]: that token."""
    weights: Tensor
    """float32[S]: its part in the batch's loss."""
    squares: Tensor | None
    """uint8[pictures, side, side, 3], in the order of their placeholders."""

    def to(self, device: torch.device) -> "Pack":
        """The same on another device, from pinned memory without waiting."""
        if device.type == "cpu":
            return self
        moved = {
            name: part.pin_memory().to(device, non_blocking=True)
            for name, part in self._asdict().items()
            if isinstance(part, Tensor)
        }
        segments = self.segments and self.segments.to(device)
        return self._replace(**moved, segments=segments)


@dataclass(frozen=True, slots=True)
class Packer:
    """Lays samples into a pack."""

    eyes: Eyes
    packed: bool = True
    grain: int = 1
    """A pack's tokens are filled up to a multiple of this, so that compiled kernels see few lengths."""

    def __call__(self, samples: Sequence[Sample], weights: Sequence[float]) -> Pack:
        """The pack of some samples, a supervised token of each counting for its weight in the loss.

        Without samples, a pack of one token that teaches nothing: devices that work together have packs alike.
        """
        lengths = [len(sample.ids) for sample in samples] or [1]
        width = max(lengths)
        starts = [0, *np.cumsum(lengths)[:-1].tolist()] if self.packed else [row * width for row in range(len(lengths))]
        size = sum(lengths) if self.packed else width * len(lengths)
        filled = -(-size // self.grain) * self.grain if self.packed else size
        ids, positions = np.zeros(filled, np.int64), np.zeros(filled, np.int64)
        rows, targets, counts = [], [], []
        for sample, start in zip(samples, starts, strict=True) if samples else ():
            end = start + len(sample.ids)
            ids[start:end] = sample.ids
            positions[start:end] = np.arange(len(sample.ids))
            predicting = np.flatnonzero(sample.labels[1:] != IGNORED)
            rows.append(predicting + start)
            targets.append(sample.labels[1:][predicting])
            counts.append(len(predicting))
        if not self.packed:
            positions = np.tile(np.arange(width), len(lengths))
        elif filled > size:
            positions[size:] = np.arange(filled - size)
            lengths.append(filled - size)
        shape = (1, filled) if self.packed else (len(lengths), width)
        images = [image for sample in samples for image in sample.images]
        return Pack(
            torch.from_numpy(ids).view(shape),
            torch.from_numpy(positions).view(shape),
            Segments.of(lengths) if self.packed else None,
            torch.from_numpy(np.concatenate([*rows, np.zeros(0, np.int64)])),
            torch.from_numpy(np.concatenate([*targets, np.zeros(0, np.int64)]).astype(np.int64)),
            torch.from_numpy(np.repeat(np.array(weights, np.float32), np.array(counts, np.int64))),
            self.eyes.squares(images) if images else None,
        )
