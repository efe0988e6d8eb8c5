"""A study whose steps lie in a store, made without a model: real questions, made-up answers, scored as a worker does.

made = stored_study(tmp_path, ["pope", "mm_vet"])      made.material, made.store, made.data
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vertebra.benchmarks import benchmark
from vertebra.catalog import Catalog
from vertebra.files import append_rows
from vertebra.miniature.data import make_benchmark
from vertebra.report import Answering, Cell, Material
from vertebra.scoring.judge import appoint
from vertebra.scoring.scorecard import by, score_folder
from vertebra.scoring.sources import Release
from vertebra.spec import Judge, Study, digest
from vertebra.store import Store

STARTED = "2026-11-23T23:50:54+00:00"
FAMILY, BACKBONES = "tiny-llava-1.5", ("tiny-vicuna-s", "tiny-phi-3")


@dataclass(frozen=True)
class Stored:
    """The study and where it lies."""

    material: Material
    store: Store
    data: Path

    def answers(self, name: str) -> Path:
        """The first model's answers to a benchmark."""
        found = next(cell.answers for cell in self.material.cells if cell.benchmark == name)
        assert found
        return found


def stored_study(
    root: Path,
    benchmarks: Sequence[str] = ("pope", "mm_vet", "vqav2"),
    data: str | None = "miniature",
    backbones: Sequence[str] = BACKBONES,
    judge: Judge | None = None,
) -> Stored:
    """A finished study of two models. `data` names the maker of its questions; None says that they are official."""
    store, folder = Store(root / "store"), root / "data"
    folder.mkdir(parents=True)
    for name in benchmarks:
        make_benchmark(name, folder / name, 0.2)
    judge = judge or Judge(name="rules", endpoint="scripted")
    study = Study(
        study="small", title="Which *one*?", families=(FAMILY,), backbones=tuple(backbones), data=data, judge=judge
    )
    cells = [
        _cell(store, folder, backbone, place, name, judge)
        for place, backbone in enumerate(backbones)
        for name in benchmarks
    ]
    known = {name: benchmark(name) for name in benchmarks}
    if data is None:  # the questions that there are count as the whole release
        known = {
            name: replace(each, releases=(Release("official", len(each.load(folder / name))),))
            if each.releases
            else each
            for name, each in known.items()
        }
    return Stored(Material(study, cells, known, data=folder, catalog=Catalog.installed()), store, folder)


def _cell(store: Store, data: Path, backbone: str, place: int, name: str, judge: Judge) -> Cell:
    label = f"{FAMILY}/{backbone}/seed0"
    bench = benchmark(name)
    rows = [
        {"question_id": sample.id, "prompt": sample.text, "text": _said(sample.gold, number + place)}
        for number, sample in enumerate(bench.load(data / name))
    ]
    model = _put(store, f"{label}/finetune", {"config.json": b"{}", "model.safetensors": b"\0" * 9})
    answers = _put(store, f"{label}/{name}/answers", {}, rows) / "answers.jsonl"
    file = store.root / "judgments" / f"{backbone}-{name}.jsonl"
    asked = appoint(judge.name, judge.endpoint, {}, file) if bench.judged else None
    scored = score_folder(bench, data / name, answers, by(asked, judge.runs) if asked else None)
    files = {"scorecard.json": json.dumps(scored.scorecard).encode()}
    if file.exists():
        files["judgments.jsonl"] = file.read_bytes()
    score = _put(store, f"{label}/{name}/score", files, scored.rows, "samples.jsonl")
    timed = Answering(questions=len(rows), asked=len(rows), seconds=0.5)
    return Cell(FAMILY, backbone, 0, name, scored.scorecard, timed, score, answers, model)


def _said(gold: Sequence[str], number: int) -> str:
    """Mostly the right answer."""
    return "perhaps | <b>" if number % 5 == 0 else gold[0].split("<OR>")[0]


def _put(store: Store, label: str, files: dict[str, bytes], rows: object = (), name: str = "answers.jsonl") -> Path:
    """A finished step's out/."""
    key = digest(label)
    if store.done(key):
        return store.out(key)
    out = store.work(key) / "out"
    for file, content in files.items():
        (out / file).write_bytes(content)
    if rows:
        append_rows(out / name, rows)  # type: ignore[arg-type]
    versions = {"vertebra": "0.1.0", "transformers": "5.23.0"}
    record = {"host": "canary-host", "python": "3.11.7", "versions": versions, "commit": "c0ffee", "started": STARTED}
    store.commit(key, {"kind": "score", "spec": {}, "needs": []}, label, record)
    return store.out(key)
