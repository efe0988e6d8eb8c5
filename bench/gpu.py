"""Training on one accelerator at full size, random weights: samples a second beside transformers' Trainer.

    pretrain    LLaVA-1.5 on Vicuna-7B's shape, the projector alone, samples of 593 tokens
    finetune    LLaVA-1.5 on Phi-3-mini's shape, everything, lengths like the published mixture's

Arms: `ours`; `trainer`, the published setup: bfloat16, padded, activations computed again, batches of 32 and 16. Beside
them the peak of large matrix products on the same device, and what part of it the model's own operations come to. Three
batches warm up, of the others the median. With --small the same in tiny shapes on whatever there is, to see that it
runs. Without an accelerator there is nothing to measure: exit code 4.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import distributed
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Phi3Config,
)

from bench._device import TINY, TOWER, VICUNA, accelerator, made, matmul_tflops, named, now
from bench._mixture import CLIP, IMAGE_TOKENS, lengths, sample
from bench._peer import Run, trained
from bench.measurement import Arm, Measurement
from vertebra.chat.template import IGNORED
from vertebra.corpus import Sample
from vertebra.costs import Rung, Samples, Training
from vertebra.data import Eyes, Pack, Packer
from vertebra.data.packing import place
from vertebra.prefetching import prefetched
from vertebra.runtime import Runtime
from vertebra.spec import Stage
from vertebra.train.budget import fitting, training_of
from vertebra.train.distributed import Ranks
from vertebra.train.fit import learn
from vertebra.train.layout import Layout
from vertebra.train.learner import Learner
from vertebra.train.optimizer import optimizer_for

_IMAGE = 3
_THREADS = 4
"""That lay out batches ahead, as the published scripts have workers."""
_ROUNDING = 0.02
"""Of a loss in bfloat16: both arms compute the same in another order."""


class _Shape(NamedTuple):
    side: int
    tower: dict[str, int]
    warm: int
    steps: int


_PHI = {
    "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32, "num_attention_heads": 32,
    "vocab_size": 32064, "pad_token_id": 0,
}  # fmt: skip


class _Case(NamedTuple):
    name: str
    config: Callable[..., Any]
    text: Mapping[str, Any]
    stage: Stage


def measure(small: bool) -> Measurement:
    """Samples a second of every arm, and parts of the device's peak."""
    device = accelerator("gpu", small)
    peak = matmul_tflops(device, small)
    equal = True
    arms, ratios = {"matmul": Arm(round(peak, 2), "TFLOP/s")}, dict[str, float]()
    for case in _cases(small):
        shape = _Shape(56, TINY, 1, 2) if small else _Shape(336, TOWER, 3, 8)
        run, training = _ours(case, shape, device)
        peer = _trainer(case, shape, device)
        equal = equal and np.allclose(run.losses[:1], peer.losses[:1], rtol=_ROUNDING, atol=0)
        ours, theirs = (case.stage.batch / median(each.seconds[shape.warm :]) for each in (run, peer))
        contents = [_content(samples) for samples in _batches(case, shape)]
        operations = sum(map(training.flops, contents)) / len(contents) / case.stage.batch / 1e12
        arms |= {
            f"{case.name}.ours": Arm(round(ours, 2), "samples/s"),
            f"{case.name}.trainer": Arm(round(theirs, 2), "samples/s"),
            f"{case.name}.tflops": Arm(round(ours * operations, 2), "TFLOP/s of the model's own"),
        }
        ratios |= {
            f"{case.name}.ours/trainer": round(ours / theirs, 3),
            f"{case.name}.ours/matmul": round(ours * operations / peak, 3),
        }
    told = "Random weights, the same for both; arms one after the other. Equal: the loss of the first batch."
    notes = [named(device), told]
    return Measurement("gpu", arms, ratios, equal, notes)


def _cases(small: bool) -> Sequence[_Case]:
    common = {"mixture": "drawn", "learning_rate": 1e-5, "precision": "bfloat16"}
    pretrain = Stage.model_validate({**common, "trains": "projector", "batch": 4 if small else 32})
    finetune = Stage.model_validate({**common, "batch": 4 if small else 16})
    tiny = {**TINY, "vocab_size": 512}
    return (
        _Case("pretrain", LlamaConfig, tiny if small else VICUNA, pretrain),
        _Case("finetune", Phi3Config, {**tiny, "pad_token_id": 0} if small else _PHI, finetune),
    )


