"""Two questions about two pictures of noise, on which it is seen how a model's processor and its batches behave.

They differ in all that could matter: length of the text, shape and size of the picture.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from vertebra.asking.questions import Decoding, Picture, Question
from vertebra.visual.marks import Mark

_SHORT = "What is this?"
_LONG = (
    "Is there a dog beside the red car, or is it behind the house?\nAnswer the question using a single word or phrase."
)
_SHAPES = {"wide": (340, 701), "tall": (213, 150)}
"""Rows and columns."""


def probes(where: str) -> tuple[Question, Question]:
    """A short question about a wide picture, a long one about a tall one."""
    once = Decoding(1)
    wide, tall = (Picture(Path(name), name) for name in _SHAPES)
    return Question(_SHORT, wide, once, where), Question(_LONG, tall, once, where)


@cache
def shown() -> Mapping[tuple[str, tuple[Mark, ...]], Image.Image]:
    """The pictures, by what is to be seen on them."""
    noise = np.random.default_rng(0)
    return {
        (name, ()): Image.fromarray(noise.integers(0, 256, (*shape, 3), dtype=np.uint8))
        for name, shape in _SHAPES.items()
    }
