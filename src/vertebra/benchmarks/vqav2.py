"""VQAv2, val2014: open questions on COCO images (Goyal et al., arXiv:1612.00837, https://visualqa.org)

Only train and val have public answers; the study's test-dev number comes from a server. So the score here is on the
214,354 questions of val, and the upload is made from the questions of test2015 given alone, in place of the folder.

    v2_OpenEnded_mscoco_val2014_questions.json
        {"data_subtype": "val2014", "questions": [{"question_id": 262148000, "image_id": 262148,
                                                   "question": "Where is he looking?"}, ...], ...}
    v2_mscoco_val2014_annotations.json
        {"annotations": [{"question_id": 262148000, "answer_type": "other", "answers":
         [{"answer": "down", "answer_confidence": "yes", "answer_id": 1}, ...ten of them], ...}, ...], ...}

LLaVA sends its answers through M4C's normaliser; the VQA challenge's rule then grades what was sent. An answer that is
missing is wrong (LLaVA sends an empty one); of two answers to a question the last is sent. COCO's val2014 images are
among those LLaVA-1.5 is tuned on, in the pictures of train2017: val is no held-out set for it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring.benchmark import SHORT_ANSWER, Answer, Benchmark, Sample, Verdict
from vertebra.scoring.normalise import m4c, vqa_accuracy, vqa_gold
from vertebra.scoring.records import Annotators, Record, checked, json_mapping
from vertebra.scoring.sources import Release, Row, Rows, Source, Table, lmms_lab, save_picture, write_json

QUESTIONS = "v2_OpenEnded_mscoco_val2014_questions.json"
ANNOTATIONS = "v2_mscoco_val2014_annotations.json"
TEST_QUESTIONS = "v2_OpenEnded_mscoco_test2015_questions.json"


class _Question(Record):
    question_id: int
    image_id: int
    question: str


class _Questions(Record):
    data_subtype: str = "val2014"
    questions: list[_Question]


class _Annotation(Record):
    question_id: int
    answer_type: str
    answers: Annotators


class _Annotations(Record):
    annotations: list[_Annotation]


def _read(path: Path) -> list[Sample]:
    file = path if path.is_file() else path / QUESTIONS
    asked = checked(_Questions, json_mapping(file), str(file))
    images = asked.data_subtype.replace("-dev", "")  # test-dev is a part of test, and has no images of its own
    if path.is_file():
        return [_sample(question, images, (), {}) for question in asked.questions]
    annotated = _annotated(path / ANNOTATIONS)
    if annotated.keys() != (ids := {question.question_id for question in asked.questions}):
        odd = min(annotated.keys() ^ ids)
        having, lacking = (ANNOTATIONS, QUESTIONS) if odd in annotated else (QUESTIONS, ANNOTATIONS)
        raise DataError(f"{path}: question {odd} is in {having} and not in {lacking}. Are both of v2 and val2014?")
    return [
        _sample(question, images, vqa_gold(found.answers), {"answer_type": found.answer_type})
        for question in asked.questions
        for found in (annotated[question.question_id],)
    ]


def _annotated(path: Path) -> dict[int, _Annotation]:
    found: dict[int, _Annotation] = {}
    for value in checked(_Annotations, json_mapping(path), str(path)).annotations:
        if found.setdefault(value.question_id, value) is not value:
            raise DataError(f"{path}: question {value.question_id} is annotated twice. Fetch the release again.")
    return found


def _sample(question: _Question, images: str, gold: tuple[str, ...], groups: Mapping[str, str]) -> Sample:
    image = f"{images}/COCO_{images}_{question.image_id:012d}.jpg"
    name, text = str(question.question_id), question.question + SHORT_ANSWER
    return Sample(name, text, image, gold, groups, str(question.image_id))


def _grade(sample: Sample, text: str) -> Verdict:
    sent = m4c(text)
    return Verdict(sample.id, vqa_accuracy(sent, sample.gold), sent)


def _upload(samples: Sequence[Sample], answers: Mapping[str, Answer]) -> str:
    """The result file of LLaVA's convert_vqav2_for_submission.py: every question, in order, unanswered ones empty."""
    sent = [m4c(answers[sample.id].text) if sample.id in answers else "" for sample in samples]
    rows = zip(samples, sent, strict=True)
    return json.dumps([{"question_id": int(sample.id), "answer": answer} for sample, answer in rows])


_SHARED = ("image_id", "question_id")
_ANNOTATED = ("question_type", "answer_type", "multiple_choice_answer", "answers")


def _lay_out(folder: Path, rows: Iterable[Row]) -> None:
    questions, annotations = [], []
    for row in rows:
        image = f"COCO_val2014_{int(str(row['image_id'])):012d}.jpg"
        save_picture(folder / "val2014", image, row["image"])
        questions.append({name: row[name] for name in (*_SHARED, "question")})
        annotations.append({name: row[name] for name in (*_SHARED, *_ANNOTATED)})
    subset = {"data_type": "mscoco", "data_subtype": "val2014"}
    write_json(folder / QUESTIONS, {**subset, "questions": questions})
    write_json(folder / ANNOTATIONS, {**subset, "annotations": annotations})


def _lay_out_test(folder: Path, rows: Iterable[Row]) -> None:
    """The questions of the upload; test-dev is a part of them."""
    questions = []
    for row in rows:
        image = f"COCO_test2015_{int(str(row['image_id'])):012d}.jpg"
        save_picture(folder / "test2015", image, row["image"])
        questions.append({name: row[name] for name in (*_SHARED, "question")})
    write_json(folder / TEST_QUESTIONS, {"data_type": "mscoco", "data_subtype": "test2015", "questions": questions})


_NAMES = lmms_lab("VQAv2")
_TEST = (Rows(_NAMES, (Table("validation"),), _lay_out), Rows(_NAMES, (Table("test"),), _lay_out_test))


BENCHMARK = Benchmark(
    name="vqav2",
    title="VQAv2 (val)",
    protocol="v2-val2014+m4c",
    capability="perception",
    headline="accuracy",
    axis=(0, 100),
    max_new_tokens=128,
    prompts=1,
    grading=1,
    files=(QUESTIONS, ANNOTATIONS),
    read=_read,
    grade=_grade,
    repeats="last",
    upload=_upload,
    officially="LLaVA's converter skips answers that are not JSON; here such a line is an error.",
    releases=(
        Release("val2014", 214_354),
        Release("train2014", 443_757),
        Release("test2015", 447_793, 81_434),
        Release("test-dev2015", 107_394),
    ),
    sources={"hub": Source(_TEST[:1]), "hub+test": Source(_TEST)},
)
