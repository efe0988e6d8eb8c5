"""What a stage trains, what it learns from, and what stops it."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from tests.anatomy import assembled
from tests.train.conftest import spoken

from vertebra.chat import Conversation, Turn
from vertebra.data import Batch, Schedule, open_mixture
from vertebra.errors import VertebraError
from vertebra.files import read_rows
from vertebra.model import VisionLanguageModel, load, save
from vertebra.spec import Runtime
from vertebra.train import train
from vertebra.train.fit import Recipe, collator_for, learn, loss_of
from vertebra.train.optimizer import cosine, optimizer_of

FAMILIES = ["llava", "vip_llava"]
BACKBONES = {"llava": "vicuna-s", "vip_llava": "phi-3"}


def batch_of(laid, model: VisionLanguageModel, *names: str) -> Batch:
    """The records of these ids, in the first epoch's words."""
    recipe = Recipe.of(laid.steps[0].spec)
    dataset = open_mixture(recipe.mixture, laid.root, recipe.seed)
    order = {record.id: index for index, record in enumerate(dataset.records)}
    return collator_for(model, recipe)([dataset.sample(order[name], 0) for name in names])


def changed(before: VisionLanguageModel, after: VisionLanguageModel) -> set[str]:
    """The parts of a network in which any weight differs."""
    others = dict(after.network.named_parameters())
    return {
        name.removeprefix("model.").split(".")[0]
        for name, weight in before.network.named_parameters()
        if not torch.equal(weight, others[name])
    }


@pytest.mark.parametrize("model", FAMILIES)
def test_each_stage_changes_what_it_trains_and_never_the_tower(training, model):
    name = BACKBONES[model]
    pretrain = {"trains": "projector", "chat": "plain", "square": "crop", "mixture": "few", "epochs": 0.5}
    laid = training(model, name, pretrain, {"epochs": 0.5})
    train(laid.bench("first"), Runtime())
    train(laid.bench("second", model=laid.root / "first" / "out", stage=1), Runtime())
    fresh, first, second = assembled(model, name), load(laid.root / "first/out"), load(laid.root / "second/out")
    assert changed(fresh, first) == {"multi_modal_projector"}
    assert changed(first, second) == {"multi_modal_projector", "language_model", "lm_head"}


def test_every_weight_of_the_language_model_is_trained(training):
    laid = training("llava", "llama-3", {"epochs": 0.5})
    train(laid.bench("run"), Runtime())
    before, after = assembled("llava", "llama-3").network, load(laid.root / "run/out").network
    pairs = zip(before.named_parameters(), after.parameters(), strict=True)
    still = {name.split(".")[1] for (name, weight), trained in pairs if torch.equal(weight, trained)}
    assert still == {"vision_tower"}


