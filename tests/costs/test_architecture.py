"""Sizes of models by the fields of config.json, against what transformers builds of them."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, CLIPVisionConfig, CLIPVisionModel

from vertebra.catalog import Catalog
from vertebra.costs import Architecture, Tower
from vertebra.model.contract import shrunk
from vertebra.model.parts import config_of

CATALOG = Catalog.installed()
VICUNA = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}
CLIP = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "image_size": 336,
    "patch_size": 14,
}
PUBLISHED = [name for name in CATALOG.names("backbones") if CATALOG.backbone(name).config]


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_model_that_transformers_builds(name: str, tmp_path: Path) -> None:
    """`shrunk` must stay able to make it small, whatever sizes the backbone's file tells."""
    backbone = CATALOG.backbone(name)
    config = config_of(backbone, tmp_path)
    with torch.device("meta"):
        built = AutoModelForCausalLM.from_config(config)
        small = AutoModelForCausalLM.from_config(shrunk(config))
    counted = Architecture.of(backbone.config)
    assert counted
    assert counted.parameters == pytest.approx(built.num_parameters(), rel=2e-3)
    assert small.num_parameters() < built.num_parameters() / 10
    assert (small.config.num_hidden_layers, small.config.hidden_size) == (2, 64)


def test_body_and_head_of_vicuna_7b_are_as_published() -> None:
    """Llama-2-7B has 6,738,415,616 weights (arXiv:2307.09288), 65 x 4096 of which are norms."""
    found = Architecture.of(VICUNA)
    assert found
    assert (found.body, found.head, found.parameters) == (6_476_005_376, 131_072_000, 6_738_415_616 - 65 * 4096)


@pytest.mark.parametrize("lacking", VICUNA)
def test_a_config_that_lacks_a_size_is_no_architecture(lacking: str) -> None:
    assert Architecture.of({name: size for name, size in VICUNA.items() if name != lacking}) is None


def test_a_mixture_of_experts_is_not_counted_as_a_dense_model() -> None:
    assert Architecture.of({**VICUNA, "num_local_experts": 8}) is None


def test_layers_that_do_not_attend_are_not_counted_as_if_they_did() -> None:
    assert Architecture.of({**VICUNA, "layer_types": ["full_attention", "sliding_attention"]}) is not None
    assert Architecture.of({**VICUNA, "layer_types": ["conv", "full_attention"]}) is None


def test_a_gelu_means_two_matrices_unless_it_is_a_gate_s() -> None:
    plain = Architecture.of({**VICUNA, "hidden_act": "gelu_new"})
    gemma = Architecture.of({**VICUNA, "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh"})
    assert plain
    assert gemma
    assert (plain.gated, gemma.gated) == (False, True)
    assert gemma.layer - plain.layer == 4096 * 11008


def test_a_tied_head_is_no_second_matrix() -> None:
    tied, own = (Architecture.of({**VICUNA, "tie_word_embeddings": tie}) for tie in (True, False))
    assert tied
    assert own
    assert own.parameters - tied.parameters == own.head


@pytest.mark.parametrize(
    ("layers", "used", "channels"),
    [((-2,), 23, 1024), ((-2, -5, -8, -11, 6), 23, 5120), ((-1,), 24, 1024), ((6, 3), 6, 2048)],
)
def test_a_tower_runs_up_to_the_last_hidden_state_that_is_read(
    layers: tuple[int, ...], used: int, channels: int
) -> None:
    tower = Tower.of(CLIP, layers)
    assert tower
    assert (tower.used, tower.channels, tower.patches) == (used, channels, 576)


def test_a_tower_has_no_layers_beyond_its_own() -> None:
    assert Tower.of(CLIP, (-26,)) is None
    assert Tower.of({"hidden_size": 1024}, (-2,)) is None


def test_an_image_costs_366_gflop_in_23_layers_and_382_in_all() -> None:
    """Counted by hand: 23*(4*1024^2 + 2*1024*4096)*2*577 + 23*4*577^2*1024, and 0.7e9 to embed the patches."""
    used, whole = Tower.of(CLIP, (-2,)), Tower.of(CLIP, (-1,))
    assert used
    assert whole
    assert used.forward_flops / 1e9 == pytest.approx(366, abs=0.5)
    assert whole.forward_flops / 1e9 == pytest.approx(382, abs=0.5)


def test_a_tower_s_parameters_are_those_of_the_model_that_transformers_builds() -> None:
    with torch.device("meta"):
        built = CLIPVisionModel(CLIPVisionConfig(num_attention_heads=16, **CLIP))
    tower = Tower.of(CLIP, (-2,))
    assert tower
    assert tower.parameters == pytest.approx(built.num_parameters(), rel=2e-3)


@pytest.mark.parametrize("name", ["llava-1.5", "llava-1.5-lora", "vip-llava", "vip-llava-lora"])
def test_every_family_says_the_sizes_of_its_tower(name: str) -> None:
    family = CATALOG.family(name)
    assert family.config == CLIP
    assert "config" not in family.preimage()
