"""What several processes learn together is what one learns alone."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors import safe_open
from tests.anatomy import assembled
from tests.train.conftest import ALONE, EAGER, STEPS, Training, weights
from torch import nn
from transformers import AutoModelForImageTextToText, AutoProcessor

from vertebra.bench import Bench
from vertebra.data import Schedule
from vertebra.errors import Stopped
from vertebra.model import save
from vertebra.runtime import Runtime
from vertebra.train import train
from vertebra.train.distributed import joined, settle

LORA = {"rank": 4, "alpha": 8, "dropout": 0}
STAGES = {
    "whole": ("vip_llava", "phi-3", {}),
    "projector": ("llava", "vicuna-s", {"trains": "projector", "chat": "plain"}),
    "lora": ("llava", "llama-3", {"lora": LORA, "projector_learning_rate": 1e-3, "learning_rate": 1e-2}),
    "bfloat16": ("llava", "vicuna-s", {"precision": "bfloat16"}),
    "modality": ("llava", "vicuna-s", {"order": "by_modality", "mean_over": 2, "batch": 4}),
}
KINDS = list(STAGES)


class Pair(NamedTuple):
    """Stages learnt by one process (`alone`) and by two (`together`), and some that moved between the two."""

    laid: dict[str, Training]
    ended: list[list[str]]
    """For each process how each case ended."""


class Case(NamedTuple):
    bench: Bench
    runtime: Runtime = Runtime(devices=2)
    stop_after: int | None = None
    begun: int = 0

    def document(self) -> dict[str, object]:
        rest = {"stop_after": self.stop_after, "begun": self.begun}
        return {"bench": self.bench.document(), "runtime": self.runtime.model_dump(mode="json"), **rest}


def run_two(cases: list[Case], folder: Path) -> list[list[str]]:
    """Runs stages on two processes that are started once; how each ended for each of them."""
    path = folder / "cases.json"
    path.write_text(json.dumps([case.document() for case in cases]))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*torchrun, "-m", "tests.train.ranks", path], check=True, timeout=600, cwd=Path(__file__).parents[2])
    return [json.loads((folder / f"ended.{rank}.json").read_text()) for rank in range(2)]


@pytest.fixture(scope="module")
def pair(training: Callable[..., Training], tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Every stage on one process and on two; some stopped on one and gone on with on two, and the other way round."""
    laid = {kind: training(*STAGES[kind]) for kind in KINDS}
    broken = assembled("llava", "vicuna-s")
    with torch.no_grad():
        broken.network.lm_head.weight[7, 3] = math.nan
    save(broken, laid["bfloat16"].root / "broken")
    for kind, one in laid.items():
        save(assembled(*STAGES[kind][:2]), one.bench("fresh").out)
        train(one.bench("alone"), Runtime())
    for kind in ("whole", "lora"):
        with pytest.raises(Stopped):
            train(laid[kind].bench("grown", stop_after=2), Runtime())
    cases = [Case(one.bench("together")) for one in laid.values()]
    cases += [Case(laid[kind].bench("grown"), begun=2) for kind in ("whole", "lora")]
    cases += [Case(laid[kind].bench("shrunk"), stop_after=3) for kind in ("whole", "lora")]
    cases += [Case(laid["whole"].bench("halting"), stop_after=1), Case(laid["whole"].bench("halting"), begun=1)]
    cases += [Case(laid["whole"].bench("eager"), EAGER.model_copy(update={"devices": 2}))]
    cases += [Case(laid["bfloat16"].bench("broken", model=laid["bfloat16"].root / "broken"))]
    ended = run_two(cases, tmp_path_factory.mktemp("cases"))
    for kind in ("whole", "lora"):
        train(laid[kind].bench("shrunk"), Runtime())
    return Pair(laid, ended)


def furthest(laid: Training, name: str) -> float:
    """The largest distance of any weight from what one process learnt."""
    wanted, found = (weights(laid.root / bench / "out") for bench in ("alone", name))
    assert {name: (part.shape, part.dtype) for name, part in wanted.items()} == {
        name: (part.shape, part.dtype) for name, part in found.items()
    }
    return max(float((wanted[part] - found[part]).abs().max()) for part in wanted)


