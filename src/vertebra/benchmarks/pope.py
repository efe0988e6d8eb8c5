"""POPE: does the model see things that are not there? (Li et al., arXiv:2305.10355, https://github.com/AoiDragon/POPE)

8,910 yes/no questions on 500 COCO val2014 images in three subsets, as LLaVA-1.5 asks them. Labels are POPE's of August
2023 (commit e3e3926), one JSON object a line in spite of the name:

    coco_pope_adversarial.json
        {"question_id": 1, "image": "COCO_val2014_000000310196.jpg", "label": "yes",
         "text": "Is there a snowboard in the image?"}
    llava_pope_test.jsonl
        {"question_id": 1, "image": "COCO_val2014_000000310196.jpg", "category": "adversarial",
         "text": "Is there a snowboard in the image?\\nAnswer the question using a single word or phrase."}

Labels and questions belong together by position within a subset; here text and image must agree too, because POPE's
later release (3,000 random questions instead of 2,910) zips with the wrong ones and still gives a number (F1 .457
instead of .871). Answers are paired by id. A missing answer is in no cell of the confusion matrix, as officially.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vertebra.errors import DataError
from vertebra.scoring.benchmark import SHORT_ANSWER, Benchmark, Sample, Verdict
from vertebra.scoring.metrics import ZERO, Column, Sums, Tally, ratio
from vertebra.scoring.records import Record, checked, json_lines

SUBSETS = ("adversarial", "random", "popular")
QUESTIONS = "llava_pope_test.jsonl"


class _Label(Record):
    image: str
    text: str
    label: Literal["yes", "no"]


class _Question(Record):
    question_id: int | str
    image: str
    text: str
    category: Literal["adversarial", "random", "popular"]


def _read(folder: Path) -> list[Sample]:
    asked: dict[str, list[tuple[int, _Question]]] = {subset: [] for subset in SUBSETS}
    for line, row in json_lines(folder / QUESTIONS):
        question = checked(_Question, row, f"{folder / QUESTIONS}:{line}")
        asked[question.category].append((line, question))
    return [sample for subset in SUBSETS for sample in _paired(folder, subset, asked[subset])]


def _paired(folder: Path, subset: str, asked: Sequence[tuple[int, _Question]]) -> list[Sample]:
    path = folder / f"coco_pope_{subset}.json"
    labels = [checked(_Label, row, f"{path}:{line}") for line, row in json_lines(path)]
    if len(labels) != len(asked):
        raise DataError(
            f"{path} has {len(labels)} labels, {QUESTIONS} asks {len(asked)} {subset} questions. {_release(subset)}"
        )
    for (line, question), label in zip(asked, labels, strict=True):
        if (question.image, question.text.removesuffix(SHORT_ANSWER)) != (label.image, label.text):
            raise DataError(
                f"{folder / QUESTIONS}:{line}: question {question.question_id} is not the one that {path.name} labels "
                f"in its place ({label.text!r} on {label.image}). {_release(subset)}"
            )
    return [_sample(question, label) for (_, question), label in zip(asked, labels, strict=True)]


def _release(subset: str) -> str:
    return (
        "The labels look to be of POPE's later release (3,000 random questions, some reworded, since October 2023); "
        f"LLaVA's questions go with output/coco/coco_pope_{subset}.json of commit e3e3926 of AoiDragon/POPE."
    )


def _sample(question: _Question, label: _Label) -> Sample:
    image = f"val2014/{question.image}"
    groups = {"subset": question.category}
    return Sample(str(question.question_id), question.text, image, (label.label,), groups, question.image)


def _grade(sample: Sample, text: str) -> Verdict:
    """No if the first sentence has one of three exact words, else yes; so "NO", "None" and "" are yes."""
    words = text.split(".")[0].replace(",", "").split(" ")
    said = "no" if {"No", "not", "no"} & set(words) else "yes"
    return Verdict(sample.id, float(said in sample.gold), said)


def _tally(sample: Sample, verdict: Verdict) -> Tally:
    if verdict.missing:
        return {}
    truth = "t" if verdict.score else "f"
    said = "p" if verdict.parsed == "yes" else "n"
    return {f"{sample.groups['subset']} {truth}{said}": 1.0}


def _metrics(sums: Sums) -> dict[str, Column]:
    """Plain means over the subsets, as in the LLaVA-1.5 paper."""
    found = [_matrix(sums, (subset,)) for subset in SUBSETS]
    return {name: sum((subset[name] for subset in found), start=ZERO) / len(SUBSETS) for name in ("f1", "accuracy")}


def _group_metrics(sums: Sums) -> dict[str, Column]:
    return _matrix(sums, SUBSETS)


_CELLS = ("tp", "fp", "tn", "fn")


def _matrix(sums: Sums, subsets: Sequence[str]) -> dict[str, Column]:
    """Percent, yes_ratio 0 to 1, counts. Without a predicted yes, precision and F1 are 0 (officially an error)."""
    cells = {cell: sum((sums[f"{subset} {cell}"] for subset in subsets), start=ZERO) for cell in _CELLS}
    tp, fp, tn, fn = cells.values()
    precision, recall = ratio(tp, tp + fp), ratio(tp, tp + fn)
    return {
        "f1": 100 * ratio(2 * precision * recall, precision + recall),
        "accuracy": 100 * ratio(tp + tn, tp + fp + tn + fn),
        "precision": 100 * precision,
        "recall": 100 * recall,
        "yes_ratio": ratio(tp + fp, tp + fp + tn + fn),
        **cells,
    }


BENCHMARK = Benchmark(
    name="pope",
    title="POPE",
    protocol="llava",
    headline="f1",
    axis=(50, 100),
    max_new_tokens=128,
    prompts=1,
    grading=1,
    files=(QUESTIONS, *(f"coco_pope_{subset}.json" for subset in SUBSETS)),
    read=_read,
    grade=_grade,
    tally=_tally,
    metrics=_metrics,
    group_metrics=_group_metrics,
)
