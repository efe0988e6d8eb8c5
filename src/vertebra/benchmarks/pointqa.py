"""PointQA-LookTwice: questions on a marked object that need a look at the whole picture (arXiv:2011.13681).

As ViP-LLaVA asks it (arXiv:2312.00784, `pointQA_twice_test.json` of
https://huggingface.co/datasets/mucai/ViP-LLaVA-Instruct): the general question, an example in a red rectangle. Boxes
are xyxy pixels.

    [{"id": "pointQA_twice-5", "image": "vg/VG_100K/2345.jpg", "general_question": "How many of these are there?",
      "bboxes": [[10, 20, 60, 80]], "answer": "3"}, ...]

An answer is right when it is the gold answer but for case and outer blanks; "3." is wrong. Questions whose text is
final and whose pictures are already marked (`question_id`, `text`, no `bboxes`) are taken as well.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field

from vertebra.chat import wording
from vertebra.scoring.benchmark import Benchmark, Sample
from vertebra.scoring.records import Record, annotation, checked, rows
from vertebra.scoring.regions import Corners, alike, same
from vertebra.scoring.sources import Files, Source
from vertebra.visual.marks import constant_mark
from vertebra.visual.regions import Box, Region

RECORDS = "pointQA_twice_test.json"


class _Looking(Record):
    id: int | str = Field(validation_alias=AliasChoices("id", "question_id"))
    image: str
    question: str = Field(validation_alias=AliasChoices("general_question", "text", "question"))
    bboxes: Annotated[list[Corners], Field(min_length=1, max_length=1)] | None = None
    answer: str | int


def _read(path: Path) -> list[Sample]:
    return [_sample(checked(_Looking, row, where)) for where, row in rows(annotation(path, RECORDS))]


def _sample(record: _Looking) -> Sample:
    name, gold = str(record.id), (str(record.answer),)
    if record.bboxes is None:
        return Sample(name, record.question, record.image, gold, {}, record.image)
    marks = tuple(constant_mark("rectangle", Region(Box(*box)), "red") for box in record.bboxes)
    return Sample(name, wording.looking_twice(record.question), record.image, gold, {}, record.image, marks)


_OFFICIAL = Benchmark(
    name="pointqa",
    title="PointQA-LookTwice",
    protocol="vip-llava",
    capability="region",
    headline="accuracy",
    axis=(0, 100),
    max_new_tokens=128,
    prompts=1,
    grading=1,
    files=(RECORDS,),
    read=_read,
    grade=same,
    officially="the official runner samples its answers at temperature 0.2; what an answer is worth is the same.",
    sources={
        "official": Source(
            (Files(("mucai/ViP-LLaVA-Instruct",), (RECORDS,)),), lacks="Visual Genome's pictures, as vg/"
        )
    },
)
BENCHMARK = replace(_OFFICIAL, variants=(replace(_OFFICIAL, protocol="vip-llava+lenient", grade=alike),))
