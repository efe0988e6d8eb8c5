"""How many pictures a second one core marks, for each kind of mark.

Pictures of 640×480 pixels, a region whose outline has 40 points, marks as training draws them, each of its own seed;
kinds take turns, and the median of several rounds counts.
`equal`: for every kind, what is drawn is what Pillow's own `alpha_composite` makes of the same layer.

    bars    150 a second, 60 for the mask contour
"""

import math
import random
import statistics
import time

import numpy as np
from PIL import Image

from bench.measurement import Arm, Measurement
from vertebra.visual.kinds import KINDS
from vertebra.visual.marks import Mark, draw, layer, random_mark
from vertebra.visual.regions import Region, outlined

_SIZE = (640, 480)
_POINTS = 40
_BARS = {**dict.fromkeys(KINDS, 150.0), "mask contour": 60.0}


def measure(small: bool) -> Measurement:
    """Marked pictures a second for each kind; ratios are to its bar."""
    rounds, number = (1, 5) if small else (7, 100)
    picture, region = _picture(), _region()
    rng = random.Random(0)
    marks = {kind: [random_mark(kind, region, "red", rng) for _ in range(number)] for kind in KINDS}
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        for kind, drawn in marks.items():
            begin = time.perf_counter()
            for mark in drawn:
                draw(picture, [mark])
            rates[kind].append(number / (time.perf_counter() - begin))
    usual = {kind: statistics.median(each) for kind, each in rates.items()}
    arms = {kind: Arm(round(rate, 1), "images/s") for kind, rate in usual.items()}
    ratios = {f"{kind}/bar": round(rate / _BARS[kind], 2) for kind, rate in usual.items()}
    missed = [kind for kind in KINDS if usual[kind] < _BARS[kind]]
    equal = all(_is_composite(picture, mark) for drawn in marks.values() for mark in drawn[:5])
    notes = [f"{number} pictures of {_SIZE[0]}×{_SIZE[1]} a kind, median of {rounds} rounds, one process, one thread"]
    return Measurement("marks", arms, ratios, equal, [*notes, f"below their bar: {', '.join(missed) or 'none'}"])


def _picture() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (_SIZE[1], _SIZE[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def _region() -> Region:
    """A wavy oval of 40 points about the middle, a third of the picture wide."""
    turns = [2 * math.pi * at / _POINTS for at in range(_POINTS)]
    reach = [1 + 0.15 * math.sin(5 * turn) for turn in turns]
    return outlined(
        [
            [
                (320 + 110 * far * math.cos(turn), 240 + 90 * far * math.sin(turn))
                for far, turn in zip(reach, turns, strict=True)
            ]
        ]
    )


def _is_composite(picture: Image.Image, mark: Mark) -> bool:
    ink = Image.new("RGBA", picture.size, mark.colour)
    ink.putalpha(layer(mark, picture.size))
    expected = Image.alpha_composite(picture.convert("RGBA"), ink).convert("RGB")
    return np.array_equal(np.asarray(expected), np.asarray(draw(picture, [mark])))
