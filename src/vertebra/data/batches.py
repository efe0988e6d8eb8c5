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
from torch.nn.utils.rnn import pad_sequence

from vertebra.chat import ChatFormat
from vertebra.chat.fitting import Fitted, fit
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
    cut: tuple[str, ...] = ()
    """Those that were too long and lost a part of their answers."""
    lost: tuple[str, ...] = ()
    """Those that were too long and lost every answer; they take no row."""

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
        """The batch of some samples; what a sample is longer than `max_tokens` is cut off its end.

        `DataError` naming a sample that holds a reserved token or has no answer, and when no answer is left at all.
        """
        fitted = [self._fitted(sample) for sample in samples]
        pairs = [pair for pair in zip(samples, fitted, strict=True) if pair[1].teaches]
        if not pairs:
            raise DataError(
                f"Nothing is left to learn from of the records {', '.join(sample.id for sample in samples)}: cut to "
                f"{self.max_tokens} tokens, they have no answer. Raise `max_tokens` or shorten them."
            )
        ids = pad_sequence([torch.tensor(each.ids) for _, each in pairs], batch_first=True)
        labels = pad_sequence([torch.tensor(each.labels) for _, each in pairs], batch_first=True, padding_value=IGNORED)
        images = [image for sample, each in pairs for image in sample.images[: each.images]]
        return Batch(
            ids,
            labels,
            self.eyes.pixels(images) if images else None,
            tuple(sample.id for sample, _ in pairs),
            cut=tuple(sample.id for sample, each in pairs if each.lost),
            lost=tuple(sample.id for sample, each in zip(samples, fitted, strict=True) if not each.teaches),
        )

    def _fitted(self, sample: Sample) -> Fitted:
        try:
            told = self.chat.supervise(sample.conversation)
        except DataError as error:
            raise DataError(f"Record {sample.id}: {error}") from error
        if all(label == IGNORED for label in told.labels):
            raise DataError(f"Record {sample.id} has no answer to learn from.")
        return fit(told, self.image_id, self.image_tokens, self.max_tokens)
