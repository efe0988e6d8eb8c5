"""TextVQA, val 0.5.1: questions whose answer is written in the image (Singh et al., arXiv:1904.08920, https://textvqa.org)

5,000 questions on 3,166 images, asked as LLaVA-1.5 does, with the words that Rosetta's OCR read as a hint:

    TextVQA_0.5.1_val.json
        {"dataset_version": "0.5.1", "data": [{"question_id": 34602, "image_id": "003a8ae2ef43b901",
         "question": "what is the brand of this camera?", "answers": ["dakota", ...ten of them], ...}, ...], ...}
    llava_textvqa_val_v051_ocr.jsonl
        {"question_id": "003a8ae2ef43b901", "text": "What is the brand of this camera?\\nReference OCR token: DAKOTA,
         DIGITAL\\nAnswer the question using a single word or phrase.", ...}

LLaVA's `question_id` is the image's, which several questions share; an answer finds its question by image and by the
question in its stored prompt. Our id, in `--samples` too, is the annotations' `question_id`, and answers may carry it.
Accuracy is the mean over the answers given, so that a missing one is in no sum, as officially; officially a second
answer to a question counts as one more question, here it is refused.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring.benchmark import SHORT_ANSWER, Answer, Benchmark, Find, Sample, Verdict
from vertebra.scoring.metrics import Tally
from vertebra.scoring.normalise import leave_one_out, m4c
from vertebra.scoring.records import Annotators, Record, annotation, checked, json_lines, json_mapping
from vertebra.scoring.sources import (
    Release,
    Row,
    Rows,
    Source,
    Table,
    lmms_lab,
    save_picture,
    sums,
    without,
    write_json,
    write_lines,
)

ANNOTATIONS = "TextVQA_0.5.1_val.json"
QUESTIONS = "llava_textvqa_val_v051_ocr.jsonl"
_OCR_LINE = "Reference OCR token:"
_SHORT_PROMPT = re.compile("Question: (.*?) Short answer:", re.DOTALL)
_Key = tuple[str, str]


class _Question(Record):
    question_id: int
    image_id: str
    question: str
    answers: Annotators | None = None


class _Release(Record):
    dataset_version: str = "0.5.1"
    data: list[_Question]


class _Prompt(Record):
    question_id: str
    text: str


def _read(path: Path) -> list[Sample]:
    """Annotations alone are enough for a score; the prompts then have no OCR line."""
    file = annotation(path, ANNOTATIONS)
    release = checked(_Release, json_mapping(file), str(file))
    if release.dataset_version != "0.5.1":
        raise DataError(f"{file} is of TextVQA {release.dataset_version}. LLaVA's questions go with 0.5.1.")
    keys = [(question.image_id, question.question.lower()) for question in release.data]
    for (image, question), times in Counter(keys).most_common(1):
        if times > 1:
            raise DataError(f"{file}: image {image!r} is asked {question!r} twice. Fetch the official release again.")
    if path == file:
        return [_sample(question, question.question.capitalize() + SHORT_ANSWER) for question in release.data]
    prompts = _prompts(path / QUESTIONS, set(keys))
    return [_sample(question, prompts[key]) for question, key in zip(release.data, keys, strict=True)]


def _prompts(path: Path, keys: set[_Key]) -> dict[_Key, str]:
    """What each question's model is asked, by image and question."""
    prompts: dict[_Key, str] = {}
    for line, row in json_lines(path):
        prompt = checked(_Prompt, row, f"{path}:{line}")
        key = (prompt.question_id, _question(prompt.text) or "")
        if key not in keys or key in prompts:
            how = "again" if key in prompts else "but the annotations do not"
            raise DataError(f"{path}:{line}: asks {key[1]!r} of image {key[0]!r}, {how}. Are both of release 0.5.1?")
        prompts[key] = prompt.text
    if unasked := keys - prompts.keys():
        image, question = min(unasked)
        raise DataError(f"{path} does not ask {question!r} of image {image!r}. Are both of release 0.5.1?")
    return prompts


def _question(prompt: str) -> str | None:
    """The question in a stored prompt, lower-cased: the forms that LLaVA's eval_textvqa.py knows."""
    lines = prompt.split("\n")
    if prompt.startswith("OCR tokens: "):
        found = _SHORT_PROMPT.search(prompt)
        return found[1].lower() if found else None
    if _OCR_LINE + " " in prompt and len(lines) == 3:
        return lines[prompt.startswith(_OCR_LINE)].lower()
    return lines[0].lower() if len(lines) == 2 else None


def _sample(question: _Question, text: str) -> Sample:
    image = f"train_images/{question.image_id}.jpg"
    gold = tuple(map(m4c, question.answers or ()))
    return Sample(str(question.question_id), text, image, gold, {}, question.image_id)


def _find(samples: Sequence[Sample]) -> Find:
    ids = {sample.id for sample in samples}
    asked = {(sample.cluster, _question(sample.text)): sample.id for sample in samples}
    return lambda name, prompt: asked.get((name, _question(prompt))) or (name if name in ids else None)


def _named(answers: Mapping[str, Answer]) -> str:
    """Numbers with and without OCR words are about 12 points apart; without stored prompts they count as LLaVA's."""
    hinted = {"OCR token" in answer.prompt for answer in answers.values() if answer.prompt}
    return "val-0.5.1+" + ("ocr" if hinted <= {True} else "some-ocr" if True in hinted else "no-ocr")


def _grade(sample: Sample, text: str) -> Verdict:
    said = m4c(text)
    return Verdict(sample.id, leave_one_out(said, sample.gold), said)


def _tally(_: Sample, verdict: Verdict) -> Tally:
    return {} if verdict.missing else {"right": verdict.score, "all": 1.0}


def _lay_out(folder: Path, rows: Iterable[Row]) -> None:
    data: list[Row] = []
    prompts: list[Row] = []
    for row in rows:
        image, words = str(row["image_id"]), row["ocr_tokens"]
        save_picture(folder / "train_images", f"{image}.jpg", row["image"])
        data.append(without(row, "image", "ocr_tokens"))
        hint = f"{_OCR_LINE} {', '.join(map(str, words if isinstance(words, list) else ()))}"
        text = f"{str(row['question']).capitalize()}\n{hint}{SHORT_ANSWER}"
        prompts.append({"question_id": image, "image": f"{image}.jpg", "text": text, "category": "default"})
    write_json(folder / ANNOTATIONS, {"dataset_type": "val", "dataset_version": "0.5.1", "data": data})
    write_lines(folder / QUESTIONS, prompts)


BENCHMARK = Benchmark(
    name="textvqa",
    title="TextVQA (val)",
    protocol="val-0.5.1+ocr",
    capability="OCR",
    headline="accuracy",
    axis=(0, 100),
    max_new_tokens=128,
    prompts=1,
    grading=1,
    files=(ANNOTATIONS, QUESTIONS),
    read=_read,
    grade=_grade,
    tally=_tally,
    find=_find,
    named=_named,
    officially="an answer given twice counts officially as two questions; here the second one is refused.",
    releases=(
        Release("0.5.1-val", 5_000, 3_166, sums("textvqa")),
        Release("0.5.1-train", 34_602),
        Release("0.5.1-test", 5_734),
    ),
    sources={"hub": Source((Rows(lmms_lab("textvqa"), (Table("validation"),), _lay_out),))},
)
