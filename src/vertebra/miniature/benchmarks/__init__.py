"""The benchmarks in small, written in their official file layouts, with test scans alone.

    SMALL["pope"].write(rng, folder, 40)    pope/val2014/*.jpg, coco_pope_popular.json, ..., llava_pope_test.jsonl

A writer fills one benchmark's folder: annotations as `vertebra score` reads them, pictures where the samples look for
them. Questions are of the kinds that the tiny models are taught wherever a benchmark has room for these; what is not
taught (Chinese, sums, hand-drawn marks) is asked all the same, and guessed at.
"""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from vertebra.miniature.benchmarks.circular import mmbench, mmbench_cn
from vertebra.miniature.benchmarks.free import llava_wild, mm_vet
from vertebra.miniature.benchmarks.letters import scienceqa, seed_img
from vertebra.miniature.benchmarks.mme import mme
from vertebra.miniature.benchmarks.regions import pointqa, v7w
from vertebra.miniature.benchmarks.vcr import vcr
from vertebra.miniature.benchmarks.vip_bench import vip_bench_bbox, vip_bench_human
from vertebra.miniature.benchmarks.words import gqa, textvqa, vizwiz, vqav2
from vertebra.miniature.benchmarks.yes_no import pope


class Small(NamedTuple):
    """A benchmark in small."""

    write: Callable[[random.Random, Path, int], None]
    size: int
    """How many scenes or questions, as its writer counts."""
    twin: str | None = None
    """The benchmark whose very scenes and questions these are, in Chinese, under other marks or as another task."""


SMALL: Mapping[str, Small] = {
    "pope": Small(pope, 40),
    "scienceqa": Small(scienceqa, 300),
    "gqa": Small(gqa, 100),
    "v7w": Small(v7w, 300),
    "mmbench": Small(mmbench, 36),
    "mmbench_cn": Small(mmbench_cn, 36, "mmbench"),
    "seed_img": Small(seed_img, 96),
    "mme": Small(mme, 4),
    "vqav2": Small(vqav2, 24),
    "vizwiz": Small(vizwiz, 72),
    "textvqa": Small(textvqa, 40),
    "pointqa": Small(pointqa, 96),
    "llava_wild": Small(llava_wild, 10),
    "mm_vet": Small(mm_vet, 36),
    "vip_bench_bbox": Small(vip_bench_bbox, 48),
    "vip_bench_human": Small(vip_bench_human, 48, "vip_bench_bbox"),
    "vcr_qa": Small(vcr, 60),
    "vcr_qar": Small(vcr, 60, "vcr_qa"),
}
