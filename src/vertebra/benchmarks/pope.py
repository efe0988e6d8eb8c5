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

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from vertebra.errors import DataError
from vertebra.scoring.benchmark import SHORT_ANSWER, Benchmark, Sample, Verdict
from vertebra.scoring.metrics import ZERO, Column, Sums, Tally, ratio
from vertebra.scoring.records import Record, checked, json_lines
from vertebra.scoring.sources import Release, Row, Rows, Source, Table, Web, lmms_lab, save_picture, sums, write_lines

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


def _read(folder: Path, *, by_position: bool = False) -> list[Sample]:
    """The questions with their labels; `by_position`, each with the label in its place, whatever that is a label of."""
    asked: dict[str, list[tuple[int, _Question]]] = {subset: [] for subset in SUBSETS}
    for line, row in json_lines(folder / QUESTIONS):
        question = checked(_Question, row, f"{folder / QUESTIONS}:{line}")
        asked[question.category].append((line, question))
    samples: list[Sample] = []
    for subset in SUBSETS:
        path = folder / f"coco_pope_{subset}.json"
        labels = [checked(_Label, row, f"{path}:{line}") for line, row in json_lines(path)]
        if len(labels) < len(asked[subset]) or not by_position:
            _demand_pairs(asked[subset], labels, path, subset)
        pairs = zip(asked[subset], labels, strict=False)
        samples += [_sample(question, label) for (_, question), label in pairs]
    return samples


def _demand_pairs(asked: Sequence[tuple[int, _Question]], labels: Sequence[_Label], path: Path, subset: str) -> None:
    if len(labels) != len(asked):
        raise DataError(
            f"{path} has {len(labels)} labels, {QUESTIONS} asks {len(asked)} {subset} questions. {_release(subset)}"
        )
    for (line, question), label in zip(asked, labels, strict=True):
        if (question.image, question.text.removesuffix(SHORT_ANSWER)) != (label.image, label.text):
            raise DataError(
                f"{path.with_name(QUESTIONS)}:{line}: question {question.question_id} is not the one that {path.name} "
                f"labels in its place ({label.text!r} on {label.image}). {_release(subset)}"
            )


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


def _lay_out(folder: Path, rows: Iterable[Row]) -> None:
    """The later release, labels and pictures."""
    labels: dict[str, list[Row]] = {subset: [] for subset in SUBSETS}
    for row in _pictured(folder, rows):
        number = len(labels[str(row["category"])]) + 1
        asked = {"question_id": number, "image": _file(row), "text": row["question"]}
        labels[str(row["category"])].append({**asked, "label": row["answer"]})
    for subset, found in labels.items():
        write_lines(folder / f"coco_pope_{subset}.json", found)
    _ask(folder)


def _lay_out_pictures(folder: Path, rows: Iterable[Row]) -> None:
    """The pictures alone; the labels are there."""
    for _ in _pictured(folder, rows):
        pass
    _ask(folder)


def _pictured(folder: Path, rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        if row["category"] not in SUBSETS:
            raise DataError(f"A question is of {row['category']!r}, which is no subset of POPE.")
        save_picture(folder / "val2014", _file(row), row["image"])
        yield row


def _file(row: Row) -> str:
    return str(row["image_source"]).removesuffix(".jpg") + ".jpg"


def _ask(folder: Path) -> None:
    """LLaVA's question file, byte for byte what its authors made of these labels."""
    questions: list[Row] = []
    for place, subset in enumerate(SUBSETS):
        for number, (_, label) in enumerate(json_lines(folder / f"coco_pope_{subset}.json"), start=1):
            asked = {"question_id": 10_000_000 * place + number, "image": label["image"]}
            questions.append({**asked, "text": f"{label['text']}{SHORT_ANSWER}", "category": subset})
    write_lines(folder / QUESTIONS, questions)


_SHA256 = sums("pope")
_LABELS = "https://raw.githubusercontent.com/AoiDragon/POPE/e3e39262c85a6a83f26cf5094022a782cb0df58d/output/coco"
_WEB = tuple(Web(f"{_LABELS}/{name}", name, digest) for name, digest in _SHA256.items() if name != QUESTIONS)
_TABLES = (Table("test"),)


_BENCHMARK = Benchmark(
    name="pope",
    title="POPE",
    protocol="llava",
    capability="hallucination",
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
    bounds={"yes_ratio": (0, 1)},
    counts=("tp", "fp", "tn", "fn"),
    group_metrics=_group_metrics,
    officially="labels are taken by their place in the subset, whatever questions they belong to; officially a missing "
    "answer also shifts those after it, and a subset without a predicted yes stops it.",
    releases=(Release("e3e3926", 8_910, 500, _SHA256), Release("2023-10", 9_000, 500)),
    sources={
        "official": Source((*_WEB, Rows(lmms_lab("POPE"), _TABLES, _lay_out_pictures))),
        "hub": Source((Rows(lmms_lab("POPE"), _TABLES, _lay_out),)),
    },
)
BENCHMARK = replace(
    _BENCHMARK, variants=(replace(_BENCHMARK, protocol="llava+official", read=partial(_read, by_position=True)),)
)
