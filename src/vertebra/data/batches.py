"""Samples as tensors.

    Batch(ids=int[8, 131], labels=int[8, 131], pixels=float[7, 3, 336, 336], samples=("17", ...))

Each image's placeholder is expanded to as many positions as the tower has patches; samples are padded on the right,
where no position inside a sample looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vertebra.chat import ChatFormat, Supervised
from vertebra.chat.template import IGNORED
from vertebra.data.dataset import Sample
from vertebra.errors import DataError
from vertebra.model import VisionLanguageModel
from vertebra.visual.images import square


class Batch(NamedTuple):
    """What one optimizer step learns from."""

    ids: Tensor
    labels: Tensor
    """The id that a position should have been predicted as, -100 where none."""
    pixels: Tensor | None
    """float[images, 3, H, W], normalised, in the order of their placeholders; None without images."""
    samples: tuple[str, ...]

    @property
    def supervised(self) -> int:
        """Tokens that carry loss."""
        return int((self.labels[:, 1:] != IGNORED).sum())


class Eyes(NamedTuple):
    """How a vision tower wants its pictures."""

    side: int
    """Of the square that it sees, in pixels."""
    mean: Sequence[float]
    std: Sequence[float]
    how: Literal["pad", "crop"]

    @classmethod
    def of(cls, model: VisionLanguageModel, how: Literal["pad", "crop"]) -> "Eyes":
        """A model's eyes, for pictures that become square in this way."""
        images = model.processor.image_processor
        return cls(model.side, images.image_mean, images.image_std, how)

    def pixels(self, images: Sequence[Image.Image]) -> Tensor:
        """RGB images as float[B, 3, side, side], normalised as the checkpoint's image processor does."""
        stacked = np.stack([np.asarray(square(image, self.how, self.side)) for image in images])
        scaled = (torch.from_numpy(stacked) / 255 - torch.tensor(self.mean)) / torch.tensor(self.std)
        return scaled.permute(0, 3, 1, 2).contiguous()


@dataclass(frozen=True, slots=True)
class Collator:
    """Turns samples into a batch for one model."""

    chat: ChatFormat
    image_id: int
    image_tokens: int
    """Positions that an image takes."""
    eyes: Eyes
    max_tokens: int

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """The batch of some samples.

        `DataError` naming a sample that is longer than `max_tokens`, holds a reserved token or has no answer.
        """
        told = [self._supervised(sample) for sample in samples]
        longest = max(len(ids) for ids, _ in told)
        ids = torch.zeros(len(samples), longest, dtype=torch.long)
        labels = torch.full_like(ids, IGNORED)
        for row, (its_ids, its_labels) in enumerate(told):
            ids[row, : len(its_ids)] = torch.tensor(its_ids)
            labels[row, : len(its_labels)] = torch.tensor(its_labels)
        images = [sample.image for sample in samples if sample.image is not None]
        pixels = self.eyes.pixels(images) if images else None
        return Batch(ids, labels, pixels, tuple(sample.id for sample in samples))

    def _supervised(self, sample: Sample) -> Supervised:
        try:
            ids, labels = self.chat.supervise(sample.conversation)
        except DataError as error:
            raise DataError(f"Record {sample.id}: {error}") from error
        expanded = Supervised([], [])
        for token, label in zip(ids, labels, strict=True):
            times = self.image_tokens if token == self.image_id else 1
            expanded.ids.extend([token] * times)
            expanded.labels.extend([label] * times)
        if len(expanded.ids) > self.max_tokens:
            raise DataError(
                f"Record {sample.id} takes {len(expanded.ids)} tokens, the stage allows {self.max_tokens}. "
                "Raise `max_tokens` or shorten the record."
            )
        if all(label == IGNORED for label in expanded.labels):
            raise DataError(f"Record {sample.id} has no answer to learn from.")
        return expanded