def _batch(case: _Case, shape: _Shape, number: int) -> list[Sample]:
    words = case.text["vocab_size"]
    if case.stage.trains == "projector":
        return [sample(number * 999 + index, 17, 16, shape.side, words, _IMAGE) for index in range(case.stage.batch)]
    drawn = zip(*lengths(case.stage.batch, seed=number), strict=True)
    shrunk = 1 if shape.side == 336 else 16
    texts = [(max(8, (int(tokens) - IMAGE_TOKENS * seen) // shrunk), seen) for tokens, seen in drawn]
    return [
        sample(number * 999 + index, text, int(text * 0.45), shape.side * seen, words, _IMAGE)
        for index, (text, seen) in enumerate(texts)
    ]


def _batches(case: _Case, shape: _Shape) -> list[list[Sample]]:
    return [_batch(case, shape, step) for step in range(shape.warm + shape.steps)]


def _content(samples: Sequence[Sample]) -> Samples:
    supervised = sum(int((one.labels[1:] != IGNORED).sum()) for one in samples)
    return Samples.of([len(one.ids) for one in samples], supervised, sum(len(one.images) for one in samples))


def _network(case: _Case, shape: _Shape, device: torch.device) -> LlavaForConditionalGeneration:
    tower = CLIPVisionConfig(**shape.tower, image_size=shape.side, patch_size=14)
    config = LlavaConfig(
        vision_config=tower, text_config=case.config(**case.text, max_position_embeddings=4096),
        image_token_id=_IMAGE, image_seq_length=(shape.side // 14) ** 2,
    )  # fmt: skip
    network = made(config, device, torch.bfloat16)
    network.requires_grad_(case.stage.trains != "projector")
    network.model.multi_modal_projector.requires_grad_(True)
    network.model.vision_tower.requires_grad_(False)
    return network


def _ours(case: _Case, shape: _Shape, device: torch.device) -> tuple[Run, Training]:
    """What training did, and what was trained, for counting its operations."""
    batches = _batches(case, shape)
    network = _network(case, shape, device)
    training = training_of(network, case.stage, 1)
    if training is None:
        raise AssertionError("its sizes are known")
    eyes, ranks = _eyes(shape), Ranks(0, 1, device)
    learner = Learner(network, eyes, torch.bfloat16)
    rung = fitting(training, case.stage, [len(one.ids) for samples in batches for one in samples], device)
    layout = Layout.of(case.stage, Runtime(), rung, ranks)
    if apart := layout.lay_out(learner, ranks):
        raise AssertionError(apart)
    weights = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    optimizer, packer = optimizer_for(weights, case.stage), Packer(eyes, grain=layout.grain)
    run = Run([], [])
    with closing(prefetched(partial(_packs, packer, rung), batches, _THREADS)) as laid_out:
        began = now(device)
        for packs in laid_out:
            run.losses.append(learn(learner, iter(packs), ranks).loss)
            optimizer.step()
            run.seconds.append(now(device) - began)
            began = now(device)
    if distributed.is_initialized():
        distributed.destroy_process_group()
    return run, training


def _packs(packer: Packer, rung: Rung | None, samples: Sequence[Sample]) -> list[Pack]:
    placed = place([np.array([len(one.ids) for one in samples], np.int32)], 1, rung.tokens if rung else None)
    each = 1 / _content(samples).supervised
    return [packer([samples[at] for at in pack], [each] * len(pack)) for pack in placed.of(0, 0)]


def _trainer(case: _Case, shape: _Shape, device: torch.device) -> Run:
    """What learns is in single precision, computed in bfloat16."""
    network = _network(case, shape, device)
    for weight in network.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    on_gpu = device.type == "cuda"
    options = {
        "bf16": True, "use_cpu": not on_gpu, "dataloader_pin_memory": on_gpu, "optim": "adamw_torch_fused",
        "dataloader_num_workers": _THREADS if on_gpu else 0,
    }  # fmt: skip
    rate = case.stage.learning_rate
    return trained(network, _batches(case, shape), _eyes(shape), partial(now, device), rate, True, **options)


def _eyes(shape: _Shape) -> Eyes:
    return Eyes(shape.side, 1 / 255, CLIP["mean"], CLIP["std"], "pad")
