"""How much memory training takes on each device, and the least recomputation with which it fits.

Vicuna-7B on eight devices, everything trained, 8,192 tokens per micro-step:

    Memory(weights=4.0e9, gradients=4.9e9, moments=6.8e9, gathered=1.4e9, activations=4.9e10, logits=4.6e8)  67 GB

Which tensors autograd keeps was read off a Llama layer of transformers 5.23 on torch 2.13 (tests/costs/test_memory.py
does it again): nothing fused, attention as the flash kernels do it. A compiled or fused layer keeps less. What the
tower, the projector, the temporaries of kernels and the allocator's gaps take has to fit into `MARGIN`.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from vertebra.costs.architecture import Architecture
from vertebra.costs.training import Training
from vertebra.errors import Refused
from vertebra.spec import Device, Lora

Recompute = Literal["none", "selective", "full"]
"""What the backward pass computes again: nothing; norms, activations and rotary positions; or whole layers."""

RECOMPUTES: tuple[Recompute, ...] = get_args(Recompute)

MARGIN = 0.1
"""Part of a device's memory that is not planned with."""

GIB = 2**30
_HALF, _FULL, _MASK = 2, 4, 1
"""Bytes of bfloat16, of float32 and of a dropout's mask."""
_NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes per weight in 4-bit NormalFloat with its scales quantised in turn (arXiv:2305.14314, section 3)."""
_TOKENS_STEP = 256
_MOST_DEVICES = 1024


class Memory(NamedTuple):
    """Bytes on each device, by what they hold, where they are most."""

    weights: float
    gradients: float
    moments: float
    """AdamW's two, in float32."""
    gathered: float
    """bfloat16 copies that are there to compute with."""
    activations: float
    logits: float

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self)


class Rung(NamedTuple):
    """A way to train that fits a device."""

    recompute: Recompute
    tokens: int
    """Most tokens of a micro-step on one device."""
    memory: Memory


def memory_of(training: Training, tokens: int, recompute: Recompute = "none", supervised: float = 1.0) -> Memory:
    """Bytes on each device in micro-steps of so many tokens, of which a share of `supervised` carries loss.

    Logits are kept in bfloat16 and float32, and their gradient is float32.
    """
    per_token = _per_token(training, recompute)
    logits = tokens * supervised * training.language.vocabulary * (_HALF + 2 * _FULL)
    return _held(training)._replace(activations=tokens * per_token, logits=logits)


def layer_bytes(language: Architecture, training: bool, lora: Lora | None = None) -> int:
    """Activations that autograd keeps per token of one layer, with nothing recomputed; `training` its own weights.

    With d hidden, q and k the widths of queries and keys, i intermediate:

    - each of two norms: its input in float32, 4 d; for its own gradient and that of the linear maps behind it the
      normalised input and its output, 2 d + 2 d
    - attention: queries, keys, values and its output, 2 (2 q + 2 k)
    - feed-forward: what comes from the gate, its activation and what it is multiplied with, 2 * 3 i; the product, of
      which the last map learns, 2 i. Without a gate: the activation's input, 2 i, and output, 2 i.
    - adapters: of every linear map the input behind dropout, and its mask

    Vicuna's layers: 45.5 d trained, 32.1 d frozen.
    """
    norms = 2 * (_FULL + (2 * _HALF if training else 0)) * language.hidden
    attention = _HALF * (2 * language.queries + 2 * language.keys)
    wide = (3 if language.gated else 1) + (1 if training else 0)
    adapted = sum(inputs for inputs, _ in language.linears) * (_HALF + _MASK) if lora else 0
    return norms + attention + _HALF * wide * language.intermediate + adapted


