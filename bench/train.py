"""Useful tokens a second of training, beside transformers' Trainer on the same samples, batch by batch.

    trainer_padded_recompute    padded, activations computed again in the backward pass: the published setup
    trainer_padded              padded, everything kept
    ours                        packed, the head on supervised tokens alone

A tiny LLaVA in single precision on one thread, batches of 16 samples with lengths like the published mixture's. The
arms take turns; each trains the same batches from the same weights, and their losses are compared. Processor time. What
a CPU shows of packing is more than an accelerator would: its masked attention is slow.
"""

import copy
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from bench._mixture import CLIP, IMAGE_TOKENS, lengths, sample
from bench._peer import Run, trained
from bench.measurement import Arm, Measurement
from vertebra.chat.template import IGNORED
from vertebra.corpus import Sample
from vertebra.data import Eyes, Packer
from vertebra.model.attention import pack
from vertebra.train.distributed import Ranks
from vertebra.train.fit import learn
from vertebra.train.learner import Learner
from vertebra.train.optimizer import optimizer_of

_BATCH = 16
_RATE = 1e-4
_IMAGE = 3
_SUPERVISED = 0.45
"""Part of a sample's text that carries loss: 155 of 345 tokens."""


class _Scale(NamedTuple):
    hidden: int
    layers: int
    words: int
    side: int
    shrunk: int
    """Samples are so many times shorter than the mixture's."""
    rounds: int
    steps: int
    """Batches of each arm in a round; the first one warms up."""


_WHOLE = _Scale(hidden=192, layers=4, words=2048, side=336, shrunk=1, rounds=2, steps=3)
_SMALL = _Scale(hidden=32, layers=2, words=256, side=84, shrunk=16, rounds=1, steps=2)


def measure(small: bool) -> Measurement:
    """Tokens a second of every arm, the median over batches."""
    scale = _SMALL if small else _WHOLE
    torch.set_num_threads(1)
    model = _model(scale)
    useful: list[int] = []
    runs: dict[str, list[Run]] = {"ours": [], "trainer_padded_recompute": [], "trainer_padded": []}
    for number in range(scale.rounds):
        batches = [_batch(scale, number * scale.steps + step) for step in range(scale.steps)]
        useful += [sum(len(one.ids) for one in samples) for samples in batches]
        runs["ours"].append(_ours(model, batches))
        runs["trainer_padded_recompute"].append(_trainer(model, batches, recompute=True))
        runs["trainer_padded"].append(_trainer(model, batches, recompute=False))
    speed = {arm: _speed(done, useful, scale.steps) for arm, done in runs.items()}
    return Measurement(
        "train",
        {arm: Arm(round(value, 1), "useful tokens/s") for arm, value in speed.items()},
        {f"ours/{arm}": round(speed["ours"] / value, 3) for arm, value in speed.items() if arm != "ours"},
        _is_equal(runs),
        [
            f"A LLaVA of hidden size {scale.hidden} with {scale.layers} layers and {scale.words} words, single "
            f"precision, one thread; {scale.rounds} rounds of {scale.steps} batches of {_BATCH} samples for each arm, "
            "the first of a round left out; processor seconds.",
            "Lengths are drawn, not counted in the published file (bench/_mixture.py).",
        ],
    )


def _speed(runs: Sequence[Run], useful: Sequence[int], steps: int) -> float:
    """Useful tokens a second, the median over batches but the first of each run."""
    seconds = [spent for run in runs for spent in run.seconds]
    per_batch = [tokens / spent for tokens, spent in zip(useful, seconds, strict=True)]
    return median(speed for number, speed in enumerate(per_batch) if number % steps)


def _is_equal(runs: dict[str, list[Run]]) -> bool:
    """Whether all arms had the same losses, to a ten-thousandth."""
    ours = [loss for run in runs["ours"] for loss in run.losses]
    return all(
        np.allclose([loss for run in done for loss in run.losses], ours, rtol=1e-4, atol=0) for done in runs.values()
    )


def _model(scale: _Scale) -> LlavaForConditionalGeneration:
    hidden = scale.hidden
    text = LlamaConfig(
        vocab_size=scale.words,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3,
        num_hidden_layers=scale.layers,
        num_attention_heads=hidden // 32,
        max_position_embeddings=2048,
    )
    tower = CLIPVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=2, image_size=scale.side,
        patch_size=14,
    )  # fmt: skip
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=tower, text_config=text, image_token_id=_IMAGE, image_seq_length=(scale.side // 14) ** 2
    )
    network = LlavaForConditionalGeneration(config)
    network.model.vision_tower.requires_grad_(False)
    return network


def _batch(scale: _Scale, number: int) -> list[Sample]:
    texts = [
        (max(8, (int(tokens) - IMAGE_TOKENS * seen) // scale.shrunk), seen)
        for tokens, seen in zip(*lengths(_BATCH, seed=number), strict=True)
    ]
    return [
        sample(number * _BATCH + place, text, int(text * _SUPERVISED), scale.side * seen, scale.words, _IMAGE)
        for place, (text, seen) in enumerate(texts)
    ]


def _eyes(network: LlavaForConditionalGeneration) -> Eyes:
    return Eyes(network.config.vision_config.image_size, 1 / 255, CLIP["mean"], CLIP["std"], "pad")


def _ours(model: LlavaForConditionalGeneration, batches: Sequence[list[Sample]]) -> Run:
    network = copy.deepcopy(model).train()
    eyes = _eyes(network)
    learner = Learner(network, eyes, torch.float32)
    pack(network.model.language_model)
    packer, ranks = Packer(eyes), Ranks(0, 1, torch.device("cpu"))
    optimizer = optimizer_of((weight for weight in network.parameters() if weight.requires_grad), _RATE)
    seconds, losses = [], []
    for samples in batches:
        began = time.process_time()
        supervised = sum(int((sample.labels[1:] != IGNORED).sum()) for sample in samples)
        told = learn(learner, iter([packer(samples, [1 / supervised] * len(samples))]), ranks)
        optimizer.step()
        seconds.append(time.process_time() - began)
        losses.append(told.loss)
    return Run(seconds, losses)


def _trainer(model: LlavaForConditionalGeneration, batches: Sequence[list[Sample]], recompute: bool) -> Run:
    network = copy.deepcopy(model)
    on_cpu = {"use_cpu": True, "dataloader_pin_memory": False}
    return trained(network, batches, _eyes(network), time.process_time, _RATE, recompute, **on_cpu)
