"""ScienceQA and SEED-Bench in small: one of several lettered options."""

import random
from pathlib import Path

from vertebra.chat.wording import LETTERS
from vertebra.miniature import talk
from vertebra.miniature.benchmarks import layout
from vertebra.miniature.scenes import paint
from vertebra.miniature.talk import Choice
from vertebra.spec import Json


def scienceqa(rng: random.Random, folder: Path, questions: int) -> None:
    """Multiple-choice questions, two in three with a picture."""
    problems: dict[str, Json] = {}
    for number in range(questions):
        name = str(number + 1)
        has_image = number % 3 < 2
        if has_image:
            scene = layout.scene(rng)
            asked = talk.choice(rng, scene)
            layout.store(paint(scene), folder / "images" / "test" / name / "image.png")
        else:
            asked = talk.arithmetic(rng)
        problems[name] = _problem(asked, has_image)
    layout.write_json(folder / "problems.json", problems)
    layout.write_json(folder / "pid_splits.json", {"train": [], "val": [], "test": list(problems)})


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


def seed_img(rng: random.Random, folder: Path, questions: int) -> None:
    """Questions with four options, of three of SEED-Bench's nine types."""
    rows: list[Json] = []
    for number in range(questions):
        scene = layout.scene(rng)
        asked, image = talk.choice(rng, scene, wrong=(3,)), f"{number:07}_{rng.getrandbits(32):010}"
        layout.store(paint(scene), folder / "SEED-Bench-image" / image)  # official names have no suffix
        options = {f"choice_{letter}": option for letter, option in zip("abcd", asked.options, strict=True)}
        rows.append(
            {
                "answer": LETTERS[asked.answer],
                **options,
                "data_id": image,
                "data_type": "image",
                "question": asked.question,
                "question_id": str(100_000 + number),
                "question_type_id": _TYPES[_TYPE_OF[asked.kind]],
            }
        )
    types: Json = dict(_TYPES)
    layout.write_json(folder / "SEED-Bench.json", {"questions": rows, "question_type": types})


_TYPES = {"Scene Understanding": 1, "Instance Identity": 2, "Instance Attributes": 3}
_TYPE_OF = {"presence": "Scene Understanding", "digit": "Instance Identity", "color": "Instance Attributes"}
