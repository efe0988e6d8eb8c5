"""Visual7W, pointing: which of four marked regions answers the question (Zhu et al., arXiv:1511.03416).

As ViP-LLaVA asks it (arXiv:2312.00784, `v7w-test.json` of https://huggingface.co/datasets/mucai/ViP-LLaVA-Instruct):
each candidate in a rectangle of its own colour, the colours named in the options. Boxes are xyxy pixels.

    [{"id": "v7w-12", "image": "v7w/v7w_2361107.jpg", "question": "Which ball is red?",
      "bboxes": [[1, 2, 30, 40], [50, 2, 80, 40], [1, 60, 30, 90], [50, 60, 80, 90]], "answer": [50, 2, 80, 40]}, ...]

The answer is one of the boxes, or its letter. The published code draws the colours afresh at each run; here a record's
id decides them, so that every model sees the same picture. Only the bare letter counts; "A." is wrong. Questions whose
text is final and whose pictures are already marked (`question_id`, `text`, no `bboxes`, JSON lines) are taken as well.
"""

import random
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field

from vertebra.chat import wording
from vertebra.errors import DataError
from vertebra.scoring.benchmark import Benchmark, Sample
from vertebra.scoring.letters import lenient
from vertebra.scoring.records import Record, annotation, checked, rows
from vertebra.scoring.regions import Corners, same
from vertebra.scoring.sources import Files, Source
from vertebra.visual.marks import COLOURS, constant_mark
from vertebra.visual.regions import Box, Region

RECORDS = "v7w-test.json"


class _Pointing(Record):
    id: int | str = Field(validation_alias=AliasChoices("id", "question_id"))
    image: str
    question: str = Field(validation_alias=AliasChoices("question", "text"))
    bboxes: Annotated[list[Corners], Field(min_length=4, max_length=4)] | None = None
    answer: Corners | str


def _read(path: Path) -> list[Sample]:
    return [_sample(row, where) for where, row in rows(annotation(path, RECORDS))]


def _sample(row: object, where: str) -> Sample:
    record = checked(_Pointing, row, where)
    name, gold, boxes = str(record.id), (_gold(record, where),), record.bboxes
    if boxes is None:
        return Sample(name, record.question, record.image, gold, {}, record.image)
    # Seeded with text, Random does not depend on the process, as hash() would.
    colours = random.Random(name).sample(list(COLOURS), len(boxes))
    text = wording.pointing(record.question, colours)
    marks = tuple(
        constant_mark("rectangle", Region(Box(*box)), colour) for box, colour in zip(boxes, colours, strict=True)
    )
    return Sample(name, text, record.image, gold, {}, record.image, marks)


def _gold(record: _Pointing, where: str) -> str:
    if record.answer in tuple(wording.LETTERS):
        return str(record.answer)
    for letter, box in zip(wording.LETTERS, record.bboxes or (), strict=False):
        if box == record.answer:
            return letter
    raise DataError(f"{where}: the answer {record.answer} of {record.id!r} is none of its boxes.")


_OFFICIAL = Benchmark(
    name="v7w",
    title="Visual7W",
    protocol="vip-llava",
    capability="region",
    headline="accuracy",
    axis=(25, 100),
    max_new_tokens=128,
    prompts=1,
    grading=1,
    files=(RECORDS,),
    read=_read,
    grade=same,
    officially="the official runner draws colours anew each time and samples; what an answer is worth is the same.",
    sources={
        "official": Source((Files(("mucai/ViP-LLaVA-Instruct",), (RECORDS,)),), lacks="Visual7W's pictures, as v7w/")
    },
)
BENCHMARK = replace(_OFFICIAL, variants=(replace(_OFFICIAL, protocol="vip-llava+lenient", grade=lenient),))
