"""A stage's recipe as its plan wrote it, and what it reads."""

import json
from dataclasses import replace

import pytest
from tests.anatomy import assembled

from vertebra.chat import Conversation, Turn
from vertebra.errors import Stopped
from vertebra.spec import Runtime
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
