"""How a sample is fitted into the longest that a stage allows: images expanded, the end cut off, the loss counted.

    fit(Supervised([1, 7, 9, 4, 5], [-100, -100, -100, 4, 5]), image=9, image_tokens=3, longest=6)
    -> Fitted(ids=[1, 7, 9, 9, 9, 4], labels=[..., 4], images=1, lost=1)

As the published code, a long conversation loses its last turns; unlike there, what is lost is known. An image is kept
whole or not at all.
"""

from typing import NamedTuple

from vertebra.chat.template import IGNORED, Supervised


class Fitted(NamedTuple):
    """A sample as the model sees it."""

    ids: list[int]
    """Token ids, each image as many as it takes positions."""
    labels: list[int]
    images: int
    """Images that are left, the first of the sample."""
    lost: int
    """Supervised tokens that were cut off."""

    @property
    def teaches(self) -> bool:
        """Whether any supervised token is left."""
        return any(label != IGNORED for label in self.labels)


def fit(sample: Supervised, image: int, image_tokens: int, longest: int) -> Fitted:
    """A sample expanded and cut; `image` is the id that stands for an image, `longest` is in tokens."""
    ids: list[int] = []
    labels: list[int] = []
    images = 0
    for token, label in zip(*sample, strict=True):
        times = image_tokens if token == image else 1
        if len(ids) + times > longest:
            break
        images += token == image
        ids.extend([token] * times)
        labels.extend([label] * times)
    lost = _supervised(sample.labels) - _supervised(labels)
    return Fitted(ids, labels, images, lost)


def _supervised(labels: list[int]) -> int:
    return sum(label != IGNORED for label in labels)
