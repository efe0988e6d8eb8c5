"""Pictures a second from JPEG file to normalised tensor, beside transformers' `LlavaImageProcessorPil`, same pixels.

    hf_pil    decoded, then the processor: padded to a square, scaled, normalised
    ours      decoded and squared to bytes as training does in its threads, normalised as it does on the device

Photographs of 640×480 and 480×640 are drawn: smooth shapes with a little noise. One thread, the arms take turns,
processor time.
"""

import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from bench._mixture import CLIP
from bench.measurement import Arm, Measurement
from vertebra.data import Eyes
from vertebra.visual.images import read_image

_SIDE = 336


def measure(small: bool) -> Measurement:
    """Pictures a second, the median over rounds."""
    pictures, rounds = (4, 2) if small else (48, 7)
    torch.set_num_threads(1)
    processor = LlavaImageProcessorPil(
        do_pad=True, size={"shortest_edge": _SIDE}, crop_size={"height": _SIDE, "width": _SIDE},
        image_mean=CLIP["mean"], image_std=CLIP["std"],
    )  # fmt: skip
    eyes = Eyes(_SIDE, 1 / 255, CLIP["mean"], CLIP["std"], "pad")
    arms: dict[str, Callable[[Path], Tensor]] = {
        "ours": lambda path: eyes.pixels([read_image(path)]),
        "hf_pil": lambda path: processor(Image.open(path).convert("RGB"), return_tensors="pt")["pixel_values"],
    }
    with TemporaryDirectory(prefix="vertebra-bench-") as folder:
        paths = _photographs(Path(folder), pictures)
        equal = all(torch.equal(arms["ours"](path), arms["hf_pil"](path)) for path in paths)
        speeds: dict[str, list[float]] = {name: [] for name in arms}
        for _ in range(rounds):
            for name, pipeline in arms.items():
                speeds[name].append(_speed(pipeline, paths))
    value = {name: median(measured) for name, measured in speeds.items()}
    return Measurement(
        "images",
        {name: Arm(round(speed, 1), "pictures/s") for name, speed in value.items()},
        {"ours/hf_pil": round(value["ours"] / value["hf_pil"], 3)},
        equal,
        [f"{pictures} pictures, {rounds} rounds, one thread; equal: bit for bit."],
    )


def _speed(pipeline: Callable[[Path], Tensor], paths: Sequence[Path]) -> float:
    began = time.process_time()
    for path in paths:
        pipeline(path)
    return len(paths) / (time.process_time() - began)


def _photographs(folder: Path, number: int) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = []
    for index in range(number):
        size = (640, 480) if index % 2 else (480, 640)
        shapes = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        noisy = np.asarray(shapes.filter(ImageFilter.SMOOTH)).astype(int) + rng.integers(-9, 10, (*size[::-1], 3))
        encoded = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(encoded, "JPEG", quality=90)
        paths.append(folder / f"{index}.jpg")
        paths[-1].write_bytes(encoded.getvalue())
    return paths
