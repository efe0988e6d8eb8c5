"""LLaVA-Bench and MM-Vet in small: answers in free form, for a judge. What is right follows from the scene.

free.figure(7)    "seven<OR>7"
"""

import random
from pathlib import Path

from vertebra.miniature import talk
from vertebra.miniature.benchmarks import layout
from vertebra.miniature.scenes import WORDS, Scene, paint
from vertebra.scoring.sources import Row, write_lines
from vertebra.spec import Json


def llava_wild(rng: random.Random, folder: Path, pictures: int) -> None:
    """Three questions a picture, one of each category. What the layout takes for GPT-4's answer is a made sentence."""
    questions: list[Row] = []
    contexts: list[Row] = []
    references: list[Row] = []
    for number in range(pictures):
        scene, image = layout.scene(rng), f"{number + 1:03}.jpg"
        layout.store(paint(scene), folder / "images" / image)
        contexts.append(
            {"id": f"{number + 1:03}", "image": image, "caption": f"A dark board with {talk.caption(scene)}."}
        )
        for category, (question, answer) in _talks(rng, scene).items():
            asked: dict[str, Json] = {"question_id": len(questions)}
            questions.append({**asked, "image": image, "text": question, "category": category})
            references.append({**asked, "prompt": question, "text": answer, "answer_id": image, "model_id": "scripted"})
    write_lines(folder / "questions.jsonl", questions)
    write_lines(folder / "context.jsonl", contexts)
    write_lines(folder / "answers_gpt4.jsonl", references)


def _talks(rng: random.Random, scene: Scene) -> dict[str, tuple[str, str]]:
    """Category -> question and reference answer."""
    asked = talk.color(rng, scene)
    largest = max(scene.things, key=lambda thing: thing.digit)
    return {
        "conv": (asked.question, f"The {asked.via[0]} is {asked.answer}."),
        "detail": ("Describe the image.", talk.caption(scene)),
        "complex": ("Which digit is the largest, and what is its color?", f"It is the {largest.name}."),
    }


def mm_vet(rng: random.Random, folder: Path, questions: int) -> None:
    """A picture a question, of six kinds in turn."""
    rows: dict[str, Json] = {}
    for number in range(questions):
        scene, name = layout.scene(rng), f"v1_{number}"
        layout.store(paint(scene), folder / "images" / f"{name}.png")
        kinds = _capable(rng, scene)
        question, answer, capability = kinds[number % len(kinds)]
        rows[name] = {
            "imagename": f"{name}.png",
            "question": question,
            "answer": answer,
            "imagesource": "digits",
            "capability": [*capability],
        }
    layout.write_json(folder / "mm-vet.json", rows)


def _capable(rng: random.Random, scene: Scene) -> list[tuple[str, str, tuple[str, ...]]]:
    """Question, ground truth and capabilities."""
    thing, color, relation = rng.choice(scene.things), talk.color(rng, scene), talk.relation(rng, scene)
    total = sum(each.digit for each in scene.things)
    return [
        (talk.digit_of(thing).question, figure(thing.digit), ("ocr", "rec")),
        (color.question, color.answer, ("rec",)),
        ("Describe the image.", "<AND>".join(each.name for each in scene.things), ("rec", "gen")),
        (relation.question, relation.answer, ("rec", "spat")),
        ("How many digits are there?", figure(len(scene.things)), ("rec", "know")),
        ("What is the sum of the digits in the image?", figure(total), ("ocr", "math")),
    ]


def figure(number: int) -> str:
    """A number as ground truth: in letters or in figures."""
    return f"{WORDS[number]}<OR>{number}" if number < len(WORDS) else str(number)
