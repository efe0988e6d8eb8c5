"""The benchmarks in small, written in their official file layouts, with test scans alone.

Each function writes one benchmark's folder: annotations as `vertebra score` reads them, images where they belong.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from vertebra.files import write_atomically
from vertebra.miniature import talk
from vertebra.miniature.scenes import Scene, draw_scene, paint
from vertebra.miniature.talk import Choice, Exchange
from vertebra.scoring.benchmark import SHORT_ANSWER
from vertebra.spec import Json

_COCO = "COCO_val2014_{:012}.jpg"


def pope(rng: random.Random, folder: Path, scenes: int) -> None:
    """Three subsets of six yes/no questions a picture, three of them about absent digits.

    Absent digits are those most often beside what is there, drawn at random, or the most frequent ones.
    """
    shown = [draw_scene(rng, "test", things=(3, 4)) for _ in range(scenes)]
    (folder / "val2014").mkdir()
    for number, scene in enumerate(shown):
        # Official pictures are JPEG; quality 95 keeps a 28-pixel digit readable.
        paint(scene).save(folder / "val2014" / _COCO.format(number), quality=95, subsampling=0)
    frequent = Counter(thing.digit for scene in shown for thing in scene.things)
    beside = Counter(
        (one.digit, other.digit) for scene in shown for one in scene.things for other in scene.things if one != other
    )
    rankings: dict[str, Callable[[Scene, int], float]] = {
        "adversarial": lambda scene, digit: -max(beside[thing.digit, digit] for thing in scene.things),
        "random": lambda scene, digit: rng.random(),  # noqa: ARG005
        "popular": lambda scene, digit: -frequent[digit],  # noqa: ARG005
    }
    asked: list[Json] = []
    for start, (subset, ranking) in enumerate(rankings.items()):
        labels: list[Json] = []
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
        _write_lines(folder / f"coco_pope_{subset}.json", labels)
    _write_lines(folder / "llava_pope_test.jsonl", asked)


def _existence(rng: random.Random, scene: Scene, ranking: Callable[[Scene, int], float]) -> list[Exchange]:
    there = [thing.digit for thing in scene.things]
    absent = sorted(set(range(10)) - set(there), key=lambda digit: ranking(scene, digit))
    return [
        talk.existence(scene, digit) for pair in zip(rng.sample(there, 3), absent[:3], strict=True) for digit in pair
    ]


def gqa(rng: random.Random, folder: Path, scenes: int) -> None:
    """Open and yes/no questions on digits, colors and places."""
    (folder / "images").mkdir()
    questions: dict[str, Json] = {}
    for number in range(scenes):
        scene, image = draw_scene(rng, "test"), f"n{number:06}"
        paint(scene).save(folder / "images" / f"{image}.jpg", quality=95, subsampling=0)
        for kind in rng.sample(list(_STRUCTURES), 4):
            exchange = talk.KINDS[kind](rng, scene)
            structural, semantic = _STRUCTURES[kind]
            questions[f"{len(questions):08}"] = {
                "question": exchange.question,
                "imageId": image,
                "answer": exchange.answer,
                "fullAnswer": exchange.answer,
                "isBalanced": True,
                "types": {"structural": structural, "semantic": semantic, "detailed": kind},
                "groups": {"global": kind, "local": kind},
                "semantic": [],
                "semanticStr": kind,
                "entailed": [],
                "equivalent": [],
                "annotations": {},
            }
    write_atomically(folder / "testdev_balanced_questions.json", json.dumps(questions, indent=0))


_STRUCTURES = {
    "existence": ("verify", "obj"),
    "color": ("query", "attr"),
    "digit": ("query", "cat"),
    "count": ("query", "global"),
    "verify": ("verify", "attr"),
    "choose": ("choose", "attr"),
    "relation": ("verify", "rel"),
}
"""GQA's structural and semantic type of each kind of question."""


def scienceqa(rng: random.Random, folder: Path, questions: int) -> None:
    """Multiple-choice questions, two in three with a picture."""
    problems: dict[str, Json] = {}
    for number in range(questions):
        name = str(number + 1)
        has_image = number % 3 < 2
        if has_image:
            scene = draw_scene(rng, "test")
            asked = talk.choice(rng, scene)
            home = folder / "images" / "test" / name
            home.mkdir(parents=True)
            paint(scene).save(home / "image.png", compress_level=1)
        else:
            asked = talk.arithmetic(rng)
        problems[name] = _problem(asked, has_image)
    write_atomically(folder / "problems.json", json.dumps(problems, indent=0))
    write_atomically(folder / "pid_splits.json", json.dumps({"train": [], "val": [], "test": list(problems)}))


def _problem(asked: Choice, has_image: bool) -> Json:
    return {
        "question": asked.question,
        "choices": list(asked.options),
        "answer": asked.answer,
        "hint": "",
        "image": "image.png" if has_image else None,
        "task": "closed choice",
        "grade": "grade2",
        "subject": "natural science" if has_image else "language science",
        "topic": "digits",
        "category": "digits",
        "skill": "read digits" if has_image else "compare numbers",
        "lecture": "",
        "solution": "",
        "split": "test",
    }


def v7w(rng: random.Random, folder: Path, questions: int) -> None:
    """Which of four regions is meant."""
    (folder / "v7w").mkdir()
    records: list[Json] = []
    for number in range(questions):
        scene = draw_scene(rng, "test", things=(4,))
        question, thing = talk.pointing(rng, scene)
        boxes = [list(scene.box(each)) for each in scene.things]
        rng.shuffle(boxes)
        image = f"v7w/v7w_{number}.jpg"
        paint(scene).save(folder / image, quality=95, subsampling=0)
        answer = list(scene.box(thing))
        records.append({"id": f"v7w-{number}", "image": image, "question": question, "bboxes": boxes, "answer": answer})
    write_atomically(folder / "v7w-test.json", json.dumps(records, indent=0))


def _write_lines(path: Path, rows: Sequence[Json]) -> None:
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows))
