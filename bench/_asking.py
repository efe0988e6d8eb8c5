"""What models are asked when answering is measured, and how: from picture files to texts, as an evaluation does it.

"what seven left of the blue …"    about street.jpg, 640×480, at most 3 tokens
"""

import random
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from vertebra.asking import Answerer
from vertebra.asking.questions import Batch, Decoding, Picture, Question, questions_of
from vertebra.model import VisionLanguageModel
from vertebra.prefetching import prefetched
from vertebra.spec import Backbone

WORDS = 3
"""Tokens of every answer."""
DECODING = Decoding(max_new_tokens=WORDS)
_VOCABULARY = ("what", "color", "is", "the", "red", "seven", "left", "of", "number", "which", "blue", "largest")


def backbone(weights: str) -> Backbone:
    """A language model with the tokenizer of the shipped Vicuna, wherever it comes from."""
    return Backbone(weights=weights, chat="vicuna_v1", image="<image>", pad="<unk>", stop=("</s>",))


@torch.no_grad()
def limited_to_words(model: VisionLanguageModel) -> None:
    """From now on it says nothing but what its tokenizer has text for, and never ends an answer early.

    A logit of 0 is never the largest of many that are random.
    """
    words = model.processor.tokenizer
    head: torch.Tensor = model.network.lm_head.weight
    head[len(words) :] = 0
    head[words.all_special_ids] = 0


def pictures(folder: Path, number: int) -> list[Picture]:
    """JPEGs of 640×480 pixels, about as large as photographs."""
    rng, found = np.random.default_rng(0), []
    for place in range(number):
        path = folder / f"{place}.jpg"
        coarse = Image.fromarray(rng.integers(0, 256, (96, 128, 3), np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(path, quality=85)
        found.append(Picture(path, sha256(path.read_bytes()).hexdigest()))
    return found


def questions(model: VisionLanguageModel, seen: Sequence[Picture], each: float, tokens: int) -> list[Question]:
    """As many about each picture, on average, of so many tokens."""
    chance, asked = random.Random(0), list[Question]()
    for number, picture in enumerate(seen):
        for place in range(int((number + 1) * each + 1e-9) - int(number * each + 1e-9)):
            asked.append(Question(_text(model, tokens, chance), picture, DECODING, f"{number}.{place}"))
    return asked


def answers(answerer: Answerer, asked: Sequence[Question]) -> list[str]:
    """In the questions' order. Pictures are read in threads while others are asked about."""

    def prepared(batch: Batch) -> tuple[Batch, Any]:
        return batch, answerer.prepare(batch)

    found: dict[str, str] = {}
    with closing(prefetched(prepared, answerer.batches(asked), answerer.ahead)) as laid_out:
        for batch, ready in laid_out:
            said = answerer.answers(ready)
            found |= zip((question.where for question in questions_of(batch)), said, strict=True)
    return [found[question.where] for question in asked]


def _text(model: VisionLanguageModel, tokens: int, chance: random.Random) -> str:
    """Words of so many tokens together."""
    text = "what"
    while len(model.processor.tokenizer.encode(text, add_special_tokens=False)) < tokens:
        text += f" {chance.choice(_VOCABULARY)}"
    return text
