"""ViP-Bench in small: questions on regions that are marked in the pictures, by boxes or as by hand.

"Which digit is within the <obj>?"    in both: "Which digit is within the red rectangle?"
"""

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw

from vertebra.miniature.benchmarks import layout
from vertebra.miniature.benchmarks.free import figure
from vertebra.miniature.scenes import Scene, Thing, paint
from vertebra.scoring.sources import Row, write_lines
from vertebra.spec import Json
from vertebra.visual.marks import COLOURS, constant_mark, draw
from vertebra.visual.regions import Box, Region

_STROKES = 6
"""Points of each side that is drawn by hand."""


def vip_bench_bbox(rng: random.Random, folder: Path, questions: int) -> None:
    """Rectangles, as ViP-LLaVA's models are shown them."""
    _write(rng, folder, questions, "bbox")


def vip_bench_human(rng: random.Random, folder: Path, questions: int) -> None:
    """The same questions on the same scenes, with boxes of an unsteady hand."""
    _write(rng, folder, questions, "human")


def _write(rng: random.Random, folder: Path, questions: int, split: str) -> None:
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
            text = text.replace(region, f"{color} rectangle")
        # The hand has a seed of its own, so that both splits draw the same scenes.
        hand = random.Random(name) if split == "human" else None
        picture = _marked(scene, things[: len(regions)], colors, hand)
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


def _marked(scene: Scene, things: Sequence[Thing], colors: Sequence[str], hand: random.Random | None) -> Image.Image:
    picture = paint(scene)
    boxes = list(zip(map(scene.box, things), colors, strict=False))
    if hand is None:
        return draw(picture, [constant_mark("rectangle", Region(box), color) for box, color in boxes])
    for box, color in boxes:
        ImageDraw.Draw(picture).line(_by_hand(hand, box), COLOURS[color], width=1, joint="curve")
    return picture


def _by_hand(rng: random.Random, box: Box) -> list[tuple[float, float]]:
    """A line about the box that wavers and whose ends do not quite meet."""
    x1, y1, x2, y2 = box
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
    line = [
        (x + (x3 - x) * step / _STROKES, y + (y3 - y) * step / _STROKES)
        for (x, y), (x3, y3) in pairwise(corners)
        for step in range(_STROKES)
    ]
    return [(x + rng.uniform(-1, 1), y + rng.uniform(-1, 1)) for x, y in line]
