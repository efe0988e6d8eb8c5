"""POPE in small: is a digit there?"""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from vertebra.miniature import talk
from vertebra.miniature.benchmarks import layout
from vertebra.miniature.scenes import Scene, paint
from vertebra.miniature.talk import Exchange
from vertebra.scoring.benchmark import SHORT_ANSWER
from vertebra.scoring.sources import Row, write_lines
from vertebra.spec import Json

_COCO = "COCO_val2014_{:012}.jpg"


def pope(rng: random.Random, folder: Path, scenes: int) -> None:
    """Three subsets of six yes/no questions a picture, three of them about absent digits.

    Absent digits are those most often beside what is there, drawn at random, or the most frequent ones.
    """
    shown = [layout.scene(rng, (3, 4)) for _ in range(scenes)]
    for number, scene in enumerate(shown):
        layout.store(paint(scene), folder / "val2014" / _COCO.format(number))
    frequent = Counter(thing.digit for scene in shown for thing in scene.things)
    beside = Counter(
        (one.digit, other.digit) for scene in shown for one in scene.things for other in scene.things if one != other
    )
    rankings: dict[str, Callable[[Scene, int], float]] = {
        "adversarial": lambda scene, digit: -max(beside[thing.digit, digit] for thing in scene.things),
        "random": lambda scene, digit: rng.random(),  # noqa: ARG005
        "popular": lambda scene, digit: -frequent[digit],  # noqa: ARG005
    }
    asked: list[Row] = []
    for start, (subset, ranking) in enumerate(rankings.items()):
        labels: list[Row] = []
        for number, scene in enumerate(shown):
            for exchange in _existence(rng, scene, ranking):
                row: dict[str, Json] = {
                    "question_id": len(labels) + 1,
                    "image": _COCO.format(number),
                    "text": exchange.question,
                }
                labels.append({**row, "label": exchange.answer})
                row |= {"question_id": start * 10_000_000 + len(labels), "text": exchange.question + SHORT_ANSWER}
                asked.append({**row, "category": subset})
        write_lines(folder / f"coco_pope_{subset}.json", labels)
    write_lines(folder / "llava_pope_test.jsonl", asked)


def _existence(rng: random.Random, scene: Scene, ranking: Callable[[Scene, int], float]) -> list[Exchange]:
    there = [thing.digit for thing in scene.things]
    absent = sorted(set(range(10)) - set(there), key=lambda digit: ranking(scene, digit))
    return [
        talk.existence(scene, digit) for pair in zip(rng.sample(there, 3), absent[:3], strict=True) for digit in pair
    ]
