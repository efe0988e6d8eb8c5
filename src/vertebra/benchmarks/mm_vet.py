"""MM-Vet, first version: free-form answers that take several capabilities at once (Yu et al., arXiv:2308.02490).

218 questions on 200 images, mm-vet.zip of https://github.com/yuweihao/MM-Vet:

    mm-vet.json    {"v1_0": {"imagename": "v1_0.png", "question": "What is x in the equation?", "answer": "-1<AND>-5",
                             "imagesource": "https://...", "capability": ["ocr", "math"]}, ...}

LLaVA's runner numbers the questions 0 to 217. A judge grades each answer from 0 to 1; a question counts under each of
its capabilities.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring import grades
from vertebra.scoring.answers import by_question
from vertebra.scoring.benchmark import Benchmark, Sample, ungraded
from vertebra.scoring.records import Record, annotation, checked, json_mapping
from vertebra.scoring.sources import Release, Row, Rows, Source, Table, lmms_lab, save_picture, write_json

QUESTIONS = "mm-vet.json"


class _Question(Record):
    imagename: str
    question: str
    answer: str
    capability: list[str]


def _read(path: Path) -> list[Sample]:
    path = annotation(path, QUESTIONS)
    samples = []
    for name, value in json_mapping(path).items():
        if not name.startswith(grades.PREFIX):
            raise DataError(f"{path}: question {name!r} is not of MM-Vet's first version. Is this mm-vet-v2.json?")
        samples.append(_sample(name, checked(_Question, value, f"{path}: question {name!r}")))
    return samples


def _sample(name: str, question: _Question) -> Sample:
    capabilities = tuple(dict.fromkeys(question.capability))
    image, groups = f"images/{question.imagename}", {"capability": capabilities}
    return Sample(name, question.question, image, (question.answer,), groups, question.imagename)


def _lay_out(folder: Path, rows: Iterable[Row]) -> None:
    """The rows do not say which questions are on one picture, so its bytes do; it is named by the first of them."""
    questions: dict[str, Row] = {}
    names: dict[str, str] = {}
    for row in rows:
        cell = row["image"]
        data = cell.get("bytes") if isinstance(cell, dict) else None
        name = names.setdefault(hashlib.sha256(data or b"").hexdigest(), f"{row['question_id']}.png")
        save_picture(folder / "images", name, cell)
        asked = {"imagename": name, "question": row["question"], "answer": row["answer"]}
        told = {"imagesource": row["image_source"], "capability": str(row["capability"]).replace(" ", "").split(",")}
        questions[str(row["question_id"])] = {**asked, **told}
    write_json(folder / QUESTIONS, questions)


BENCHMARK = Benchmark(
    name="mm_vet",
    title="MM-Vet",
    protocol="v1",
    capability="language and knowledge",
    headline="total",
    axis=(0, 100),
    max_new_tokens=1024,
    prompts=1,
    grading=1,
    files=(QUESTIONS,),
    read=_read,
    grade=ungraded,
    tally=grades.tally,
    metrics=grades.metrics,
    bounds=grades.BOUNDS,
    repeats="last",
    upload=grades.upload,
    officially=grades.OFFICIALLY,
    judging=grades.judging(grades.examples()),
    find=grades.find,
    forms={".json": by_question},
    releases=(Release("v1", 218, 200), Release("v2", 517)),
    sources={"hub": Source((Rows(lmms_lab("MMVet"), (Table("test"),), _lay_out),))},
)
