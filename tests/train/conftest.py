"""A stage of training laid out on a bench: random tiny parts, a catalogue and a data folder of their own."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from tests.anatomy import backbone, family, parts
from torch import Tensor

from vertebra.bench import Bench
from vertebra.catalog import Catalog
from vertebra.chat.template import IGNORED
from vertebra.corpus import Corpus, open_corpus
from vertebra.data import Eyes, Pack, Packer, Schedule
from vertebra.files import read_rows
from vertebra.model import VisionLanguageModel
from vertebra.plan import Step, draw_plan
from vertebra.runtime import Runtime
from vertebra.spec import Study
from vertebra.train.distributed import Ranks
from vertebra.train.stage import Recipe

FAMILIES = ("llava", "vip_llava")
BACKBONES = {"llava": "vicuna-s", "vip_llava": "phi-3"}
BOXES = [[2, 2, 20, 12], [30, 2, 50, 12], [2, 20, 20, 35], [30, 20, 50, 35]]


@dataclass
class Training:
    """Steps that a plan drew, and where their folders lie."""

    root: Path
    steps: list[Step]

    def bench(self, name: str, model: Path | None = None, stop_after: int | None = None, stage: int = 0) -> Bench:
        """A bench called `name`; a signal comes in the course of optimizer step `stop_after`, counted from 1."""
        folder = self.root / name
        done = [max((int(path.parent.name) for path in folder.glob("checkpoints/*/complete.json")), default=0)]
        (folder / "out").mkdir(parents=True, exist_ok=True)
        step = self.steps[stage]
        return Bench(
            key=step.key,
            label=step.label,
            spec=json.loads(json.dumps(step.spec)),
            folder=folder,
            out=folder / "out",
            needs={},
            model=model,
            data=self.root,
            progress=lambda number, total, unit, note="": done.append(number) if unit == "batches" else None,
            cache=self.root / "cache",
            answers=folder / "answers",
            stopping=lambda: stop_after is not None and done[-1] >= stop_after - 1,
        )

    def log(self, name: str) -> list[dict[str, Any]]:
        """The lines of optimizer steps in a bench's log."""
        return [row for row in read_rows(self.root / name / "log.jsonl") if "step" in row]

    def result(self, name: str) -> dict[str, bytes]:
        """Every file of a bench's result."""
        out = self.root / name / "out"
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def corpus(self, model: VisionLanguageModel, stage: int = 0) -> Corpus:
        """A stage's samples in the first epoch."""
        recipe = Recipe.of(self.steps[stage].spec)
        cache = self.root / "cache"
        return open_corpus(recipe.mixture, self.root, recipe.seed, 0, recipe.speech(model), cache)

    def pack(self, model: VisionLanguageModel, *names: str, stage: int = 0) -> Pack:
        """The batch of the records of these ids, packed."""
        corpus = self.corpus(model, stage)
        places = {corpus.name(index): index for index in range(len(corpus))}
        samples = [corpus.sample(places[name]) for name in names]
        taught = sum(int((sample.labels[1:] != IGNORED).sum()) for sample in samples)
        return Packer(Eyes.of(model, "pad"))(samples, [1 / taught] * len(samples))


ALONE = Ranks(0, 1, torch.device("cpu"))
EAGER = Runtime(checkpoint_seconds=1e-9)
WORDS_FIRST = next(seed for seed in range(999) if min(Schedule(11, 3, 1, seed).at(0)[1]) > 6)
"""A seed whose first batch of three has no image."""
STEPS = 4
"""Of a stage as it is laid out by default."""


def changed(before: VisionLanguageModel, after: VisionLanguageModel) -> set[str]:
    """The parts of a network in which any weight differs."""
    others = dict(after.network.named_parameters())
    return {
        name.removeprefix("model.").split(".")[0]
        for name, weight in before.network.named_parameters()
        if not torch.equal(weight, others[name])
    }


def weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint."""
    return load_file(folder / "model.safetensors")


def forgetful(folder: Path) -> Path:
    """A backbone that forgets at random while it trains."""
    shutil.copytree(parts() / "phi-3", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "resid_pdrop": 0.2}))
    return folder


@pytest.fixture(scope="session")
def training(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Training]:
    """Lays out stages, each given as its fields; `weights` may replace the backbone's."""

    def lay_out(model: str, name: str, *stages: dict[str, object], seed: int = 0, weights: str = "") -> Training:
        root = tmp_path_factory.mktemp("training")
        write_data(root)
        spine = backbone(name).preimage()
        eyes = family(model).preimage()
        common = {"mixture": "few", "learning_rate": 1e-3, "batch": 3, "warmup": 0.2}
        eyes["stages"] = {f"stage{number}": {**common, **stage} for number, stage in enumerate(stages or ({},))}
        entry(root / "catalog/backbones/spine.yaml", {**spine, "weights": weights or spine["weights"]})
        entry(root / "catalog/families/eyes.yaml", eyes)
        entry(root / "catalog/mixtures/few.yaml", {"records": ["few.json"], "images": "pictures"})
        entry(root / "catalog/mixtures/words.yaml", {"records": ["words.json"]})
        catalog = Catalog.installed().with_folder(root / "catalog")
        study = Study(study="t", families=("eyes",), backbones=("spine",), seeds=(seed,))
        return Training(root, [step for step in draw_plan(study, catalog, {}).steps if step.kind == "train"])

    return lay_out


def entry(path: Path, fields: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(fields))


def write_data(root: Path) -> None:
    """Eleven records: five told, one region to point at, one to describe, four of words alone."""
    (root / "pictures").mkdir()
    noise = np.random.default_rng(0)
    for number in range(7):
        pixels = noise.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "pictures" / f"{number}.png")
    told = [spoken(number, "<image>\nWhat?", f"a thing of the number {number}") for number in range(5)]
    words = [spoken(f"w{number}", "Which number?", "seven " * number + "two") for number in range(4)]
    pointing = {"id": "v7w-5", "question": "Which?", "bboxes": BOXES, "answer": BOXES[2]}
    describing = {"id": "refcocog-6", "bboxes": BOXES[:1], "answer": "a red seven"}
    seen = [*told, pointing, describing]
    records = [{**record, "image": f"{number}.png"} for number, record in enumerate(seen)]
    (root / "few.json").write_text(json.dumps(records + words))
    (root / "words.json").write_text(json.dumps(words))


def spoken(name: int | str, question: str, answer: str) -> dict[str, object]:
    return {"id": name, "conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]}
