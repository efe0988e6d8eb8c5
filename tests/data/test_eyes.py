"""Pictures as a tower sees them, against the image processor that travels with a checkpoint."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from tests.anatomy import assembled
from torch import Tensor

from vertebra.data import Eyes
from vertebra.model import VisionLanguageModel

WAYS = ("pad", "crop")


@pytest.fixture(scope="module")
def model() -> VisionLanguageModel:
    return assembled("llava", "vicuna-s")


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def every_value(side: int) -> Image.Image:
    """A square that is not scaled; each channel holds each value of a byte."""
    values = np.arange(side * side * 3).reshape(side, side, 3) % 257 % 256
    return Image.fromarray(values.astype(np.uint8))


def processed(model: VisionLanguageModel, images: Sequence[Image.Image], how: str) -> Tensor:
    """What the checkpoint's own processor makes of pictures."""
    found = model.processor.image_processor(images=[*images], return_tensors="pt", do_pad=how == "pad")
    pixels: Tensor = found["pixel_values"]
    return pixels


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("size", [(300, 90), (90, 300), (112, 112), (41, 40), (640, 480), (3, 200), (1, 1)])
def test_pixels_are_bit_for_bit_those_of_the_checkpoints_image_processor(model, size, how):
    pixels = Eyes.of(model, how).pixels([noise(*size)])
    assert pixels.dtype == torch.float32
    assert torch.equal(pixels, processed(model, [noise(*size)], how))


@pytest.mark.parametrize("how", WAYS)
def test_every_value_of_a_byte_becomes_what_the_image_processor_makes_of_it(model, how):
    image = every_value(model.side)
    assert [len(np.unique(channel)) for channel in np.asarray(image).reshape(-1, 3).T] == [256] * 3
    assert torch.equal(Eyes.of(model, how).pixels([image]), processed(model, [image], how))


def test_pictures_of_any_sizes_keep_their_order(model):
    images = [noise(30, 90), every_value(model.side), noise(200, 20)]
    assert torch.equal(Eyes.of(model, "pad").pixels(images), processed(model, images, "pad"))


def test_squares_are_bytes_and_what_is_made_of_them_lies_plane_by_plane(model):
    eyes = Eyes.of(model, "pad")
    squares = eyes.squares([noise(30, 90)] * 2)
    assert (squares.dtype, squares.shape) == (torch.uint8, (2, 112, 112, 3))
    pixels = eyes.normalised(squares)
    assert pixels.shape == (2, 3, 112, 112)
    assert pixels.is_contiguous()


def test_a_checkpoint_that_scales_and_centres_otherwise_is_followed(model):
    eyes = Eyes(4, 1 / 127.5, (1.0, 0.0, 0.5), (1.0, 2.0, 0.25), "pad")
    pixels = eyes.pixels([Image.new("RGB", (4, 4), (255, 0, 51))])
    assert pixels[0, :, 0, 0].tolist() == pytest.approx([1, 0, -0.4], abs=1e-6)
