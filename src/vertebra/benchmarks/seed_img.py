"""SEED-Bench, image part: 14,233 questions with four options in nine kinds (Li et al., arXiv:2307.16125).

SEED-Bench.json of https://huggingface.co/datasets/AILab-CVC/SEED-Bench, asked and counted as LLaVA-1.5 does:

    {"questions": [{"question_id": "101669", "question": "How many ...?", "choice_a": "One", "choice_b": "Two",
                    "choice_c": "Three", "choice_d": "Four", "answer": "A", "data_type": "image",
                    "data_id": "1454426_2591111986", "question_type_id": 5}, ...],
     "question_type": {"Instances Counting": 5, ...}}

Only the bare capital counts: "A." is wrong. Id 49914 is there twice and an answer to it counts twice. Answers on the
videos (ids v1, v2, ...) are left aside.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from vertebra.scoring.answers import llava
from vertebra.scoring.benchmark import OPTION_LETTER, Answer, Benchmark, Find, Sample, Verdict
from vertebra.scoring.letters import lenient
from vertebra.scoring.records import Record, annotation, checked, json_mapping
from vertebra.scoring.sources import (
    Files,
    Release,
    Row,
    Rows,
    Source,
    Table,
    lmms_lab,
    save_picture,
    without,
    write_json,
)

QUESTIONS = "SEED-Bench.json"
OPTIONS = "ABCD"


class _Question(Record):
    question_id: str | int
    question: str
    choice_a: str
    choice_b: str
    choice_c: str
    choice_d: str
    answer: Literal["A", "B", "C", "D"]
    data_id: str
    question_type_id: int


class _File(Record):
    questions: list[dict[str, object]]
    question_type: dict[str, int]


def _read(path: Path) -> list[Sample]:
    path = annotation(path, QUESTIONS)
    file = checked(_File, json_mapping(path), str(path))
    kinds = {number: kind for kind, number in file.question_type.items()}
    questions = [
        checked(_Question, row, f"{path}: question {index}")
        for index, row in enumerate(file.questions)
        if row.get("data_type") == "image"
    ]
    often = Counter(_name(question.question_id) for question in questions)
    seen: Counter[str] = Counter()
    samples = []
    for question in questions:
        label = _name(question.question_id)
        seen[label] += 1
        name = label if often[label] == 1 else f"{label}#{seen[label]}"
        kind = kinds.get(question.question_type_id, str(question.question_type_id))
        samples.append(_sample(question, name, label, kind))
    return samples


def _sample(question: _Question, name: str, label: str, kind: str) -> Sample:
    choices = (question.choice_a, question.choice_b, question.choice_c, question.choice_d)
    options = "".join(f"\n{letter}. {choice}" for letter, choice in zip(OPTIONS, choices, strict=True))
    text, image = f"{question.question}{options}{OPTION_LETTER}", f"SEED-Bench-image/{question.data_id}"
    return Sample(name, text, image, (question.answer,), {"question type": kind}, question.data_id, label=label)


def _name(question: str | int) -> str:
    """Ids are compared as numbers where they are some, as officially."""
    text = str(question)
    return str(int(text)) if text.isdecimal() else text


def _find(samples: Sequence[Sample]) -> Find:
    known: dict[str, tuple[str, ...]] = {sample.id: (sample.id,) for sample in samples}
    for sample in samples:
        if sample.label and sample.label != sample.id:
            known[sample.label] = (*known.get(sample.label, ()), sample.id)

    def find(name: str, _: str) -> tuple[str, ...] | None:
        is_video = name[:1] == "v" and name[1:].isdecimal()
        return known.get(_name(name), () if is_video else None)

    return find


def _grade(sample: Sample, text: str) -> Verdict:
    return Verdict(sample.id, float(text in sample.gold), text if text in tuple(OPTIONS) else None)


def _upload(samples: Sequence[Sample], answers: Mapping[str, Answer]) -> str:
    """The leaderboard's JSONL: a line per question in the order of the file, those without an answer left out."""
    rows = [
        {"question_id": sample.label, "prediction": answers[sample.id].text}
        for sample in samples
        if sample.id in answers
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


KINDS = (
    *("Scene Understanding", "Instance Identity", "Instance Attributes", "Instance Location", "Instances Counting"),
    *("Spatial Relation", "Instance Interaction", "Visual Reasoning", "Text Understanding", "Action Recognition"),
    *("Action Prediction", "Procedure Understanding"),
)
"""The kinds of questions, the first of them number 1."""


def _lay_out(folder: Path, rows: Iterable[Row]) -> None:
    """The image questions; the dataset has the videos as frames, and not all of them."""
    questions = []
    for row in rows:
        if row["data_type"] == "image":
            shown, places = row["image"], row["data_id"]
            place = str(places[0] if isinstance(places, list) else places)
            save_picture(folder / "SEED-Bench-image", place, shown[0] if isinstance(shown, list) else shown)
            kind = int(str(row["question_type_id"]))
            questions.append({**without(row, "image"), "data_id": place, "question_type_id": kind})
    kinds = {kind: number for number, kind in enumerate(KINDS, start=1)}
    write_json(folder / QUESTIONS, {"questions": questions, "question_type": kinds})


_ARCHIVE = {"SEED-Bench-image.zip": "SEED-Bench-image"}
_REPOSITORY = Files(("AILab-CVC/SEED-Bench",), (QUESTIONS, *_ARCHIVE), _ARCHIVE)


_OFFICIAL = Benchmark(
    name="seed_img",
    title="SEED-Bench image",
    protocol="llava",
    capability="perception",
    headline="accuracy",
    axis=(25, 100),
    max_new_tokens=128,
    prompts=1,
    grading=1,
    files=(QUESTIONS,),
    read=_read,
    grade=_grade,
    repeats="last",
    find=_find,
    forms={".jsonl": partial(llava, field="prediction")},
    upload=_upload,
    officially="the official code stops at a missing answer and at a type without a right one; here both count 0.",
    releases=(Release("SEED-Bench", 14_233), Release("with-video", 19_242)),
    sources={
        "official": Source((_REPOSITORY,)),
        "hub": Source((Rows(lmms_lab("SEED-Bench"), (Table("test"),), _lay_out),)),
    },
)
BENCHMARK = replace(_OFFICIAL, variants=(replace(_OFFICIAL, protocol="llava+lenient", grade=lenient),))
