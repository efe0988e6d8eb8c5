"""Answering: the shared engine against batch-1 `generate`, both of this package, on one core.

    python -m bench eval --json    ratios q1, q8, q18: questions about each picture

A tiny LLaVA with pictures of 576 positions, questions of 40 tokens, answers of at most 3. Both arms begin with files
and end with texts; one at a time, a picture is read for each question, as the published runners do. Answers have to be
the same.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from transformers import AutoTokenizer, CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from bench._asking import DECODING, answers, backbone, limited_to_words, pictures, questions
from bench.measurement import Arm, Measurement
from vertebra.asking.questions import Picture, Question, by_picture
from vertebra.catalog import Catalog
from vertebra.data import Eyes
from vertebra.model import VisionLanguageModel, assemble
from vertebra.predict.local import Local
from vertebra.predict.memory import tokens_for
from vertebra.predict.padded import Padded
from vertebra.predict.shared import Shared
from vertebra.source import locate
from vertebra.spec import Family, Stage

_QUESTION = 40
_LOUDER = 4
"""Times which the layers' random weights are larger, so that answers depend on what is asked."""
_GROUPS = 180_000
"""Questions of all sixteen benchmarks, about."""


class _Scale(NamedTuple):
    hidden: int
    layers: int
    side: int
    pictures: int
    rounds: int


_WHOLE = _Scale(hidden=192, layers=4, side=336, pictures=8, rounds=3)
_SMALL = _Scale(hidden=64, layers=2, side=56, pictures=2, rounds=1)


def measure(small: bool) -> Measurement:
    """Questions a second of both arms, as many questions about each picture as a ratio's name says."""
    scale = _SMALL if small else _WHOLE
    torch.set_num_threads(1)
    arms: dict[str, Arm] = {}
    ratios: dict[str, float] = {}
    equal = True
    with TemporaryDirectory(prefix="vertebra-bench-") as folder:
        model = _model(scale, Path(folder))
        local = Local(model, Eyes.of(model, "pad"))
        ours = Shared(local, tokens_for(model.network, local.device))
        seen = pictures(Path(folder), scale.pictures)
        for each in (1, 8, 18):
            asked = questions(model, seen, each, _QUESTION)
            seconds: dict[str, list[float]] = {"ours": [], "generate": []}
            said: dict[str, list[str]] = {}
            for _ in range(scale.rounds):
                for arm, answerer in (("ours", ours), ("generate", Padded(local, 1))):
                    began = time.process_time()
                    said[arm] = answers(answerer, asked)
                    seconds[arm].append(time.process_time() - began)
            equal = equal and said["ours"] == said["generate"]
            speed = {arm: len(asked) / min(spent) for arm, spent in seconds.items()}
            arms |= {f"q{each}.{arm}": Arm(round(value, 2), "questions/s") for arm, value in speed.items()}
            ratios[f"q{each}"] = round(speed["ours"] / speed["generate"], 3)
    arms["plan"] = Arm(round(_planning(_GROUPS // 1000 if small else _GROUPS), 3), "s")
    return Measurement(
        "eval",
        arms,
        ratios,
        equal,
        [
            f"A LLaVA of hidden size {scale.hidden} with {scale.layers} layers, single precision, one thread; "
            f"{scale.pictures} pictures; the fastest of {scale.rounds} rounds, in processor seconds.",
            f"plan: grouping {_GROUPS:,} questions into batches, keys included.",
        ],
    )


def _model(scale: _Scale, folder: Path) -> VisionLanguageModel:
    tokenizer = AutoTokenizer.from_pretrained(locate("builtin:vicuna-s"))
    tokenizer.save_pretrained(folder / "language")
    text = LlamaConfig(
        vocab_size=2048, hidden_size=scale.hidden, intermediate_size=scale.hidden * 8 // 3,
        num_hidden_layers=scale.layers, num_attention_heads=scale.hidden // 32, max_position_embeddings=2048,
    )  # fmt: skip
    tower = CLIPVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=2, image_size=scale.side,
        patch_size=14,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(text).save_pretrained(folder / "language")
    CLIPVisionModel(tower).save_pretrained(folder / "tower")
    stage = Stage(mixture="none", learning_rate=1e-3, batch=1)
    family = Family(model="llava", vision=str(folder / "tower"), layers=(-2,), stages={"none": stage})
    spoken = backbone(str(folder / "language"))
    model = assemble(family, spoken, Catalog.installed().template(spoken.chat), seed=0)
    limited_to_words(model)
    with torch.no_grad():
        for name, weight in model.network.model.language_model.layers.named_parameters():
            weight.mul_(1 if "norm" in name else _LOUDER)
    return model


def _planning(many: int) -> float:
    """Seconds until so many questions are in batches and have their keys."""
    seen = [Picture(Path(f"{number}.jpg"), f"{number:064x}") for number in range(many // 3)]
    asked = [
        Question(f"Is there a thing of the kind {number}?", seen[number % len(seen)], DECODING, "")
        for number in range(many)
    ]
    began = time.perf_counter()
    for question in asked:
        question.key("")
    by_picture(asked, 16_384, 576)
    return time.perf_counter() - began
