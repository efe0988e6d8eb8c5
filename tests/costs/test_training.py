"""Floating-point operations per sample, against numbers counted elsewhere and against torch's own count."""

import pytest
import torch
from peft import LoraConfig, LoraModel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, LlamaConfig

from vertebra.catalog import Catalog
from vertebra.costs import Architecture, Samples, Tower, Training, Trains
from vertebra.spec import Lora

CATALOG = Catalog.installed()
CAPTION = Samples(593, 593**2, 17, 1)
CHAT = Samples(886, 8.5e5, 155, 0.939)
NONE = Tower(64, 64, 1, 16, 14, 1)
"""A tower whose images nobody looks at."""
SMALL = LlamaConfig(
    hidden_size=64, intermediate_size=176, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    vocab_size=96,
)  # fmt: skip


def training(name: str, trains: Trains, lora: Lora | None = None, family: str = "llava-1.5") -> Training:
    language = Architecture.of(CATALOG.backbone(name).config)
    chosen = CATALOG.family(family)
    tower = Tower.of(chosen.config, chosen.layers)
    assert language
    assert tower
    return Training(language, tower, trains, lora)


@pytest.mark.parametrize(
    ("name", "pretrain", "finetune"),
    [
        ("vicuna-7b", 16.1, 35.7),
        ("vicuna-13b", 31.1, 69.3),
        ("llama-3-8b", 17.4, 38.8),
        ("phi-3-mini", 9.3, 20.3),
        ("qwen2.5-7b", 16.2, 36.2),
        ("qwen3-4b", 9.4, 20.9),
        ("qwen2.5-0.5b", 1.28, 2.51),
    ],
)
def test_a_sample_costs_what_was_counted_by_hand(name: str, pretrain: float, finetune: float) -> None:
    """TFLOP per sample of LLaVA-1.5's stages, from this project's study of training throughput, section 2.3."""
    assert training(name, "projector").flops(CAPTION) / 1e12 == pytest.approx(pretrain, rel=0.02)
    assert training(name, "projector+language").flops(CHAT) / 1e12 == pytest.approx(finetune, rel=0.02)


@pytest.mark.parametrize(("trains", "frozen"), [("projector", True), ("projector+language", False)])
def test_the_matrices_cost_what_torch_counts(trains: Trains, frozen: bool) -> None:
    """Attention is left out: torch counts the whole square of it, and its backward as the kernel at hand does."""
    model = AutoModelForCausalLM.from_config(SMALL).requires_grad_(not frozen)
    states = torch.randn(1, 32, 64, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        model(inputs_embeds=states, use_cache=False).logits.sum().backward()
    counts = counter.get_flop_counts()["Global"]
    counted = sum(count for operation, count in counts.items() if "attention" not in str(operation))
    language = Architecture.of(SMALL.to_dict())
    assert language
    assert Training(language, NONE, trains).flops(Samples(32, 0, 32, 0)) == counted


def test_a_projector_costs_its_forward_and_three_of_four_products_backward() -> None:
    """24.2 GFLOP forward and 43.5 backward for 576 tokens, 1024 to 4096 to 4096."""
    found = training("vicuna-7b", "projector")
    image = found.flops(Samples(0, 0, 0, 1)) - found.tower.forward_flops
    assert image / 1e9 == pytest.approx(24.2 + 43.5, abs=0.1)


def test_vip_llavas_projector_is_wider() -> None:
    """ViP-LLaVA-7B reads five layers of 1024: 37.77 M weights with its norm and biases."""
    found = training("vicuna-7b", "projector", family="vip-llava")
    assert found.projector == (5 * 1024 + 4096) * 4096
    assert found.projector / 1e6 == pytest.approx(37.77, abs=0.05)


def test_frozen_weights_cost_no_gradient_of_their_own() -> None:
    whole, frozen = (training("vicuna-7b", trains) for trains in ("projector+language", "projector"))
    token = Samples(1, 0, 0, 0)
    assert whole.flops(token) == 6 * whole.language.body
    assert frozen.flops(token) == 4 * whole.language.body


def test_attention_backward_is_two_and_a_half_times_its_forward() -> None:
    found = training("llama-3-8b", "projector")
    assert found.flops(Samples(0, 100.0, 0, 0)) == 3.5 * 2 * 100 * 4096 * 32


def test_adapters_are_as_many_as_peft_puts_in() -> None:
    lora = Lora(rank=8, alpha=16)
    model = AutoModelForCausalLM.from_config(SMALL)
    LoraModel(model, LoraConfig(r=8, target_modules="all-linear", exclude_modules=["lm_head"]), "default")
    language = Architecture.of(SMALL.to_dict())
    assert language
    found = Training(language, NONE, "projector+language", lora)
    assert found.adapters == sum(weight.numel() for name, weight in model.named_parameters() if ".lora_" in name)


def test_adapters_learn_beside_frozen_weights() -> None:
    found = training("vicuna-7b", "projector+language", Lora(rank=128, alpha=256))
    assert found.flops(Samples(1, 0, 0, 0)) == 4 * found.language.body + 6 * found.adapters
    assert not found.whole


def test_samples_are_summed_from_lengths() -> None:
    assert Samples.of([3, 4], supervised=2, images=1) == Samples(7, 25, 2, 1)
    assert Samples(7, 25, 2, 1).times(2) == Samples(14, 50, 4, 2)
