"""Memory: activations against what autograd keeps, and the least recomputation that fits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

from vertebra.catalog import Catalog
from vertebra.costs import GIB, MARGIN, RECOMPUTES, Architecture, Tower, Training, ladder, memory_of
from vertebra.costs.memory import layer_bytes
from vertebra.costs.training import Trains
from vertebra.errors import Refused
from vertebra.spec import Device, Lora

CATALOG = Catalog.installed()
H100, H200, A100_40, RTX = (CATALOG.device(name) for name in ("h100", "h200", "a100-40", "4090"))


def training(name: str, devices: int, trains: Trains = "projector+language", lora: Lora | None = None) -> Training:
    language = Architecture.of(CATALOG.backbone(name).config)
    family = CATALOG.family("llava-1.5")
    tower = Tower.of(family.config, family.layers)
    assert language
    assert tower
    return Training(language, tower, trains, lora, devices)


def kept(config: LlamaConfig, frozen: bool, tokens: int) -> int:
    """Bytes that autograd keeps of one layer's forward, its weights and tables of positions left out."""
    layer = LlamaDecoderLayer(config, 0).to(torch.bfloat16).requires_grad_(not frozen)
    states = torch.randn(1, tokens, config.hidden_size, dtype=torch.bfloat16, requires_grad=True)
    positions = LlamaRotaryEmbedding(config)(states, torch.arange(tokens)[None])
    known = {tensor.untyped_storage().data_ptr() for tensor in (*layer.parameters(), *positions)}
    found: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            found[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(states, position_embeddings=positions)
    return sum(storage.nbytes() for storage in found.values())


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("kv", [2, 8])
def test_a_layers_activations_are_what_autograd_keeps(frozen: bool, kv: int) -> None:
    """To 2 %: the sums per row of norms and attention are not counted."""
    config = LlamaConfig(
        hidden_size=256, intermediate_size=688, num_hidden_layers=1, num_attention_heads=8, num_key_value_heads=kv,
        vocab_size=16, attn_implementation="sdpa",
    )  # fmt: skip
    language = Architecture.of(config.to_dict())
    assert language
    per_token = kept(config, frozen, tokens=128) / 128
    assert layer_bytes(language, training=not frozen) == pytest.approx(per_token, rel=0.02)


def test_vicunas_layers_keep_45_bytes_per_hidden_unit_trained_and_32_frozen() -> None:
    language = training("vicuna-7b", 8).language
    assert layer_bytes(language, training=True) / 4096 == pytest.approx(45.5, abs=0.05)
    assert layer_bytes(language, training=False) / 4096 == pytest.approx(32.1, abs=0.05)


def test_adamw_of_7b_takes_108_gb_in_all_and_13_on_each_of_eight() -> None:
    """16 bytes per weight: float32 weights, gradients and two moments."""
    for devices in (1, 8):
        found = training("vicuna-7b", devices)
        held = memory_of(found, 0)
        unsharded = memory_of(training("vicuna-7b", 10**9), 0)
        state = held.weights + held.gradients + held.moments - unsharded.weights - unsharded.gradients
        assert state / 1e9 == pytest.approx(108 / devices, rel=0.01)


def test_a_frozen_language_model_is_whole_on_every_device() -> None:
    few, many = (memory_of(training("vicuna-7b", devices, "projector"), 0) for devices in (1, 64))
    assert few == many
    assert few.weights / 1e9 == pytest.approx(2 * 6.738 + 2 * 0.303 + 4 * 0.021, rel=0.01)


def test_four_bits_leave_a_quarter_of_the_frozen_layers() -> None:
    plain, small = (
        memory_of(training("vicuna-7b", 1, lora=Lora(rank=64, alpha=128, quantize=quantize)), 0)
        for quantize in ("none", "4bit")
    )
    assert (plain.weights - small.weights) / (2 * 6.476e9) == pytest.approx(0.742, abs=0.001)
    assert plain.moments == small.moments


@pytest.mark.parametrize("trains", ["projector", "projector+language"])
def test_each_rung_keeps_less_than_the_one_before(trains: Trains) -> None:
    sizes = [memory_of(training("llama-3-8b", 8, trains), 8192, recompute).activations for recompute in RECOMPUTES]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


@given(
    memory=st.floats(8, 300),
    devices=st.sampled_from([1, 2, 8, 64]),
    wanted=st.integers(1, 60_000),
    name=st.sampled_from(["phi-3-mini", "llama-3-8b", "vicuna-13b"]),
    trains=st.sampled_from(["projector", "projector+language"]),
)
def test_what_the_ladder_gives_fits_and_less_recomputation_would_not(
    memory: float, devices: int, wanted: int, name: str, trains: Trains
) -> None:
    device = Device(title="Some", memory_gib=memory, peak_tflops=100)
    found, longest, room = training(name, devices, trains), 2048, memory * GIB * (1 - MARGIN)
    try:
        rung = ladder(found, device, wanted, longest, 0.2)
    except Refused:
        assert memory_of(found, longest, "full", 0.2).total > room
        return
    assert rung.memory == memory_of(found, rung.tokens, rung.recompute, 0.2)
    assert rung.memory.total <= room * (1 + 1e-9)
    assert longest <= rung.tokens <= max(wanted, longest)
    for less in RECOMPUTES[: RECOMPUTES.index(rung.recompute)]:
        assert memory_of(found, longest, less, 0.2).total > room
    if rung.tokens < wanted:
        assert memory_of(found, rung.tokens + 256, rung.recompute, 0.2).total > room


def test_a_device_is_given_no_more_than_its_share_of_the_batch() -> None:
    assert ladder(training("phi-3-mini", 8), H200, wanted=5000, longest=2048).tokens == 5000


def test_a_sample_of_full_length_fits_though_the_share_is_shorter() -> None:
    assert ladder(training("phi-3-mini", 8), H200, wanted=600, longest=2048).tokens == 2048


def test_only_what_is_allowed_is_tried_and_named_where_it_does_not_fit() -> None:
    found = training("vicuna-13b", 8)
    with pytest.raises(Refused, match=r"GiB with `recompute: none`, and 35\.5 .* Take `recompute: full`\."):
        ladder(found, A100_40, wanted=14_000, longest=2048, allowed=("none",))
    assert ladder(training("phi-3-mini", 8), H200, wanted=5000, longest=2048, allowed=("full",)).recompute == "full"


def test_vicuna_13b_fits_eight_of_40_gb_only_when_recomputed() -> None:
    """The published run took ZeRO-3, gradient checkpointing and 80 GB parts."""
    rung = ladder(training("vicuna-13b", 8), A100_40, wanted=14_000, longest=2048, supervised=0.2)
    assert rung.recompute == "full"


def test_7b_whole_on_one_small_card_is_refused_with_what_would_help() -> None:
    with pytest.raises(Refused) as refused:
        ladder(training("vicuna-7b", 1), RTX, wanted=14_000, longest=2048)
    said = str(refused.value)
    assert "on one NVIDIA GeForce RTX 4090 it takes 105." in said
    assert "Take 8 devices or adapters in its place (`lora: {rank: 128, alpha: 256" in said


def test_what_would_help_does_help() -> None:
    assert math.isfinite(ladder(training("vicuna-7b", 8), RTX, wanted=14_000, longest=2048).memory.total)
    with pytest.raises(Refused):
        ladder(training("vicuna-7b", 4), RTX, wanted=14_000, longest=2048)
    lora = Lora(rank=128, alpha=256, quantize="4bit")
    assert ladder(training("llama-3-8b", 1, lora=lora), RTX, wanted=14_000, longest=2048).tokens >= 2048


def test_a_frozen_model_that_does_not_fit_needs_a_larger_device() -> None:
    with pytest.raises(Refused, match=r"Take devices with more memory\.$"):
        ladder(training("vicuna-13b", 8, "projector"), RTX, wanted=14_000, longest=2048)
