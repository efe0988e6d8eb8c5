"""Answering on one accelerator at full size, random weights: the shared engine beside transformers' `generate`.

    pope         17.8 questions about each picture, of 30 tokens
    vqav2         2.9
    scienceqa     1, of 130 tokens

LLaVA-1.5 on Vicuna-7B's shape in bfloat16, 576 positions a picture, answers of 3 tokens; from picture files to texts.
Arms: `ours`; `padded`, this package's batches of 32 by `generate`; `generate`, one question at a time as the published
runners do, on fewer of the questions. The fastest of two rounds. `limit` is what the device's peak of large matrix
products would allow if all that questions share were read once and nothing took time but the model's own operations.

In bfloat16 whatever changes the order of sums moves some answers, and random weights, whose words are all about as
likely, show most of it. How many follows from transformers itself: its batches move answers of its batch of one. Ours
may move as many, and three standard errors more; none in single precision, which is what --small computes in on a
processor. Without an accelerator there is nothing to measure: exit code 4.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

from bench._asking import WORDS, answers, backbone, limited_to_words, pictures, questions
from bench._device import TINY, TOWER, VICUNA, accelerator, made, matmul_tflops, named, now
from bench.measurement import Arm, Measurement
from vertebra.asking import Answerer
from vertebra.asking.questions import Question, grouped
from vertebra.catalog import Catalog
from vertebra.costs import GIB, Samples, Training
from vertebra.data import Eyes
from vertebra.model import VisionLanguageModel
from vertebra.model.speech import generation_of, open_tokenizer, processor_of
from vertebra.predict.local import Local
from vertebra.predict.memory import tokens_for
from vertebra.predict.padded import Padded
from vertebra.predict.shared import Shared, why_not
from vertebra.source import locate
from vertebra.spec import Stage
from vertebra.train.budget import training_of

_SPOKEN = "builtin:vicuna-s"
"""Whose tokenizer is used: it is shipped."""
_PATCH = 14
_THREADS = 16
"""That read pictures ahead of an accelerator, for all arms."""
_ROUNDS = 2


class _Work(NamedTuple):
    name: str
    each: float
    """Questions about a picture."""
    tokens: int
    pictures: int


class _Shape(NamedTuple):
    side: int
    tower: Mapping[str, int]
    language: Mapping[str, int]
    works: Sequence[_Work]
    alone: int
    """Questions that are asked one at a time."""


_WHOLE = _Shape(
    336, TOWER, VICUNA,
    (_Work("pope", 17.8, 30, 150), _Work("vqav2", 2.9, 30, 300), _Work("scienceqa", 1, 130, 300)), 96,
)  # fmt: skip
_SMALL = _Shape(
    56, TINY, {**TINY, "vocab_size": 1024},
    (_Work("pope", 17.8, 30, 2), _Work("vqav2", 2.9, 30, 4), _Work("scienceqa", 1, 130, 6)), 12,
)  # fmt: skip


class _Run(NamedTuple):
    """What an arm did."""

    said: list[str]
    speed: float
    """Questions a second."""
    memory: int
    """Bytes of the accelerator's memory at most."""


class _Found(NamedTuple):
    """What came of a workload."""

    speed: Mapping[str, float]
    equal: bool
    note: str


def measure(small: bool) -> Measurement:
    """Questions a second of every arm and workload, and parts of what the device's peak allows."""
    device, shape = accelerator("gpu_eval", small), _SMALL if small else _WHOLE
    peak = matmul_tflops(device, small)
    model = _model(shape, device)
    local = Local(model, Eyes.of(model, "pad"), _THREADS if device.type == "cuda" else 1)
    tokens = tokens_for(model.network, device)
    notes = [named(device), f"Random weights in {model.network.dtype}; ours reads about {tokens:,} tokens at a time."]
    if reason := why_not(model):
        notes.append(f"An evaluation would not share beginnings with this model: {reason}.")
    arms, ratios, equal = {"matmul": Arm(round(peak, 2), "TFLOP/s")}, dict[str, float](), True
    with TemporaryDirectory(prefix="vertebra-bench-") as folder:
        seen = pictures(Path(folder), max(work.pictures for work in shape.works))
        for work in shape.works:
            asked = questions(model, seen[: work.pictures], work.each, work.tokens)
            found = _put(asked, shape.alone, local, tokens)
            speed = {**found.speed, "limit": peak * 1e12 * len(asked) / _operations_of(local, asked)}
            arms |= {f"{work.name}.{name}": Arm(round(value, 2), "questions/s") for name, value in speed.items()}
            ratios |= {
                f"{work.name}.ours/{name}": round(speed["ours"] / speed[name], 4)
                for name in ("generate", "padded", "limit")
            }
            equal = equal and found.equal
            notes.append(f"{work.name}: {found.note}")
    return Measurement("gpu_eval", arms, ratios, equal, notes)


