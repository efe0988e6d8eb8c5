"""Visual Commonsense Reasoning in small: digits that question, answers and reasons speak of by their numbers.

{"id": "vcr-0", "image": "vcr1images/board/0.jpg", "meta_dir": "./dataset/vcr1images/board/0.json",
 "class_names": ["digit", "digit"], "question": ["Which", "digit", "is", [1], "?"], "answer_label": 2, ...}
"""

import random
from itertools import permutations
from pathlib import Path

from vertebra.miniature.benchmarks import layout
from vertebra.miniature.scenes import COLORS, WORDS, Scene, paint
from vertebra.spec import Json

Words = list[Json]
"""A text whose lists are numbers of objects."""


def vcr(rng: random.Random, folder: Path, questions: int) -> None:
    """Which digit a marked thing is, or which of two is larger; both tasks ask about the same records."""
    records: list[Json] = []
    for number in range(questions):
        scene, name = layout.scene(rng), f"vcr1images/board/{number}"
        layout.store(paint(scene), folder / f"{name}.jpg")
        layout.write_json(folder / f"{name}.json", objects(scene))
        record = (named, _compared)[number % 2](rng, scene)
        files = {"image": f"{name}.jpg", "meta_dir": f"./dataset/{name}.json"}
        records.append({"id": f"vcr-{number}", **files, "class_names": ["digit"] * len(scene.things), **record})
    layout.write_json(folder / "vcr-val.json", records)


def objects(scene: Scene) -> Json:
    """Boxes with how sure a detector was, and outlines."""
    boxes = [scene.box(thing) for thing in scene.things]
    outlines = [[[[x1, y1], [x2, y1], [x2, y2], [x1, y2]]] for x1, y1, x2, y2 in boxes]
    return {"boxes": [[*box, 1.0] for box in boxes], "segms": outlines}


def named(rng: random.Random, scene: Scene) -> dict[str, Json]:
    """Which digit is marked, and why: its color."""
    number = rng.randrange(len(scene.things))
    thing = scene.things[number]
    others = rng.sample([word for word in WORDS if word != WORDS[thing.digit]], 3)
    colors = rng.sample([color for color in COLORS if color != thing.color], 3)
    return {
        "question": ["Which", "digit", "is", [number], "?"],
        **_options(rng, "answer", [["It", "is", word, "."] for word in (WORDS[thing.digit], *others)]),
        **_options(rng, "rationale", [[[number], "is", color, "."] for color in (thing.color, *colors)]),
    }


def _compared(rng: random.Random, scene: Scene) -> dict[str, Json]:
    one, other = rng.sample(range(len(scene.things)), 2)
    digits = scene.things[one].digit, scene.things[other].digit
    larger, smaller = (one, other) if digits[0] > digits[1] else (other, one)
    wrong = rng.sample([pair for pair in permutations(range(10), 2) if pair != digits], 3)
    reasons: list[Words] = [
        [[one], "is", WORDS[first], "and", [other], "is", WORDS[second], "."] for first, second in (digits, *wrong)
    ]
    return {
        "question": ["Which", "digit", "is", "larger", ",", [one], "or", [other], "?"],
        **_options(rng, "answer", [[[larger], "."], [[smaller], "."], ["Neither", "."], [[one, other], "."]]),
        **_options(rng, "rationale", reasons),
    }


def _options(rng: random.Random, what: str, options: list[Words]) -> dict[str, Json]:
    """Four options in random order, and the place of what was the first."""
    right, shuffled = options[0], rng.sample(options, len(options))
    return {f"{what}_choices": shuffled, f"{what}_label": shuffled.index(right)}
