"""Do intervals and tests keep what they promise, and how long do 10,000 resamples take?

    resample    10,000 bootstrap resamples of 14,000 questions, each on its own image; processor seconds
    sign_flip   10,000 exchanges of two models' answers to them, POPE's number of columns
    ci95        of the intervals of single scores, how many hold the truth: accuracy and F1 of 60 to 5,000 questions
    percentile  the same of the percentile bootstrap (400 resamples), where there are at most 300 images
    difference  of the intervals of differences between two models
    familywise  of the studies of four equal models and two benchmarks, how many show any difference after Holm

`equal`: 94 to 96 percent of the intervals hold the truth, at most 5 percent of the studies show what is not there.
"""

import time
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from tests.scoring.studies import accuracy_tables, answers, f1, f1_table

from bench.measurement import Arm, Measurement
from vertebra.scoring.intervals import ci95
from vertebra.scoring.metrics import Table, accuracy, resample
from vertebra.scoring.paired import differences
from vertebra.scoring.signflip import sign_flip
from vertebra.scoring.significance import holm

_SIZES = ((60, 1), (24, 3), (60, 3), (218, 1), (300, 4), (1_000, 1), (5_000, 1))
_SHARES = (0.35, 0.6, 0.75, 0.85, 0.9)
_BAR = 2.0
_STUDIES = 10_000


def measure(small: bool) -> Measurement:
    """10,000 studies of each kind; `small` makes 140."""
    studies = 140 if small else _STUDIES
    seconds, notes = {"resample": _resampling(), "sign_flip": _exchanging()}, [f"{studies:,} studies of each kind"]
    held, ours, percentile = _intervals(studies)
    differing = _differences(studies)
    wrong = _familywise(studies)
    notes += [f"ci95, {images} images of {each}: {share:.1f} % held" for (images, each), share in held.items()]
    notes.append("familywise: 24 to 218 images, each model's F1")
    arms = {name: Arm(round(value, 2), "s") for name, value in seconds.items()}
    shares = {"ci95": ours, "percentile": percentile, "difference": differing, "familywise": wrong}
    arms |= {name: Arm(round(max(value, 0.01), 2), "%") for name, value in shares.items()}
    ratios = {f"{name}/bar": round(_BAR / value, 2) for name, value in seconds.items()}
    rounding = 0 if studies == _STUDIES else 300 * (0.05 * 0.95 / studies) ** 0.5  # of so few: three standard errors
    kept = all(abs(value - 95) <= 1 + rounding for value in (ours, differing)) and wrong <= 5 + rounding
    return Measurement("significance", arms, ratios, kept, notes)


def _resampling() -> float:
    right = np.random.default_rng(0).random(14_000) < 0.7
    table = Table(("right", "all"), np.stack([right, np.ones(14_000)], axis=1).astype(np.float64))
    begin = time.process_time()
    resample(table, 10_000, 0)
    return time.process_time() - begin


def _exchanging() -> float:
    rng = np.random.default_rng(0)
    names = tuple(map(str, range(12)))
    a, b = (Table(names, rng.integers(0, 2, (14_000, 12)).astype(np.float64)) for _ in range(2))
    begin = time.process_time()
    sign_flip(lambda sums: {"last": sums["11"] / (1 + sums["0"])}, a, b)
    return time.process_time() - begin


def _intervals(studies: int) -> tuple[dict[tuple[int, int], float], float, float]:
    """Percent of the truths that are held: by size, over all, and by the percentile bootstrap where images are few."""
    rng = np.random.default_rng(1)
    found: dict[tuple[int, int], list[bool]] = {}
    percentile = []
    for images, each in _SIZES:
        for share, table in _scored(rng, images, each, studies // len(_SIZES)):
            metric = f1 if "tp" in table.names else accuracy
            ((name, (low, high)),) = ci95(metric, table, {}).items()
            found.setdefault((images, each), []).append(low <= 100 * share <= high)
            if images <= 300:
                low, high = np.percentile(metric(resample(table, 400, 0))[name], [2.5, 97.5])
                percentile.append(bool(low <= 100 * share <= high))
    held = {size: 100 * float(np.mean(each)) for size, each in found.items()}
    return held, float(np.mean(list(held.values()))), 100 * float(np.mean(percentile))


def _scored(rng: np.random.Generator, images: int, each: int, studies: int) -> Iterator[tuple[float, Table]]:
    """True accuracy or F1, and a table; an F1 where half of the questions are to be answered by yes."""
    for number in range(studies):
        share = _SHARES[number % len(_SHARES)]
        right = answers(rng, [share], images, each)
        if number // len(_SHARES) % 2:
            yield share, next(accuracy_tables(right))
        else:
            yield share, f1_table(right[0, 0], rng.random((images, each)) < 0.5)


def _differences(studies: int) -> float:
    rng, held = np.random.default_rng(2), []
    for number in range(studies):
        images, each = _SIZES[number % len(_SIZES)]
        share, by = _SHARES[number % len(_SHARES)], (0.0, 0.02, 0.05)[number % 3]
        right = answers(rng, [share, share + by], images, each, alike=(0.5, 0.8)[number % 2])
        a, b = (next(accuracy_tables(right[:, [place]])) for place in range(2))
        low, high = differences(accuracy, [a], [b], flips=16)["accuracy"].ci95
        held.append(low <= 100 * by <= high)
    return 100 * float(np.mean(held))


def _familywise(studies: int) -> float:
    rng, wrong = np.random.default_rng(3), []
    for number in range(studies):
        images, each = _SIZES[number % 4]
        chances = []
        for share in (0.6, 0.85):
            right = answers(rng, [share] * 4, images, each)
            yes = rng.random((images, each)) < 0.5
            tables = [f1_table(model, yes) for model in right[0]]
            chances += [sign_flip(f1, a, b, flips=1_999)["f1"].p for a, b in combinations(tables, 2)]
        wrong.append(min(holm(chances)) <= 0.05)
    return 100 * float(np.mean(wrong))
