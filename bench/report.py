"""How long a large report takes to build and to open: 8 models × 16 benchmarks × 3,000 questions, and 3,200 pictures.

Everything is made up: answers of the length that real ones have, photo-like JPEG of 640×480 pixels. The page is opened
in a real Chromium without a window, from a file.

    build        seconds for the whole report from stored scores, comparisons and pictures included
    gallery      of these, for the gallery
    size         of index.html
    tables       from navigation until the first table can be sorted
    loaded       from navigation until everything has been read
    questions    from following a link into the gallery until its first card is there

`equal`: sorting by a column and the gallery's count say what was put in, and the gallery's bytes are the same twice.
"""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from tests.browser import Browser, Page

from bench.measurement import Arm, Measurement
from vertebra.benchmarks import benchmark, of_a_study
from vertebra.report import Cell, Material, write_report
from vertebra.report.gallery import build_gallery
from vertebra.report.page import examples
from vertebra.scoring.benchmark import Benchmark, Sample, Verdict, right
from vertebra.scoring.metrics import accuracy
from vertebra.scoring.scorecard import stored
from vertebra.spec import Study

_FAMILIES = ("llava-1.5", "vip-llava")
_BACKBONES = ("vicuna-7b", "vicuna-13b", "llama-3-8b", "phi-3-mini")
_WORDS = [
    "a",
    "man",
    "red",
    "shirt",
    "riding",
    "the",
    "brown",
    "horse",
    "near",
    "two",
    "large",
    "trees",
    "people",
    "from",
]
_BAR = 2.0
"""Seconds in which the page has to be open."""


def measure(small: bool) -> Measurement:
    """Seconds; ratios are to the bar of two seconds."""
    questions, pictures = (40, 4) if small else (3_000, 200)
    with TemporaryDirectory() as scratch:
        material = _material(Path(scratch), questions, pictures)
        begin = time.perf_counter()
        report = write_report(material, Path(scratch) / "report")
        build = time.perf_counter() - begin
        first = examples(report.findings)
        begin = time.perf_counter()
        packed = build_gallery(material.cells, material.benchmarks, material.questions, first)
        gallery = time.perf_counter() - begin
        size = report.page.stat().st_size
        with Browser.start() as browser:
            opened = [_opened(browser, report.page) for _ in range(3)]
            page = browser.open(report.page.as_uri())
            shown, equal = _gallery(page, material)
        text = report.page.read_text()
        equal &= all(block in text for block in packed.blocks.values())
    tables, loaded = (sorted(times)[1] for times in zip(*opened, strict=True))
    arms = {
        "build": Arm(round(build, 1), "s"),
        "gallery": Arm(round(gallery, 1), "s"),
        "size": Arm(round(size / 1e6, 1), "MB"),
        "tables": Arm(round(tables, 3), "s"),
        "loaded": Arm(round(loaded, 3), "s"),
        "questions": Arm(round(shown, 3), "s"),
    }
    notes = [
        f"{questions:,} questions each, {16 * pictures:,} pictures; page times are medians of three",
        *packed.notes,
    ]
    ratios = {"bar/tables": round(_BAR / tables, 2), "bar/loaded": round(_BAR / loaded, 2)}
    return Measurement("report", arms, ratios, equal, notes)


def _opened(browser: Browser, path: Path) -> tuple[float, float]:
    """Seconds until the first table can be sorted, and until the page has loaded."""
    page = browser.open(path.as_uri())
    found = page.run(
        "[performance.getEntriesByName('tables')[0].startTime,"
        " performance.getEntriesByType('navigation')[0].loadEventStart]"
    )
    page.close()
    return found[0] / 1e3, found[1] / 1e3


