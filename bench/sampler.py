"""How much of eight devices' time goes into samples: ours beside the published sampler.

    ours         the recipe's batches of 128, packed and spread evenly over the devices
    published    `group_by_modality_length`: batches of 128 of one modality, dealt out to devices in micro-batches of 16
                 that are padded to their longest sample; all devices wait for the one with the longest of all

Lengths like the published mixture's, all 665,298 records; process time of planning the epoch beside it.
https://github.com/haotian-liu/LLaVA/blob/main/llava/train/llava_trainer.py
"""

import random
import time

import numpy as np

from bench._mixture import IMAGE_TOKENS, RECORDS, lengths
from bench.measurement import Arm, Measurement
from vertebra.data import Schedule
from vertebra.data.packing import place
from vertebra.data.sampling import Modality, by_modality

_BATCH, _RANKS, _MICRO = 128, 8, 16


def measure(small: bool) -> Measurement:
    """Useful tokens over those that the devices could have worked on in the same time."""
    records = RECORDS // 64 if small else RECORDS
    tokens, seen = lengths(records)
    schedule = Schedule(records, _BATCH, 1, 0)
    batches = [tokens[np.asarray(indices)] for indices in schedule.epoch(0)]
    began = time.process_time()
    placement = place(batches, _RANKS, None)
    seconds = time.process_time() - began
    published = _published(tokens, seen)
    return Measurement(
        "sampler",
        {
            "ours": Arm(round(placement.efficiency, 4), "useful/filled"),
            "published": Arm(round(published, 4), "useful/filled"),
            "planning": Arm(round(seconds, 3), "s"),
        },
        {"ours/published": round(placement.efficiency / published, 3)},
        equal=placement.useful == int(tokens.sum()),
        notes=[
            f"{records:,} records, {_RANKS} devices, batches of {_BATCH}. Equal: every token is placed once.",
            "Lengths are drawn, not counted in the published file (bench/_mixture.py).",
        ],
    )


def _published(tokens: np.ndarray, seen: np.ndarray) -> float:
    """The published sampler orders by words, which tokens without the picture's stand for here."""
    words = np.where(seen, tokens - IMAGE_TOKENS, -tokens)
    order = by_modality(Modality(tuple(words.tolist()), _MICRO), _BATCH, random.Random(0))
    whole = len(order) // _BATCH * _BATCH
    longest = tokens[np.asarray(order[:whole])].reshape(-1, _RANKS, _MICRO).max(2)
    filled = longest.max(1).sum() * _RANKS * _MICRO
    return float(tokens[np.asarray(order[:whole])].sum() / filled)
