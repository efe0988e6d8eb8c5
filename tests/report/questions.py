"""A small study with stored answers, verdicts and pictures, in which every text is out to run as code.

Three models of two families answer POPE and Visual7W; who is right follows from the question's number. Whatever runs
sets `window.ran`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from vertebra.benchmarks import benchmark
from vertebra.report import Cell, Material
from vertebra.scoring.benchmark import Benchmark, Sample, Verdict, right
from vertebra.scoring.metrics import accuracy
from vertebra.scoring.scorecard import stored
from vertebra.spec import Study
from vertebra.visual.marks import constant_mark
from vertebra.visual.regions import region

RUN = "window.ran=1"
EVIL = f"""</script><script>{RUN}</script><!--<script><img src=x onerror="{RUN}">"'>{{{{ 7 * 7 }}}}"""
MODELS = (("fam-a", "ada"), ("fam-a", "bob"), (f"fam-b<script>{RUN}</script>", f"<b onclick={RUN}>"))
SUBSETS = ("adversarial", "popular", f'"><script>{RUN}</script>')
MISSING, NONE = 7, 8
"""Questions whose picture is missing, and that have none."""


def study_in(folder: Path) -> Material:
    """The study, with its files in this folder."""
    chosen = {
        "pope": _benchmark("pope", [_sample(number) for number in range(60)]),
        "v7w": _benchmark("v7w", [_sample(number, marked=True) for number in range(30)]),
    }
    for name in chosen:
        _draw(folder / "data" / name)
    cells = [
        _cell(folder / f"{place}-{name}", Cell(*model, 0, name, None), one, place)
        for name, one in chosen.items()
        for place, model in enumerate(MODELS)
    ]
    families = tuple(dict.fromkeys(family for family, _ in MODELS))
    study = Study(study="small", title=f"Which? {EVIL}", families=families, backbones=("x",), benchmarks="all")
    return Material(study, cells, chosen, folder / "data")


def scores(material: Material, name: str, place: int) -> dict[str, float]:
    """By question, what a model's answers to a benchmark are worth, from samples.jsonl."""
    cell = [cell for cell in material.cells if cell.benchmark == name][place]
    assert cell.score
    rows = [json.loads(line) for line in (cell.score / "samples.jsonl").read_text().splitlines()]
    return {row["id"]: row["score"] for row in rows}


def _benchmark(name: str, samples: Sequence[Sample]) -> Benchmark:
    return replace(
        benchmark(name),
        read=lambda _: samples,
        headline="accuracy",
        tally=right,
        joint=None,
        metrics=accuracy,
        group_metrics=None,
    )


def _sample(number: int, marked: bool = False) -> Sample:
    image = None if number == NONE else "missing.png" if number == MISSING else f"{number % 12}.png"
    marks = (constant_mark("rectangle", region((10, 10, 50, 40)), "red"),) if marked else ()
    text = f"What is this? {EVIL}" if number % 3 == 0 else f"Is there a number {number}?"
    return Sample(
        f"q{number}",
        text,
        image,
        ("yes", "yes", f"javascript:{RUN}"),
        {"subset": SUBSETS[number % 3]},
        str(number),
        marks,
    )


def _is_right(number: int, place: int) -> bool:
    return (number % 2 == 0, number % 5 != 0, number < 50)[place]


def _cell(home: Path, cell: Cell, chosen: Benchmark, place: int) -> Cell:
    home.mkdir(parents=True)
    samples = chosen.read(home)
    good = [_is_right(number, place) for number in range(len(samples))]
    said = ["Yes" if each else f"no {EVIL}" for each in good]
    verdicts = [Verdict(s.id, float(each), text.lower()) for s, each, text in zip(samples, good, said, strict=True)]
    found = stored(chosen, samples, verdicts)
    answers = [
        {"question_id": sample.id, "prompt": sample.text, "text": text}
        for sample, text in zip(samples, said, strict=True)
    ]
    _lines(home / "answers.jsonl", answers)
    _lines(home / "samples.jsonl", found.rows)
    (home / "scorecard.json").write_text(json.dumps(found.scorecard))
    return replace(cell, scorecard=found.scorecard, score=home, answers=home / "answers.jsonl")


def _lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _draw(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(12):
        Image.new("RGB", (64, 48), (20 * number, 100, 100)).save(folder / f"{number}.png")
