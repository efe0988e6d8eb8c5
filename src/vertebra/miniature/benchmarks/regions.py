"""Visual7W and PointQA-LookTwice in small: boxes that are drawn when a question is asked."""

import random
from pathlib import Path

from vertebra.miniature.benchmarks import layout
from vertebra.miniature.scenes import paint
from vertebra.miniature.talk import looking_twice
from vertebra.spec import Json


def v7w(rng: random.Random, folder: Path, questions: int) -> None:
    """Which of four regions is meant."""
    records: list[Json] = []
    for number in range(questions):
        scene = layout.scene(rng, (4,))
        image, record = f"v7w/v7w_{number}.jpg", layout.pointing_record(rng, scene)
        layout.store(paint(scene), folder / image)
        records.append({"id": f"v7w-{number}", "image": image, **record})
    layout.write_json(folder / "v7w-test.json", records)


def pointqa(rng: random.Random, folder: Path, questions: int) -> None:
    """Which digit is marked, or of which color it is."""
    records: list[Json] = []
    for number in range(questions):
        scene = layout.scene(rng)
        thing, image = rng.choice(scene.things), f"vg/VG_100K/{number}.jpg"
        question, answer = looking_twice(rng, thing)
        layout.store(paint(scene), folder / image)
        records.append(
            {
                "id": f"pointQA_twice-{number}",
                "image": image,
                "general_question": question,
                "bboxes": [list(scene.box(thing))],
                "answer": answer,
            }
        )
    layout.write_json(folder / "pointQA_twice_test.json", records)
