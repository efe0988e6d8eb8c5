"""MM-Vet, first version: free-form answers that take several capabilities at once (Yu et al., arXiv:2308.02490).

218 questions on 200 images, mm-vet.zip of https://github.com/yuweihao/MM-Vet:

    mm-vet.json    {"v1_0": {"imagename": "v1_0.png", "question": "What is x in the equation?", "answer": "-1<AND>-5",
                             "imagesource": "https://...", "capability": ["ocr", "math"]}, ...}

LLaVA's runner numbers the questions 0 to 217. A judge grades each answer from 0 to 1; a question counts under each of
its capabilities.
"""

from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring import grades
from vertebra.scoring.answers import by_question
from vertebra.scoring.benchmark import Benchmark, Sample, ungraded
from vertebra.scoring.records import Record, annotation, checked, json_mapping

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


BENCHMARK = Benchmark(
    name="mm_vet",
    title="MM-Vet",
    protocol="v1",
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
    repeats="last",
    upload=grades.upload,
    judging=grades.judging(grades.examples()),
    find=grades.find,
    forms={".json": by_question},
)
