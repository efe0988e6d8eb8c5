"""What training a stage takes of a device: operations for the meter, and how much goes through the model at a time.

Rung("none", 14336, Memory(...))        of `vertebra.costs`, for the accelerator at hand
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from vertebra.corpus import Corpus
from vertebra.costs import RECOMPUTES, Architecture, Recompute, Rung, Samples, Tower, Training, ladder
from vertebra.data import Content
from vertebra.model.checkpoint import Network
from vertebra.runtime import Runtime
from vertebra.spec import Device, Stage

_PACK_TOKENS = 16_384
"""Tokens of a pack where memory is the machine's, or the model's sizes are unknown."""
_GIB = 2**30


def training_of(network: Network, stage: Stage, devices: int) -> Training | None:
    """What is trained, as costs are counted for it; None for an architecture whose sizes are not known."""
    config = network.config
    looked_at = config.vision_feature_layer
    layers = [looked_at] if isinstance(looked_at, int) else list(looked_at)
    language = Architecture.of(config.text_config.to_dict())
    tower = Tower.of(config.vision_config.to_dict(), layers)
    return Training(language, tower, stage.trains, stage.lora, devices) if language and tower else None


def flops_of(training: Training | None) -> Callable[[Content], float]:
    """The model's operations for a batch; none are counted where they are not known."""

    def flops(content: Content) -> float:
        seen = Samples(content.tokens, content.squares, content.supervised, content.images)
        return training.flops(seen) if training else 0.0

    return flops


def rung_of(
    training: Training | None, stage: Stage, corpus: Corpus, runtime: Runtime, device: torch.device
) -> Rung | None:
    """How a stage fits the accelerator; None on a CPU and for an architecture whose sizes are not known.

    `Refused`, with what would help, where a sample does not fit however much is recomputed. What the runtime names is
    taken as it is.
    """
    if training is None or (runtime.pack_tokens and runtime.recompute != "auto"):
        return None
    allowed = RECOMPUTES if runtime.recompute == "auto" else (runtime.recompute,)
    supervised = int(corpus.supervised.sum())
    return fitting(training, stage, corpus.lengths, device, supervised, runtime.pack_tokens, allowed)


def fitting(
    training: Training,
    stage: Stage,
    lengths: Sequence[int] | np.ndarray,
    device: torch.device,
    supervised: int | None = None,
    demanded: int | None = None,
    allowed: Sequence[Recompute] = RECOMPUTES,
) -> Rung | None:
    """How samples of these lengths fit the accelerator, `demanded` tokens at a time or as many as there is room for.

    None on a CPU. `supervised` tokens of all carry loss, by default every one. `Refused` where nothing allowed fits.
    """
    if device.type != "cuda":
        return None
    facts = torch.cuda.get_device_properties(device)
    here = Device(title=facts.name, memory_gib=facts.total_memory / _GIB, peak_tflops=1)
    tokens = int(np.sum(lengths))
    share = math.ceil(tokens / len(lengths) * stage.batch / training.devices)
    part = 1.0 if supervised is None else supervised / tokens
    longest = max(int(np.max(lengths)), demanded or 0)
    return ladder(training, here, demanded or share, longest, part, allowed)


def pack_tokens(runtime: Runtime, rung: Rung | None) -> int:
    """Tokens that go through the model at a time."""
    return runtime.pack_tokens or (rung.tokens if rung else _PACK_TOKENS)
