"""What a stage trains, what it learns from, and what stops it."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from tests.anatomy import assembled
from tests.train.conftest import ALONE, BACKBONES, FAMILIES, changed, spoken, weights

from vertebra.data import Eyes, Schedule
from vertebra.errors import DataError, VertebraError
from vertebra.files import read_rows
from vertebra.model import load, save
from vertebra.runtime import Runtime
from vertebra.train import train
from vertebra.train.fit import learn
from vertebra.train.learner import Learner
from vertebra.train.optimizer import cosine, optimizer_of


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
def test_the_loss_of_a_batch_is_transformers_mean_over_its_supervised_tokens(training, model):
    laid = training(model, BACKBONES[model], {"batch": 11})
    train(laid.bench("run"), Runtime())
    fresh = assembled(model, BACKBONES[model])
    corpus, eyes, total = laid.corpus(fresh), Eyes.of(fresh, "pad"), 0.0
    with torch.no_grad():
        for sample in (corpus.sample(index) for index in range(len(corpus))):
            ids, labels = (torch.from_numpy(part).long().unsqueeze(0) for part in (sample.ids, sample.labels))
            pixels = eyes.pixels(sample.images) if sample.images else None
            loss = fresh.network(input_ids=ids, pixel_values=pixels, labels=labels).loss
            total += float(loss) * int((labels[:, 1:] >= 0).sum())
    assert laid.log("run")[0]["loss"] == pytest.approx(total / corpus.supervised.sum(), abs=1e-5)


@pytest.mark.parametrize(
    "runtime",
    [
        Runtime(pack_tokens=1),
        Runtime(pack_tokens=300, decoders=3),
        Runtime(packing="padded", pack_tokens=500),
        Runtime(recompute="selective"),
        Runtime(recompute="full"),
    ],
    ids=lambda runtime: ",".join(
        f"{name}={value}" for name, value in runtime.model_dump(exclude_defaults=True).items()
    ),
)
def test_how_a_batch_is_worked_on_moves_no_weight(training, runtime):
    laid = training("vip_llava", "phi-3", {"batch": 6, "epochs": 2})
    train(laid.bench("plain"), Runtime())
    train(laid.bench("other"), runtime)
    wanted, found = (weights(laid.root / name / "out") for name in ("plain", "other"))
    assert {name: float((wanted[name] - found[name]).abs().max()) for name in wanted} == pytest.approx(
        dict.fromkeys(wanted, 0), abs=1e-5
    )
    assert laid.log("other")[-1]["loss"] == pytest.approx(laid.log("plain")[-1]["loss"], abs=1e-5)


def test_text_alone_leaves_a_projector_to_its_momentum(training):
    """As in the published training, where text comes with a blank picture: its gradient is nought, not missing."""
    laid = training("llava", "vicuna-s", {"trains": "projector"})
    whole = assembled("llava", "vicuna-s")
    packs = [laid.pack(whole, name) for name in ("w0", "0", "w0")]
    whole.network.requires_grad_(False)
    projector = whole.network.model.multi_modal_projector.requires_grad_(True)
    learner = Learner(whole.network, Eyes.of(whole, "pad"), torch.float32)
    optimizer = optimizer_of(projector.parameters(), 1e-3)
    states = [[weight.clone() for weight in projector.parameters()]]
    for pack in packs:
        learn(learner, iter([pack._replace(segments=None)]), ALONE)
        optimizer.step()
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
    train(laid.bench("run"), Runtime())
    facts = read_rows(laid.root / "run" / "log.jsonl")[0]
    assert facts["lost"] == {"number": 1, "first": ["many"]}
    (row,) = laid.log("run")
    assert (row["samples"], row["images"]) == (13, 7 + 2)


def test_a_stage_says_what_it_ran_on(training):
    laid = training("llava", "llama-3", {"epochs": 0.5})
    train(laid.bench("run"), Runtime(device="cpu"))
    assert [row["device"] for row in read_rows(laid.root / "run" / "log.jsonl") if "device" in row] == ["cpu"]


def test_a_stage_whose_samples_lose_their_answers_is_refused(training):
    laid = training("llava", "vicuna-s", {"max_tokens": 40})
    with pytest.raises(DataError, match=r"11 of 11 records are so long .* Raise the stage's `max_tokens`"):
        train(laid.bench("run"), Runtime())


def test_records_that_were_left_out_are_told_first_in_the_log(training):
    laid = training("llava", "vicuna-s", {"epochs": 0.2})
    bench = laid.bench("run")
    records = json.loads((laid.root / "few.json").read_text())
    unanswered = [{"id": f"u{number}", "conversations": []} for number in range(21)]
    (laid.root / "few.json").write_text(json.dumps([*records, *unanswered]))
    bench.spec["mixture"]["faulty"] = 0.9
    said: list[str] = []
    train(replace(bench, note=said.append), Runtime())
    first, *others = read_rows(laid.root / "run" / "log.jsonl")
    assert (first["faults"]["number"], len(first["faults"]["first"])) == (21, 20)
    assert said == ["Not every record is learnt from as it is (faults: 21): log.jsonl names them."]
    assert "record 11 (id u0): `conversations` must go human, gpt" in first["faults"]["first"][0]
    assert others
    assert not any("faults" in row for row in others)


def test_the_log_begins_with_how_long_samples_are_and_how_they_are_laid_out(training):
    laid = training("llava", "vicuna-s")
    train(laid.bench("run"), Runtime())
    train(laid.bench("padded"), Runtime(packing="padded"))
    corpus = laid.corpus(assembled("llava", "vicuna-s"))
    facts, padded = (read_rows(laid.root / name / "log.jsonl")[0] for name in ("run", "padded"))
    assert (facts["samples"], facts["tokens"], facts["steps"]) == (11, corpus.lengths.sum(), 4)
    assert (facts["packing"], padded["packing"]) == ("packed", "padded: asked for")
    assert facts["efficiency"] == 1


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
    corpus = laid.corpus(whole)
    _, first = Schedule(len(corpus), 3, 1, 0).at(0)
    assert ", ".join(corpus.name(index) for index in first) in str(caught.value)
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
        train(bench, Runtime(packing="padded"))
    assert list(bench.out.iterdir()) == []


def test_a_picture_that_cannot_be_read_names_its_record(training):
    laid = training("llava", "vicuna-s")
    (laid.root / "pictures" / "3.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"3\.png is not a picture .* \(record 3\)"):
        train(laid.bench("run"), Runtime())


def test_the_log_holds_a_line_about_once_a_second_and_the_last_step(training):
    laid = training("llava", "vicuna-s", {"batch": 1})
    train(laid.bench("run"), Runtime())
    rows = laid.log("run")
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
    rows = laid.log("run")
    assert rows[-1]["loss"] < rows[0]["loss"] - 1
