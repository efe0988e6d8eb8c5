"""A stage's recipe as its plan wrote it, and what it reads."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from tests.anatomy import assembled, parts
from transformers import StableLmConfig, StableLmForCausalLM

from vertebra.chat import Conversation, Turn
from vertebra.errors import Stopped
from vertebra.files import read_rows
from vertebra.runtime import Runtime
from vertebra.train import train
from vertebra.train.stage import Recipe


def test_a_recipe_is_what_the_plan_wrote(training):
    laid = training("vip_llava", "phi-3", {"square": "crop", "max_tokens": 99}, seed=4)
    recipe = Recipe.of(json.loads(json.dumps(laid.steps[0].spec)))
    assert (recipe.seed, recipe.stage.square, recipe.stage.max_tokens) == (4, "crop", 99)
    assert (recipe.family.model, recipe.family.layers) == ("vip_llava", (-2, -3, -4, -5, 1))
    assert (recipe.backbone.pad, recipe.mixture.records) == ("<|placeholder2|>", ("few.json",))


def test_captions_follow_the_backbones_quirks(training):
    laid = training("llava", "vicuna-s", {"chat": "plain"})
    recipe = Recipe.of(laid.steps[0].spec)
    quirky = replace(recipe, backbone=recipe.backbone.model_copy(update={"compat": ("captions_without_bos",)}))
    model = assembled("llava", "vicuna-s")
    caption = Conversation((Turn("user", "", images=1), Turn("assistant", "a cat")))
    assert recipe.speech(model).chat.render(caption) == "<s><image>a cat\n"
    assert quirky.speech(model).chat.render(caption) == "<image>a cat\n"


def test_reading_a_mixture_is_told(training):
    laid, told = training("llava", "vicuna-s", {"epochs": 0.2}), []
    train(replace(laid.bench("run"), progress=lambda *place: told.append(place)), Runtime())
    assert {(0, 11, "records", "reading"), (11, 11, "records", "reading")} < set(told)


def test_a_signal_ends_the_reading_and_nothing_is_left_of_it(training):
    laid, told = training("llava", "vicuna-s"), []
    bench = replace(laid.bench("run"), progress=lambda *place: told.append(place), stopping=lambda: bool(told))
    with pytest.raises(Stopped):
        train(bench, Runtime())
    assert told == [(0, 0, "records", "reading")]
    assert [*bench.cache.iterdir()] == [*bench.out.iterdir()] == []


def test_a_backbone_that_cannot_be_packed_is_padded_and_the_reason_told(training, tmp_path):
    """StableLM's code does not hand on where samples lie."""
    weights = tmp_path / "stable"
    shutil.copytree(parts() / "vicuna-s", weights, ignore=shutil.ignore_patterns("model.safetensors", "config.json"))
    words = assembled("llava", "vicuna-s").network.config.text_config.vocab_size
    config = StableLmConfig(vocab_size=words, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                            num_attention_heads=2, num_key_value_heads=2, bos_token_id=1, eos_token_id=2)  # fmt: skip
    torch.manual_seed(0)
    StableLmForCausalLM(config).save_pretrained(weights)
    laid, said = training("llava", "vicuna-s", {"epochs": 2}, weights=str(weights)), []
    train(replace(laid.bench("run"), note=said.append), Runtime())
    train(replace(laid.bench("asked"), note=said.append), Runtime(packing="padded"))
    (reason,) = said
    assert reason.startswith("Samples are padded and not packed, which takes longer: ")
    assert "StableLmAttention does not hand on where samples lie" in reason
    assert read_rows(laid.root / "asked" / "log.jsonl")[0]["packing"] == "padded: asked for"
    assert laid.result("run") == laid.result("asked")
