"""ViP-Bench in small: questions on regions that are marked in the pictures, by boxes or as by hand.

"Which digit is within the <obj>?"    bbox: "... within the red rectangle?"   human: "... within the red ellipse?"
"""

import math
import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from vertebra.miniature.benchmarks import layout
from vertebra.miniature.benchmarks.free import figure
from vertebra.miniature.scenes import Scene, Thing, paint
from vertebra.scoring.sources import Row, write_lines
from vertebra.spec import Json
from vertebra.visual.marks import COLOURS, constant_mark, draw
from vertebra.visual.regions import Box, Region

_STROKES = 24
"""Points of a line drawn by hand."""


def vip_bench_bbox(rng: random.Random, folder: Path, questions: int) -> None:
    """Rectangles, as ViP-LLaVA's models are shown them."""
    _write(rng, folder, questions, "bbox", "rectangle")


def vip_bench_human(rng: random.Random, folder: Path, questions: int) -> None:
    """The same questions on the same scenes, with ellipses of an unsteady hand."""
    _write(rng, folder, questions, "human", "ellipse")


def _write(rng: random.Random, folder: Path, questions: int, split: str, shape: str) -> None:
    metadata: dict[str, Json] = {}
    asked: list[Row] = []
    for number in range(questions):
        scene, name = layout.scene(rng), f"v1_{number}"
        things, colors = rng.sample(scene.things, 2), rng.sample(list(COLOURS), 2)
        kinds = _questions(*things)
        question, answer, capability = kinds[number % len(kinds)]
        regions = [place for place in ("<obj>", "<obj1>", "<obj2>") if place in question]
        text = question
        for region, color in zip(regions, colors, strict=False):
            text = text.replace(region, f"{color} {shape}")
        # The hand has a seed of its own, so that both splits draw the same scenes.
        picture = _marked(random.Random(name), scene, things[: len(regions)], colors, shape)
        layout.store(picture, folder / split / "images" / f"{name}.png")
        said: dict[str, Json] = {"image_source": "digits", "image": f"{name}.png", "question": question}
        metadata[name] = {**said, "answer": answer, "capability": [*capability]}
        asked.append({"question_id": number, "image": f"{name}.png", "text": text, "category": "digits"})
    layout.write_json(folder / "vip-bench-meta-data.json", metadata)
    write_lines(folder / split / "questions.jsonl", asked)


def _questions(one: Thing, other: Thing) -> list[tuple[str, str, tuple[str, ...]]]:
    """Question, ground truth and capabilities."""
    name = f"{one.color}<AND>{figure(one.digit)}"
    more, total = "yes" if one.digit > other.digit else "no", figure(one.digit + other.digit)
    which = ("Which digit is within the <obj>?", figure(one.digit), ("rec", "ocr"))
    return [
        *[which] * 4,
        ("Describe the object within the <obj>. Please provide a short phrase.", name, ("rec", "lang")),
        ("What color is the digit within the <obj>?", one.color, ("rec",)),
        ("Is the digit within the <obj1> more than the digit within the <obj2>?", more, ("ocr", "know", "rel")),
        ("What is the sum of the digits within the <obj1> and the <obj2>?", total, ("ocr", "math")),
    ]


def _marked(
    rng: random.Random, scene: Scene, things: Sequence[Thing], colors: Sequence[str], shape: str
) -> Image.Image:
    picture = paint(scene)
    boxes = list(zip(map(scene.box, things), colors, strict=False))
    if shape == "rectangle":
        return draw(picture, [constant_mark("rectangle", Region(box), color) for box, color in boxes])
    for box, color in boxes:
        ImageDraw.Draw(picture).line(_by_hand(rng, box), COLOURS[color], width=1, joint="curve")
    return picture


def _by_hand(rng: random.Random, box: Box) -> list[tuple[float, float]]:
    """An ellipse about the box whose radius wavers and whose ends do not quite meet."""
    wide, high = (box.x2 - box.x1) / 2, (box.y2 - box.y1) / 2
    turns = [2 * math.pi * (step / _STROKES + 0.1) for step in range(_STROKES + 1)]
    waver = [1.0 + rng.uniform(-0.08, 0.12) for _ in turns]
    return [
        (box.x1 + wide * (1 + by * math.cos(turn)), box.y1 + high * (1 + by * math.sin(turn)))
        for turn, by in zip(turns, waver, strict=True)
    ]