def _gallery(page: Page, material: Material) -> tuple[float, bool]:
    """Seconds until the gallery shows a benchmark's first card, and whether it counts right."""
    one, other = material.cells[0], next(c for c in material.cells if c.backbone == _BACKBONES[3])
    scores = [
        [json.loads(line)["score"] for line in (c.score / "samples.jsonl").open()] for c in (one, other) if c.score
    ]
    flipped = sum(a != b for a, b in zip(*scores, strict=True))
    page.run("document.querySelectorAll('#scores th button')[1].click()")
    column = page.run(
        "[...document.querySelectorAll('#scores tbody:nth-of-type(1) td:nth-of-type(1)')].map(c => +c.dataset.value)"
    )
    begin = time.perf_counter()
    page.run(f"location.hash = 'gallery?benchmark={one.benchmark}&b={other.family}%2F{other.backbone}'; 0")
    page.until("document.querySelector('.card img')?.complete")
    shown = time.perf_counter() - begin
    count = page.run("document.getElementById('gallery-count').textContent")
    return shown, column == sorted(column, reverse=True) and count.startswith(f"{flipped:,} of ")


def _material(folder: Path, questions: int, pictures: int) -> Material:
    """A study's stored results, and the pictures that its questions are about."""
    rng = random.Random(0)
    names = of_a_study()
    chosen: dict[str, Benchmark] = {}
    cells: list[Cell] = []
    for name in names:
        _draw(folder / "data" / name, pictures, random.Random(name))
        samples = [_sample(number, pictures, rng) for number in range(questions)]
        chosen[name] = replace(
            benchmark(name),
            read=_reading(samples),
            headline="accuracy",
            tally=right,
            joint=None,
            metrics=accuracy,
            group_metrics=None,
            judging=None,
        )
    models = [(family, backbone) for family in _FAMILIES for backbone in _BACKBONES]
    for place, (family, backbone) in enumerate(models):
        for name in names:
            home = folder / "results" / f"{place}-{name}"
            cells.append(_cell(home, family, backbone, chosen[name], 0.5 + place / 30, rng))
    study = Study(study="large", title="A large study", families=_FAMILIES, backbones=_BACKBONES, benchmarks="all")
    return Material(study, cells, chosen, folder / "data")


def _reading(samples: Sequence[Sample]) -> Callable[[Path], Sequence[Sample]]:
    return lambda _: samples


def _sample(number: int, pictures: int, rng: random.Random) -> Sample:
    text = f"Is the {' '.join(rng.choices(_WORDS, k=9))}?\nAnswer the question using a single word or phrase."
    image = f"images/{number % pictures:06}.jpg"
    groups = {"kind": f"kind {number % 7}"}
    return Sample(str(number), text, image, (rng.choice(_WORDS),), groups, image)


def _cell(home: Path, family: str, backbone: str, chosen: Benchmark, skill: float, rng: random.Random) -> Cell:
    home.mkdir(parents=True)
    samples = chosen.read(home)
    rows, verdicts = [], []
    for sample in samples:
        good = rng.random() < skill
        wordy = " ".join(rng.choices(_WORDS, k=25 if rng.random() < 0.1 else 1))
        said = sample.gold[0] if good else wordy
        rows.append({"question_id": sample.id, "prompt": sample.text, "text": said})
        verdicts.append(Verdict(sample.id, float(good), said))
    found = stored(chosen, samples, verdicts)
    _lines(home / "answers.jsonl", rows)
    _lines(home / "samples.jsonl", found.rows)
    (home / "scorecard.json").write_text(json.dumps(found.scorecard))
    return Cell(family, backbone, 0, chosen.name, found.scorecard, score=home, answers=home / "answers.jsonl")


def _lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _draw(folder: Path, pictures: int, rng: random.Random) -> None:
    """Soft shapes with some grain, which take as many bytes as photos do."""
    (folder / "images").mkdir(parents=True)
    noise = np.random.default_rng(rng.getrandbits(32))
    for number in range(pictures):
        coarse = Image.fromarray(noise.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        soft = np.asarray(coarse.resize((640, 480), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = noise.integers(-12, 13, soft.shape, dtype=np.int16)
        picture = Image.fromarray((soft + grain).clip(0, 255).astype(np.uint8))
        picture.save(folder / "images" / f"{number:06}.jpg", quality=85)