def ladder(
    training: Training,
    device: Device,
    wanted: int,
    longest: int,
    supervised: float = 1.0,
    allowed: Sequence[Recompute] = RECOMPUTES,
) -> Rung:
    """The least recomputation that fits a device, and with it the most tokens per micro-step.

    `wanted` are the tokens of a device's share of the global batch, more of which are of no use; a sample of
    `longest` tokens has to fit. Only what is `allowed` is tried, the least first. `Refused`, with what would help,
    where nothing does.
    """
    for recompute in allowed:
        tokens = _fitting(training, device, recompute, max(wanted, longest), supervised)
        if tokens >= longest:
            return Rung(recompute, tokens, memory_of(training, tokens, recompute, supervised))
    needed = memory_of(training, longest, allowed[-1], supervised).total / GIB
    how = "though every layer is recomputed" if allowed[-1] == "full" else f"with `recompute: {allowed[-1]}`"
    where = f"each of {training.devices} {device.title}" if training.devices > 1 else f"one {device.title}"
    help_ = " or ".join(_ways_out(training, device, longest, supervised))
    raise Refused(
        f"A sample of {longest:,} tokens does not fit: on {where} it takes {needed:.1f} GiB {how}, "
        f"and {_room(device) / GIB:.1f} of the {device.memory_gib:g} GiB are planned with. Take {help_}."
    )


def _held(training: Training) -> Memory:
    """What does not depend on the tokens."""
    language, tower, projector = training.language, training.tower, training.projector
    if not training.whole:
        body = language.body * (_NF4 if training.lora and training.lora.quantize == "4bit" else _HALF)
        frozen = body + _HALF * (language.parameters - language.body + tower.parameters)
        learnt = projector + training.adapters
        return Memory(frozen + _FULL * learnt, _FULL * learnt, 2 * _FULL * learnt, _HALF * learnt, 0, 0)
    # FSDP2: https://pytorch.org/docs/stable/distributed.fsdp.fully_shard.html. The root holds what is in no layer; a
    # layer is gathered while the one before computes. Gradients come in bfloat16 and are summed in float32.
    share = (language.parameters + projector) / training.devices
    root = language.parameters - language.body + projector
    fresh = _HALF * language.head + (_HALF + _FULL) * language.layer
    return Memory(
        weights=_FULL * share + _HALF * tower.parameters,
        gradients=_FULL * share + fresh,
        moments=2 * _FULL * share,
        gathered=_HALF * (root + 2 * language.layer),
        activations=0,
        logits=0,
    )


def _per_token(training: Training, recompute: Recompute) -> int:
    """Bytes of activations per token: of all layers, of the embedding and the last norm.

    `selective` keeps a layer's input and the outputs of matrix products and attention, `full` its input alone; the one
    layer whose backward pass runs has all of its own.
    """
    language = training.language
    whole = layer_bytes(language, training.whole, training.lora)
    outside = (_HALF + _FULL + 2 * _HALF) * language.hidden
    if recompute == "none":
        return language.layers * whole + outside
    kept = language.hidden
    if recompute == "selective":
        kept += sum(outputs for _, outputs in language.linears) + language.queries
    return language.layers * _HALF * kept + whole + outside


def _room(device: Device) -> float:
    return device.memory_gib * GIB * (1 - MARGIN)


def _fitting(training: Training, device: Device, recompute: Recompute, most: int, supervised: float) -> int:
    """Tokens that fit, at most `most`; fewer are a round number."""
    held = memory_of(training, 0, recompute, supervised).total
    per_token = memory_of(training, 1, recompute, supervised).total - held
    tokens = max(0, int((_room(device) - held) / per_token))
    return most if tokens >= most else tokens // _TOKENS_STEP * _TOKENS_STEP


def _ways_out(training: Training, device: Device, longest: int, supervised: float) -> list[str]:
    """What would make the longest sample fit: recomputation that was not allowed, else the fewest devices of a power of
    two, LoRA, LoRA on 4 bits."""

    def fits(other: Training) -> bool:
        return _fitting(other, device, "full", longest, supervised) >= longest

    def on(devices: int) -> Training:
        return Training(training.language, training.tower, training.trains, training.lora, devices)

    if fits(training):
        return ["`recompute: full`"]
    found = []
    if training.whole:
        devices = training.devices
        while devices < _MOST_DEVICES and not fits(on(devices)):
            devices *= 2
        found = [f"{devices} devices"] if fits(on(devices)) else []
    for option, quantize in (("", "none"), (", quantize: 4bit", "4bit")):
        lora = Lora.model_validate({"rank": 128, "alpha": 256, "quantize": quantize})
        other = Training(training.language, training.tower, "projector+language", lora, training.devices)
        if training.trains == "projector+language" and fits(other):
            return [*found, f"adapters in its place (`lora: {{rank: 128, alpha: 256{option}}}`)"]
    return [*found, "devices with more memory"]
