"""Questions for models under test, and pictures of noise."""

import random
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vertebra.asking import Answerer
from vertebra.asking.questions import Decoding, Picture, Question, questions_of
from vertebra.data import Eyes
from vertebra.model import VisionLanguageModel
from vertebra.predict.local import Local

WORDS = ("what", "is", "the", "number", "dogs", "in", "this", "picture", "red", "seven", "three", "left", "of")


def noise(folder: Path, number: int) -> Picture:
    """A picture of its own size."""
    path = folder / f"{number}.png"
    if not path.exists():
        pixels = np.random.default_rng(number).integers(0, 256, (30 + 7 * number % 50, 40 + number % 60, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return Picture(path, sha256(path.read_bytes()).hexdigest())


def question(text: str, picture: Picture | None = None, length: int = 6, **decoding: Any) -> Question:
    return Question(text, picture, Decoding(length, **decoding), f"test, {text[:20]}")


def any_questions(number: int, pictures: Sequence[Picture | None], seed: int, longest: int = 4) -> list[Question]:
    """Of any length about any of the pictures, no two alike."""
    chance = random.Random(seed)
    return [
        question(
            f"{' '.join(chance.choices(WORDS, k=chance.randint(1, 25)))} {place}?",
            chance.choice(pictures),
            chance.randint(1, longest),
        )
        for place in range(number)
    ]


def local(model: VisionLanguageModel) -> Local:
    return Local(model, Eyes.of(model, "pad"))


def said(answerer: Answerer, questions: Sequence[Question]) -> list[str]:
    """The answers, in the order of the questions."""
    found: dict[Question, str] = {}
    for batch in answerer.batches(questions):
        found |= zip(questions_of(batch), answerer.answers(answerer.prepare(batch)), strict=True)
    return [found[each] for each in questions]
