"""What the two tasks of Visual Commonsense Reasoning share: records, objects at points, grading by the letter.

    vcr-val.json                  [{"id": "vcr-12", "image": "vcr1images/movie/a.jpg", "question": [...], ...}, ...]
    vcr1images/movie/a.json       {"boxes": [[x1, y1, x2, y2, score], ...], "segms": [...]}

As ViP-LLaVA evaluates them (arXiv:2312.00784, `vcr-val.json` of https://huggingface.co/datasets/mucai/ViP-LLaVA-Instruct,
validation split; `chat.vcr` has a whole record). The published code draws points, colours and a coin for each "the"
afresh at each run; here a record's id decides them, so that every model sees and reads the same.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from vertebra.chat.rows import Row, identified
from vertebra.chat.vcr import Choice, Scene, objects, scene
from vertebra.scoring.benchmark import Benchmark, Sample
from vertebra.scoring.letters import lenient
from vertebra.scoring.records import annotation, rows
from vertebra.scoring.regions import same
from vertebra.scoring.sources import Files, Source
from vertebra.visual.regions import Region

RECORDS = "vcr-val.json"

Ask = Callable[[Scene, random.Random], Choice]
"""Puts a record into one question."""


def vcr(name: str, title: str, ask: Ask) -> Benchmark:
    """One of the tasks."""
    official = Benchmark(
        name=name,
        title=title,
        protocol="vip-llava",
        capability="region",
        headline="accuracy",
        axis=(25, 100),
        max_new_tokens=128,
        prompts=1,
        grading=1,
        files=(RECORDS,),
        read=partial(_read, ask),
        grade=same,
        beyond=True,
        officially="the official runner samples at temperature 0.2, draws points and colours anew each time and "
        "stretches the picture to a square, where here it is padded; what an answer is worth is the same.",
        sources={
            "official": Source(
                (Files(("mucai/ViP-LLaVA-Instruct",), (RECORDS,)),),
                lacks="VCR's pictures and the JSON file beside each of them, as vcr1images/",
            )
        },
    )
    return replace(official, variants=(replace(official, protocol="vip-llava+lenient", grade=lenient),))


def _read(ask: Ask, path: Path) -> list[Sample]:
    """The records' file alone is enough for a score; the samples then have no marks."""
    file = annotation(path, RECORDS)
    home = None if path == file else path
    known: dict[tuple[str, int], Region] = {}
    return [_sample(identified(fields, where), ask, home, known) for where, fields in rows(file)]


def _sample(row: Row, ask: Ask, home: Path | None, known: dict[tuple[str, int], Region]) -> Sample:
    """`known` gathers the objects, by file and number: several questions are on one picture."""
    found, image = scene(row), row.image()
    rng = random.Random(row.name)
    text, letter, chosen = ask(found, rng)
    sample = Sample(row.name, text, image, (letter,), {}, image)
    if home is None:
        return sample
    unknown = [each for each in chosen if (found.meta, each) not in known]
    if unknown:
        regions = objects(home / found.meta, unknown, row)
        known |= {(found.meta, each): region for each, region in zip(unknown, regions, strict=True)}
    marks = (one.mark(known[found.meta, each], rng, constant=True) for each, one in chosen.items())
    return replace(sample, marks=tuple(marks))
