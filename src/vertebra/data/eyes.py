"""Pictures as a vision tower wants them: square bytes until they are on the tower's device, normalised there.

    uint8[B, 336, 336, 3]  ->  float[B, 3, 336, 336]

A quarter of the bytes travel, and the numbers are bit for bit those of transformers' image processors: a byte is scaled
in double precision and rounded to single, the mean taken off and the rest divided by the spread in single. What becomes
of each of the 256 values is a table, which is the same on every device.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vertebra.model import VisionLanguageModel
from vertebra.visual.images import square


class Eyes(NamedTuple):
    """How a vision tower wants its pictures."""

    side: int
    """Of the square that it sees, in pixels."""
    scale: float
    """That a byte is multiplied by."""
    mean: Sequence[float]
    std: Sequence[float]
    how: Literal["pad", "crop"]

    @classmethod
    def of(cls, model: VisionLanguageModel, how: Literal["pad", "crop"]) -> "Eyes":
        """A model's eyes, for pictures that become square in this way."""
        images = model.processor.image_processor
        return cls(model.side, images.rescale_factor, images.image_mean, images.image_std, how)

    def squares(self, images: Sequence[Image.Image]) -> Tensor:
        """RGB images as uint8[B, side, side, 3]."""
        return torch.from_numpy(np.stack([np.asarray(square(image, self.how, self.side)) for image in images]))

    def normalised(self, squares: Tensor) -> Tensor:
        """Squares as float[B, 3, side, side], on the device that they are on."""
        planes = squares.permute(3, 0, 1, 2).int().unbind()
        levels = self._levels().to(squares.device).unbind()
        seen = [level.index_select(0, plane.flatten()) for level, plane in zip(levels, planes, strict=True)]
        return torch.stack([one.view(planes[0].shape) for one in seen], 1)

    def pixels(self, images: Sequence[Image.Image]) -> Tensor:
        """RGB images as float[B, 3, side, side]."""
        return self.normalised(self.squares(images))

    def _levels(self) -> Tensor:
        """float[3, 256]: what each value of a byte becomes in each channel."""
        scaled = torch.arange(256, dtype=torch.float64).mul(self.scale).float()
        mean, std = (torch.tensor([*of]).view(3, 1) for of in (self.mean, self.std))
        return (scaled - mean) / std
