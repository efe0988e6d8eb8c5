"""A stage of training laid out on a bench: random tiny parts, a catalogue and a data folder of their own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from tests.anatomy import backbone, family

from vertebra.bench import Bench
from vertebra.catalog import Catalog
from vertebra.plan import Step, draw_plan
from vertebra.spec import Study

BOXES = [[2, 2, 20, 12], [30, 2, 50, 12], [2, 20, 20, 35], [30, 20, 50, 35]]


@dataclass
class Training:
    """Steps that a plan drew, and where their folders lie."""

    root: Path
    steps: list[Step]

    def bench(self, name: str, model: Path | None = None, stop_after: int | None = None, stage: int = 0) -> Bench:
        """A bench called `name`; a signal comes after `stop_after` steps."""
        done: list[int] = []
        folder = self.root / name
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
            progress=lambda number, total, unit, note="": done.append(number),
            stopping=lambda: stop_after is not None and bool(done) and done[-1] >= stop_after,
        )


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