@pytest.mark.parametrize("model", FAMILIES)
def test_the_loss_is_that_of_transformers(training, model):
    laid = training(model, BACKBONES[model])
    whole = assembled(model, BACKBONES[model])
    batch = batch_of(laid, whole, "0", "w3", "v7w-5", "w0")
    with torch.no_grad():
        expected = whole.network(input_ids=batch.ids, pixel_values=batch.pixels, labels=batch.labels).loss
        torch.testing.assert_close(loss_of(whole, batch), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("model", FAMILIES)
def test_a_batchs_gradient_is_the_mean_of_its_halves_by_supervised_tokens(training, model):
    laid = training(model, BACKBONES[model])
    whole = assembled(model, BACKBONES[model])
    names = ["0", "w3", "v7w-5", "w0", "refcocog-6"]
    batch, halves = batch_of(laid, whole, *names), [batch_of(laid, whole, *part) for part in (names[:2], names[2:])]
    assert halves[0].supervised != halves[1].supervised
    assert batch.supervised == sum(half.supervised for half in halves)
    wanted = [weight for name, weight in whole.network.named_parameters() if "vision_tower" not in name]
    gradient = torch.autograd.grad(loss_of(whole, batch), wanted)
    parts = [torch.autograd.grad(loss_of(whole, half), wanted) for half in halves]
    shares = [half.supervised / batch.supervised for half in halves]
    for together, *apart in zip(gradient, *parts, strict=True):
        mean = sum(share * part for share, part in zip(shares, apart, strict=True))
        torch.testing.assert_close(together, mean, rtol=0, atol=1e-6)


def test_text_alone_leaves_a_projector_to_its_momentum(training):
    """As in the published training, where text comes with a blank picture: its gradient is nought, not missing."""
    laid = training("llava", "vicuna-s", {"trains": "projector"})
    whole = assembled("llava", "vicuna-s")
    whole.network.requires_grad_(False)
    projector = whole.network.model.multi_modal_projector.requires_grad_(True)
    optimizer = optimizer_of(projector.parameters(), 1e-3)
    states = [[weight.clone() for weight in projector.parameters()]]
    for name in ("w0", "0", "w0"):
        learn(whole, batch_of(laid, whole, name), optimizer)
        states.append([weight.clone() for weight in projector.parameters()])
    moved = [not all(torch.equal(*pair) for pair in zip(one, other, strict=True)) for one, other in pairwise(states)]
    assert moved == [False, True, True]
    assert {int(state["step"]) for state in optimizer.state.values()} == {3}


def test_a_stage_learns_from_several_images_and_names_what_does_not_fit(training):
    laid = training("llava", "vicuna-s", {"max_tokens": 180, "batch": 13})
    records = json.loads((laid.root / "few.json").read_text())
    two, many = (
        {**spoken(name, "Is it <image> or <image>?" + "<image>" * more, "no"), "image": ["0.png"] * (2 + more)}
        for name, more in (("two", 0), ("many", 9))
    )
    (laid.root / "few.json").write_text(json.dumps([*records, two, many]))
    batch = batch_of(laid, assembled("llava", "vicuna-s"), "two", "w0", "many", "0")
    assert (batch.samples, batch.lost) == (("two", "w0", "0"), ("many",))
    assert batch.pixels is not None
    assert len(batch.pixels) == 3
    train(laid.bench("run"), Runtime())
    rows = read_rows(laid.root / "run" / "log.jsonl")
    assert [row["lost"] for row in rows if "lost" in row] == [["many"]]


def test_records_that_were_left_out_are_told_first_in_the_log(training):
    laid = training("llava", "vicuna-s", {"epochs": 0.2})
    bench = laid.bench("run")
    records = json.loads((laid.root / "few.json").read_text())
    unanswered = [{"id": f"u{number}", "conversations": []} for number in range(21)]
    (laid.root / "few.json").write_text(json.dumps([*records, *unanswered]))
    bench.spec["mixture"]["faulty"] = 0.9
    train(bench, Runtime())
    first, *others = read_rows(laid.root / "run" / "log.jsonl")
    assert (first["left_out"], len(first["faults"])) == (21, 20)
    assert "record 11 (id u0): `conversations` must go human, gpt" in first["faults"][0]
    assert others
    assert not any("left_out" in row for row in others)


def test_a_stage_of_text_alone_is_trained(training):
    laid = training("llava", "vicuna-s", {"mixture": "words"})
    train(laid.bench("run"), Runtime())
    fresh, trained = assembled("llava", "vicuna-s"), load(laid.root / "run/out")
    assert changed(fresh, trained) == {"language_model", "lm_head"}


def test_a_loss_that_is_not_finite_stops_and_names_the_records(training, tmp_path):
    laid = training("llava", "vicuna-s")
    whole = assembled("llava", "vicuna-s")
    with torch.no_grad():
        whole.network.lm_head.weight[7, 3] = math.nan
    save(whole, tmp_path)
    bench = laid.bench("run", model=tmp_path)
    with pytest.raises(VertebraError, match=r"The loss is nan on the batch of the records .*\. Stopped") as caught:
        train(bench, Runtime())
    dataset = open_mixture(Recipe.of(bench.spec).mixture, laid.root, 0)
    _, first = Schedule(len(dataset), 3, 1, 0).at(0)
    assert ", ".join(dataset.records[index].id for index in first) in str(caught.value)
    assert list(bench.out.iterdir()) == []


def test_weights_that_are_not_finite_at_the_end_are_not_saved(training, tmp_path):
    """A word that no record says: no loss tells of it."""
    laid = training("llava", "vicuna-s", {"batch": 11})
    whole = assembled("llava", "vicuna-s")
    with torch.no_grad():
        whole.network.get_input_embeddings().weight[-1, 0] = math.inf
    save(whole, tmp_path)
    bench = laid.bench("run", model=tmp_path)
    with pytest.raises(VertebraError, match=r"After the last batch \S+embed_tokens\.weight is not finite"):
        train(bench, Runtime())
    assert list(bench.out.iterdir()) == []


def test_the_log_holds_a_line_about_once_a_second_and_the_last_step(training):
    laid = training("llava", "vicuna-s", {"batch": 1})
    train(laid.bench("run"), Runtime())
    rows = read_rows(laid.root / "run" / "log.jsonl")
    seconds = rows[-1]["time"] - rows[0]["time"]
    assert [rows[0]["step"], rows[-1]["step"]] == [1, 11]
    assert len(rows) <= seconds + 2
    assert rows[-1]["learning_rate"] == 1e-3 * cosine(10, 11, 0.2)
    assert rows[-1]["supervised"] > 0
    assert math.isfinite(rows[-1]["loss"])


def test_a_step_without_a_checkpoint_due_keeps_none(training):
    laid = training("llava", "vicuna-s", {"epochs": 0.5})
    train(laid.bench("run"), Runtime())
    assert not (laid.root / "run" / "checkpoints").exists()


def test_training_lowers_the_loss(training):
    laid = training("llava", "vicuna-s", {"epochs": 10, "batch": 11, "learning_rate": 3e-3})
    train(laid.bench("run"), Runtime())
    rows = read_rows(laid.root / "run" / "log.jsonl")
    assert rows[-1]["loss"] < rows[0]["loss"] - 1


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
    assert collator_for(model, recipe).chat.render(caption) == "<s><image>a cat\n"
    assert collator_for(model, quirky).chat.render(caption) == "<image>a cat\n"