def losses(laid: Training, name: str) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in laid.log(name)}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bfloat16"])
def test_two_processes_learn_what_one_learns(pair, kind):
    laid = pair.laid[kind]
    assert furthest(laid, "fresh") > 1e-3, "something was learnt"
    assert furthest(laid, "together") < 1e-5
    alone, together = losses(laid, "alone"), losses(laid, "together")
    both = alone.keys() & together.keys()
    assert {1, max(alone)} <= both
    assert {step: together[step] for step in both} == pytest.approx({step: alone[step] for step in both}, abs=1e-5)


@pytest.mark.parametrize("kind", ["whole", "lora"])
@pytest.mark.parametrize("name", ["grown", "shrunk"])
def test_a_run_goes_on_on_another_number_of_devices(pair, kind, name):
    assert furthest(pair.laid[kind], name) < 1e-5
    assert max(losses(pair.laid[kind], name)) == STEPS


def test_a_signal_to_one_process_stops_all_and_all_resume(pair):
    stopped = [[case for case, end in enumerate(ended) if end.startswith("Stopped.")] for ended in pair.ended]
    assert stopped[0] == stopped[1] == [7, 8, 9]
    laid = pair.laid["whole"]
    assert laid.result("halting") == laid.result("together")
    assert {path.name for path in (laid.root / "halting" / "checkpoints" / "00000001").iterdir()} == {
        "shard-00001-model-00001-of-00001.safetensors",
        "shard-00002-model-00001-of-00001.safetensors",
        "complete.json",
    }


def test_writing_checkpoints_all_the_time_changes_nothing(pair):
    laid = pair.laid["whole"]
    assert laid.result("eager") == laid.result("together")


def test_a_loss_that_is_not_finite_names_the_records_on_every_process(pair):
    laid = pair.laid["bfloat16"]
    corpus = laid.corpus(assembled("llava", "vicuna-s"))
    _, first = Schedule(len(corpus), 3, 1, 0).at(0)
    named = f"The loss is nan on the batch of the records {', '.join(corpus.name(index) for index in first)}. Stopped."
    assert [ended[-1] for ended in pair.ended] == [named, named]
    assert laid.result("broken") == {}


@pytest.mark.parametrize("name", ["alone", "together"])
def test_computed_in_bfloat16_it_is_saved_so_and_read_by_transformers(pair, name):
    laid = pair.laid["bfloat16"]
    out = laid.root / name / "out"
    with safe_open(out / "model.safetensors", "pt") as file:
        kinds = {part: file.get_tensor(part).dtype for part in file.keys()}  # noqa: SIM118
    assert set(kinds.values()) == {torch.bfloat16}
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    model, processor = AutoModelForImageTextToText.from_pretrained(out), AutoProcessor.from_pretrained(out)
    ids = processor.tokenizer("A red seven", return_tensors="pt").input_ids
    assert model.dtype == torch.bfloat16
    assert model(input_ids=ids).logits.isfinite().all()


def test_in_bfloat16_two_processes_learn_nearly_what_one_learns(pair):
    laid = pair.laid["bfloat16"]
    assert furthest(laid, "together") < 1e-2
    assert losses(laid, "together")[1] == pytest.approx(losses(laid, "alone")[1], rel=1e-2)


def test_alone_there_is_nobody_to_wait_for():
    with joined("cpu") as ranks:
        assert ranks == ALONE
        assert ranks.is_first
        ranks.meet()
        assert float(ranks.added(torch.tensor(3.0))) == 3


def test_tied_weights_are_one_again_when_a_network_is_settled():
    """As Qwen 2.5 and Llama 3.2 in their small sizes have them."""
    model = assembled("llava", "vicuna-s")
    network = model.network
    network.lm_head.weight = network.get_input_embeddings().weight
    network.config.tie_word_embeddings = network.config.text_config.tie_word_embeddings = True
    network.model.language_model.requires_grad_(True)
    settle(network, torch.bfloat16, ALONE)
    assert network.lm_head.weight is network.get_input_embeddings().weight
    assert network.lm_head.weight.dtype == torch.bfloat16
    assert all(isinstance(weight, nn.Parameter) for weight in network.parameters())
