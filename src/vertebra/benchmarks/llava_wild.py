"""LLaVA-Bench (in the wild): free-form answers beside GPT-4's, in the eyes of a judge (Liu et al., arXiv:2304.08485).

60 questions on 24 images of https://huggingface.co/datasets/liuhaotian/llava-bench-in-the-wild:

    questions.jsonl       {"question_id": 0, "image": "001.jpg", "text": "What is the name of this famous sight in the
                           photo?", "category": "conv"}
    context.jsonl         {"id": "001", "image": "001.jpg", "caption": "An aerial view of Diamond Head ..."}
    answers_gpt4.jsonl    {"question_id": 0, "text": "The famous sight in the photo is Diamond Head.", ...}

The official code pairs the files line by line; here ids pair them, and a missing answer is an error.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring import reviews
from vertebra.scoring.benchmark import Answer, Benchmark, Sample, ungraded
from vertebra.scoring.records import AnyRecord, Record, checked, json_lines
from vertebra.scoring.sources import Files, Release, Row, Rows, Source, Table, lmms_lab, save_picture, write_lines
from vertebra.spec import Json, digest

QUESTIONS, CONTEXT, REFERENCE = "questions.jsonl", "context.jsonl", "answers_gpt4.jsonl"
CATEGORIES = ("conv", "detail", "complex")


class _Question(Record):
    question_id: int | str
    image: str
    text: str
    category: str


class _Context(Record):
    image: str
    caption: str | list[str]


class _Reference(Record):
    question_id: int | str
    text: str


def _read(folder: Path) -> list[Sample]:
    captions = {found.image: found.caption for _, found in _rows(_Context, folder / CONTEXT)}
    references = {str(found.question_id): found.text for _, found in _rows(_Reference, folder / REFERENCE)}
    samples = []
    for where, question in _rows(_Question, folder / QUESTIONS):
        name, caption = str(question.question_id), captions.get(question.image)
        if caption is None or name not in references:
            file = CONTEXT if caption is None else REFERENCE
            raise DataError(f"{where}: {file} has nothing for question {name!r} on {question.image}. Fetch it again.")
        if question.category not in CATEGORIES:
            raise DataError(f"{where}: category {question.category!r} is none of {', '.join(CATEGORIES)}.")
        gold = (references[name], caption if isinstance(caption, str) else "\n".join(caption))
        groups = {"category": question.category}
        samples.append(Sample(name, question.text, f"images/{question.image}", gold, groups, question.image))
    return samples


def _rows(kind: type[AnyRecord], path: Path) -> list[tuple[str, AnyRecord]]:
    found = ((f"{path}:{line}", row) for line, row in json_lines(path))
    return [(where, checked(kind, row, where)) for where, row in found]


def _upload(samples: Sequence[Sample], answers: Mapping[str, Answer]) -> str:
    """The answers file that eval_gpt_review_bench.py takes, in the questions' order; it wants an `answer_id`."""
    rows: list[Json] = [
        {
            "question_id": int(sample.id) if sample.id.isdecimal() else sample.id,
            "prompt": sample.text,
            "text": answers[sample.id].text,
            "answer_id": digest([sample.id, answers[sample.id].text])[:22],
            "model_id": "",
            "metadata": {},
        }
        for sample in samples
        if sample.id in answers
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def _lay_out(folder: Path, rows: Iterable[Row]) -> None:
    questions: list[Row] = []
    references: list[Row] = []
    captions: dict[str, Row] = {}
    for row in rows:
        name, image = row["question_id"], str(row["image_id"]).removesuffix(".jpg")
        file = f"{image}.jpg"
        save_picture(folder / "images", file, row["image"])
        asked = {"question_id": name, "image": file, "text": row["question"]}
        questions.append({**asked, "category": str(row["category"]).removeprefix("llava_bench_")})
        references.append({"question_id": name, "text": row["gpt_answer"]})
        captions[image] = {"id": image, "image": file, "caption": row["caption"]}
    write_lines(folder / QUESTIONS, questions)
    write_lines(folder / REFERENCE, references)
    write_lines(folder / CONTEXT, captions.values())


_REPOSITORY = Files(("liuhaotian/llava-bench-in-the-wild",), (QUESTIONS, CONTEXT, REFERENCE, "images/*"))


BENCHMARK = Benchmark(
    name="llava_wild",
    title="LLaVA-Bench (in the wild)",
    protocol="llava",
    capability="language and knowledge",
    headline="relative_score",
    axis=(0, 100),
    max_new_tokens=1024,
    prompts=1,
    grading=1,
    files=(QUESTIONS, CONTEXT, REFERENCE),
    read=_read,
    grade=ungraded,
    tally=reviews.tally,
    metrics=reviews.metrics,
    bounds={"relative_score": None, "std": None},  # an answer may be better than the reference
    upload=_upload,
    officially=reviews.OFFICIALLY,
    judging=reviews.JUDGING,
    releases=(Release("llava-bench-in-the-wild", 60, 24),),
    sources={
        "official": Source((_REPOSITORY,)),
        "hub": Source((Rows(lmms_lab("llava-bench-in-the-wild"), (Table("train"),), _lay_out),)),
    },
)