def _put(asked: Sequence[Question], alone: int, local: Local, tokens: int) -> _Found:
    """Some questions to all arms, so many of them to the slower ones."""
    few = asked[:alone]
    runs = {
        "ours": _fastest(Shared(local, tokens), asked, local.device),
        "padded": _fastest(Padded(local), few, local.device),
        "generate": _fastest(Padded(local, 1), few, local.device),
    }
    reference = runs["generate"].said
    ours, padded = (_differing(runs[arm].said, reference) for arm in ("ours", "padded"))
    unlike = len({*reference})
    memory = ", ".join(f"{arm} {run.memory / GIB:.1f}" for arm, run in runs.items())
    return _Found(
        {arm: run.speed for arm, run in runs.items()},
        unlike > 1 and ours <= allowed(padded, len(few), local.model.network.dtype),
        f"{len(asked)} questions, {len(few)} of them asked one at a time too. Of these answers, {unlike} unlike each "
        f"other, ours gives {ours} ({ours / len(few):.1%}) otherwise and padded {padded} ({padded / len(few):.1%}). "
        f"GiB at most: {memory}.",
    )


def _fastest(answerer: Answerer, asked: Sequence[Question], device: torch.device) -> _Run:
    seconds = []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for _ in range(_ROUNDS):
        began = now(device)
        said = answers(answerer, asked)
        seconds.append(now(device) - began)
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    return _Run(said, len(asked) / min(seconds), memory)


def _differing(said: Sequence[str], reference: Sequence[str]) -> int:
    """Answers that are others than the reference's, as far as that goes."""
    return sum(one != other for one, other in zip(said, reference, strict=False))


def _operations_of(local: Local, asked: Sequence[Question]) -> float:
    training = training_of(local.model.network, Stage(mixture="none", learning_rate=1, batch=1), 1)
    if training is None:
        raise AssertionError("its sizes are known")
    return operations(training, [[local.prompt(question) for question in group] for _, group in grouped(asked)])


def allowed(moved: int, of: int, precision: torch.dtype) -> float:
    """Answers that ours may move where transformers' own batches move so many: those, and three standard errors of
    the difference between two such counts; in single precision none.
    """
    if precision == torch.float32:
        return 0
    share = (moved + 1) / (of + 2)
    return moved + 3 * math.sqrt(2 * of * share * (1 - share))


def operations(training: Training, prompts: Sequence[Sequence[list[int]]]) -> float:
    """Of the model for some prompts about each of several pictures, what these begin with read once."""
    tokens = squares = said = 0
    for group in prompts:
        shared = _common(group)
        ends = [len(prompt) + WORDS - 1 for prompt in group]  # the last word is not read any more
        tokens += shared + sum(end - shared for end in ends)
        squares += shared**2 + sum(end**2 - shared**2 for end in ends)
        said += WORDS * len(group)
    looking = training.tower.forward_flops + 2 * training.projector * training.tower.patches
    saying = 2 * training.language.head * said
    return training.forward_flops(Samples(tokens, squares, 0, 0)) + saying + looking * len(prompts)


def _common(prompts: Sequence[list[int]]) -> int:
    """Tokens with which all of these begin."""
    return sum(1 for _ in takewhile(lambda tokens: len({*tokens}) == 1, zip(*prompts, strict=False)))


def _model(shape: _Shape, device: torch.device) -> VisionLanguageModel:
    """Weights are spread so that what a layer adds is as large at any width; at 4,096 they are about as published."""
    spoken = backbone(_SPOKEN)
    tokenizer = open_tokenizer(locate(_SPOKEN), spoken)
    width = shape.language["hidden_size"]
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**shape.tower, image_size=shape.side, patch_size=_PATCH),
        text_config=LlamaConfig(**shape.language, max_position_embeddings=4096, initializer_range=1.28 * width**-0.5),
        image_token_id=tokenizer.convert_tokens_to_ids(spoken.image), image_seq_length=(shape.side // _PATCH) ** 2,
    )  # fmt: skip
    network = made(config, device, torch.bfloat16 if device.type == "cuda" else torch.float32)
    network.generation_config = generation_of(spoken, tokenizer)
    template = Catalog.installed().template(spoken.chat)
    model = VisionLanguageModel(network.eval(), processor_of(spoken, tokenizer, template, shape.side, _PATCH))
    limited_to_words(model)
    return model
