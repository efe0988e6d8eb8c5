"""GQA, testdev_balanced: compositional questions on real images (Hudson and Manning, arXiv:1902.09506).

12,578 questions on 398 images, from questions1.2.zip of https://cs.stanford.edu/people/dorarad/gqa:

    testdev_balanced_questions.json   {"201307251": {"question": "Is it overcast?", "imageId": "n161313",
                                       "answer": "no", "isBalanced": true,
                                       "types": {"structural": "verify", "semantic": "global", ...}, ...}, ...}

LLaVA lower-cases an answer and strips its trailing periods; the official scorer then wants the very same string.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vertebra.scoring.benchmark import SHORT_ANSWER, Answer, Benchmark, Sample, Verdict
from vertebra.scoring.records import Record, annotation, checked, json_mapping
from vertebra.scoring.sources import Release, Row, Rows, Source, Table, lmms_lab, save_picture, without, write_json

QUESTIONS = "testdev_balanced_questions.json"


class _Types(Record):
    structural: str | None = None
    semantic: str | None = None


class _Question(Record):
    question: str
    imageId: str  # noqa: N815 (the file's name for it)
    answer: str
    isBalanced: bool  # noqa: N815
    types: _Types


def _read(path: Path) -> list[Sample]:
    path = annotation(path, QUESTIONS)
    return [
        _sample(name, checked(_Question, value, f"{path}: question {name!r}"))
        for name, value in json_mapping(path).items()
    ]


def _sample(name: str, question: _Question) -> Sample:
    kinds = {"structural": question.types.structural, "semantic": question.types.semantic}
    groups = {dimension: kind for dimension, kind in kinds.items() if kind}
    gold = (question.answer,) if question.isBalanced else ()
    image = f"images/{question.imageId}.jpg"
    return Sample(name, question.question + SHORT_ANSWER, image, gold, groups, question.imageId)


def _prediction(text: str) -> str:
    return text.rstrip(".").lower()


def _grade(sample: Sample, text: str) -> Verdict:
    prediction = _prediction(text)
    return Verdict(sample.id, float(prediction in sample.gold), prediction)


def _upload(_: Sequence[Sample], answers: Mapping[str, Answer]) -> str:
    """testdev_balanced_predictions.json for the official eval.py, in the order of the answers."""
    rows = [{"questionId": name, "prediction": _prediction(answer.text)} for name, answer in answers.items()]
    return json.dumps(rows)


def _lay_out(folder: Path, questions: Iterable[Row], images: Iterable[Row]) -> None:
    write_json(folder / QUESTIONS, {str(row["id"]): without(row, "id") for row in questions})
    for row in images:
        save_picture(folder / "images", f"{row['id']}.jpg", row["image"])


_TABLES = (Table("testdev", "testdev_balanced_instructions"), Table("testdev", "testdev_balanced_images"))


BENCHMARK = Benchmark(
    name="gqa",
    title="GQA",
    protocol="testdev_balanced",
    capability="perception",
    headline="accuracy",
    axis=(0, 100),
    max_new_tokens=128,
    prompts=1,
    grading=1,
    files=(QUESTIONS,),
    read=_read,
    grade=_grade,
    repeats="last",
    upload=_upload,
    officially="the official code stops at a balanced question without an answer; here that question is wrong.",
    releases=(Release("testdev_balanced", 12_578, 398),),
    sources={"hub": Source((Rows(lmms_lab("GQA"), _TABLES, _lay_out),))},
)
