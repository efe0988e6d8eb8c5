"""VizWiz, val: photos and spoken questions of blind people (Gurari et al., arXiv:1802.08218, https://vizwiz.org)

Answers to the test split are on a server that has closed, so the score here is on the 4,319 questions of val:

    val.json    [{"image": "VizWiz_val_00000000.jpg", "question": "Ok. There is another picture I hope it is a better
                  one.", "answers": [{"answer": "unanswerable", "answer_confidence": "yes"}, ...ten of them],
                  "answer_type": "unanswerable", "answerable": 0}, ...]

Given instead, test.json or LLaVA's llava_test.jsonl (`question_id`, `image`, `text`) make the upload file, no score.
A question's id is its image's name (in llava_test.jsonl `question_id`). LLaVA's runner numbers the lines, so an answer
may carry the place of its question, from 0, if its stored prompt, where it has one, holds that question.

"unanswerable" is an answer like any other. Predictions pass M4C's normaliser, as in LLaVA's upload, and then VizWiz's;
the annotators' answers are taken as they are. An answer that is missing is wrong, and no upload is made without it; of
two answers the last counts.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring.benchmark import SHORT_ANSWER, Answer, Benchmark, Find, Sample, Verdict
from vertebra.scoring.normalise import leave_one_out, m4c, vizwiz
from vertebra.scoring.records import Annotators, Record, annotation, checked, json_lines, json_list
from vertebra.scoring.sources import Release, Row, Rows, Source, Table, lmms_lab, save_picture, write_json

ANNOTATIONS = "val.json"
SUFFIX = "\nWhen the provided information is insufficient, respond with 'Unanswerable'." + SHORT_ANSWER


class _Question(Record):
    image: str
    question: str
    answers: Annotators | None = None
    answer_type: str = "other"


class _TestQuestion(Record):
    question_id: int | str
    image: str
    text: str


def _read(path: Path) -> list[Sample]:
    path = annotation(path, ANNOTATIONS)
    if path.suffix == ".jsonl":
        return [_test_sample(checked(_TestQuestion, row, f"{path}:{line}")) for line, row in json_lines(path)]
    rows = enumerate(json_list(path))
    return [_sample(checked(_Question, row, f"{path}: record {place}"), path.stem) for place, row in rows]


def _sample(question: _Question, split: str) -> Sample:
    image, text = question.image, question.question.capitalize() + SUFFIX
    gold = tuple(question.answers or ())
    return Sample(image, text, f"{split}/{image}", gold, {"answer_type": question.answer_type}, image)


def _test_sample(question: _TestQuestion) -> Sample:
    return Sample(str(question.question_id), question.text, f"test/{question.image}", (), {}, question.image)


def _find(samples: Sequence[Sample]) -> Find:
    ids = {sample.id for sample in samples}
    places = {str(place): sample for place, sample in enumerate(samples) if sample.id == sample.cluster}

    def find(name: str, prompt: str) -> str | None:
        if name in ids or name not in places:
            return name if name in ids else None
        question = places[name].text.removesuffix(SUFFIX).lower()
        return places[name].id if not prompt or question in prompt.lower() else None

    return find


def _grade(sample: Sample, text: str) -> Verdict:
    said = vizwiz(m4c(text))
    return Verdict(sample.id, leave_one_out(said, sample.gold), said)


def _upload(samples: Sequence[Sample], answers: Mapping[str, Answer]) -> str:
    """The file of LLaVA's convert_vizwiz_for_submission.py, in the questions' order; `DataError` for a missing one."""
    for sample in samples:
        if sample.id not in answers:
            raise DataError(f"No answer to question {sample.id!r} of vizwiz. An upload must answer every question.")
    return json.dumps([{"image": sample.cluster, "answer": m4c(answers[sample.id].text)} for sample in samples])


def _lay_out(folder: Path, rows: Iterable[Row]) -> None:
    _lay_out_split(folder, rows, "val")


def _lay_out_test(folder: Path, rows: Iterable[Row]) -> None:
    _lay_out_split(folder, rows, "test")


def _lay_out_split(folder: Path, rows: Iterable[Row], split: str) -> None:
    questions: list[Row] = []
    for row in rows:
        image, given = f"{str(row['question_id']).removesuffix('.jpg')}.jpg", row["answers"]
        save_picture(folder / split, image, row["image"])
        asked = {"image": image, "question": row["question"]}
        answers = [{"answer": answer} for answer in given] if isinstance(given, list) else []
        told = {"answers": answers, "answer_type": row["category"]} if split == "val" else {}
        questions.append({**asked, **told})
    write_json(folder / f"{split}.json", questions)


_NAMES = lmms_lab("VizWiz-VQA")
_TEST = (Rows(_NAMES, (Table("val"),), _lay_out), Rows(_NAMES, (Table("test"),), _lay_out_test))


BENCHMARK = Benchmark(
    name="vizwiz",
    title="VizWiz (val)",
    protocol="val+m4c",
    capability="perception",
    headline="accuracy",
    axis=(0, 100),
    max_new_tokens=128,
    prompts=1,
    grading=1,
    files=(ANNOTATIONS,),
    read=_read,
    grade=_grade,
    repeats="last",
    find=_find,
    upload=_upload,
    officially="LLaVA's converter stops at a question without an answer; here that question is wrong.",
    releases=(Release("val", 4_319, 4_319), Release("test", 8_000, 8_000), Release("train", 20_523)),
    sources={"hub": Source(_TEST[:1]), "hub+test": Source(_TEST)},
)
