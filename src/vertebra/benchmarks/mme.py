"""MME: perception and cognition in pairs of yes/no questions (Fu et al., arXiv:2306.13394).

2,374 questions, two an image, in fourteen subtasks; a subtask is worth 200 points, its percent of right questions and
of right pairs. Annotations are the `Your_Results` of eval_tool.zip, or the release (a text file an image):

    OCR.txt                               0001.jpg\\tIs the word in the logo "angie's"? Please answer yes or no.\\tYes
    OCR/0001.txt beside OCR/0001.jpg      Is the word in the logo "angie's"? Please answer yes or no.\\tYes
    artwork/questions_answers_YN/1.txt    (its picture is artwork/images/1.jpg)

Answers are LLaVA's JSONL, whose ids name the image alone, so that the stored prompt tells its questions apart, or
a folder of {subtask}.txt with the answer in a fourth column. As in calculation.py, lines count in consecutive pairs and
an answer by its first four characters ("None" is a no). The official tool stops at an answer with a tab or line break;
here its first four characters count too.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vertebra.errors import DataError
from vertebra.files import write_atomically
from vertebra.scoring.benchmark import SHORT_ANSWER, Answer, Benchmark, Find, Given, Sample, Verdict
from vertebra.scoring.metrics import ZERO, Column, Sums, Tally, ratio
from vertebra.scoring.records import lines
from vertebra.scoring.sources import Release, Row, Rows, Source, Table, lmms_lab, save_picture, sums

PERCEPTION = (
    *("existence", "count", "position", "color", "posters"),
    *("celebrity", "scene", "landmark", "artwork", "OCR"),
)
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
SUBTASKS = (*PERCEPTION, *COGNITION)
APART = frozenset({"artwork", "celebrity", "landmark", "posters", "scene"})
"""Subtasks whose pictures lie in `images/`, apart from the text files."""
ENDING = "Please answer yes or no."


def _read(folder: Path) -> list[Sample]:
    return [sample for subtask in SUBTASKS for sample in _subtask(folder, subtask)]


def _subtask(folder: Path, subtask: str) -> list[Sample]:
    path = folder / f"{subtask}.txt"
    is_tree = (folder / subtask).is_dir() and not path.is_file()
    rows = list(_tree(folder, subtask) if is_tree else _columns(path, 3))
    if not rows or len(rows) % 2:
        raise DataError(f"{folder}: {subtask} has {len(rows)} questions, no pairs. Fetch MME's official files again.")
    samples: list[Sample] = []
    seen: Counter[str] = Counter()
    for where, (file, asked, truth) in rows:
        gold = truth.strip().lower()
        if gold not in ("yes", "no"):
            raise DataError(f"{where}: the truth must be Yes or No, not {truth[:80]!r}. Is this MME's official file?")
        label, image = f"{subtask}/{file}", f"{subtask}/{'images/' * (subtask in APART)}{file}"
        seen[label] += 1
        name, text = f"{label}#{seen[label]}", asked.removesuffix(ENDING).rstrip() + SHORT_ANSWER
        samples.append(Sample(name, text, image, (gold,), {"subtask": subtask}, label, label=label))
    return samples


def _columns(path: Path, count: int) -> Iterator[tuple[str, list[str]]]:
    """File and line, and the cells of each line."""
    for number, line in lines(path):
        cells = line.split("\t")
        if len(cells) != count:
            raise DataError(f"{path}:{number}: {len(cells)} columns where MME has {count}, divided by tabs.")
        yield f"{path}:{number}", cells


def _tree(folder: Path, subtask: str) -> Iterator[tuple[str, list[str]]]:
    """The same of the release: each text file has the two questions on the picture of its name."""
    home = folder / subtask
    texts, images = (home / "questions_answers_YN", home / "images") if subtask in APART else (home, home)
    pictures = {path.stem: path.name for path in images.glob("*") if path.suffix != ".txt"}
    for path in sorted(texts.glob("*.txt")):
        for where, cells in _columns(path, 2):
            yield where, [pictures.get(path.stem, f"{path.stem}.jpg"), *cells]


def _find(samples: Sequence[Sample]) -> Find:
    """By subtask, name of the image without its suffix, and question, as LLaVA's converter does."""
    ids = {sample.id: sample.id for sample in samples}
    known = {_key(sample.label or "", sample.text): sample.id for sample in samples}
    return lambda name, prompt: ids.get(name) or known.get(_key(name, prompt))


def _key(place: str, prompt: str) -> tuple[str, str, str]:
    asked = prompt.removeprefix("<image>\n").removesuffix(SHORT_ANSWER).removesuffix(ENDING).rstrip()
    return place.partition("/")[0], place.rpartition("/")[2].partition(".")[0], asked


def _folder(folder: Path) -> Iterator[Given]:
    """Answers in the form of the official tool: image, question, truth, answer."""
    paths = [path for subtask in SUBTASKS if (path := folder / f"{subtask}.txt").is_file()]
    if not paths:
        raise DataError(f"{folder} has no answers to MME, such as {PERCEPTION[0]}.txt.")
    for path in paths:
        for where, (image, question, _, text) in _columns(path, 4):
            yield Given(where, f"{path.stem}/{image}", Answer(text, question))


def _grade(sample: Sample, text: str) -> Verdict:
    start = text.lower()[:4]
    said = next((word for word in ("yes", "no") if word in start), None)
    return Verdict(sample.id, float(said in sample.gold), said)


def _joint(samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> list[Tally]:
    """Right answers, and with the second question of each pair whether both are right."""
    tallies: list[Tally] = []
    for index, (sample, verdict) in enumerate(zip(samples, verdicts, strict=True)):
        subtask = sample.groups["subtask"]
        pair = {f"{subtask} both": verdict.score * verdicts[index - 1].score, f"{subtask} pairs": 1.0}
        tallies.append({f"{subtask} right": verdict.score, f"{subtask} all": 1.0, **(pair if index % 2 else {})})
    return tallies


def _metrics(sums: Sums) -> dict[str, Column]:
    """Points: at most 2,000 for perception and 800 for cognition."""
    return {
        name: sum((_points(sums, subtask)["score"] for subtask in part), start=ZERO)
        for name, part in (("perception", PERCEPTION), ("cognition", COGNITION))
    }


def _group_metrics(sums: Sums) -> dict[str, Column]:
    """Those of the one subtask that is in the sums; score in points (at most 200), accuracies in percent."""
    return next(_points(sums, subtask) for subtask in SUBTASKS if f"{subtask} all" in sums)


def _points(sums: Sums, subtask: str) -> dict[str, Column]:
    accuracy = 100 * ratio(sums[f"{subtask} right"], sums[f"{subtask} all"])
    plus = 100 * ratio(sums[f"{subtask} both"], sums[f"{subtask} pairs"])
    return {"score": accuracy + plus, "accuracy": accuracy, "accuracy_plus": plus}


def _lay_out(folder: Path, rows: Iterable[Row]) -> None:
    asked: dict[str, dict[str, list[Row]]] = {subtask: {} for subtask in SUBTASKS}
    for row in rows:
        subtask, file = str(row["category"]), str(row["question_id"]).rpartition("/")[2]
        if subtask not in asked:
            raise DataError(f"Question {row['question_id']} is of {subtask!r}, which is no subtask of MME.")
        file = file if "." in file else f"{file}.jpg"
        save_picture(folder / subtask / ("images" if subtask in APART else ""), file, row["image"])
        asked[subtask].setdefault(file, []).append(row)
    for subtask, files in asked.items():
        pairs = (f"{file}\t{row['question']}\t{row['answer']}\n" for file, rows in files.items() for row in rows)
        write_atomically(folder / f"{subtask}.txt", "".join(pairs))


_SHA256 = sums("mme")


BENCHMARK = Benchmark(
    name="mme",
    title="MME",
    protocol="llava",
    capability="perception",
    headline="perception",
    axis=(750, 2000),  # guessing is right half of the time, on both questions a quarter of the time
    max_new_tokens=128,
    prompts=1,
    grading=1,
    files=tuple(f"{subtask}.txt" for subtask in SUBTASKS),
    read=_read,
    grade=_grade,
    joint=_joint,
    metrics=_metrics,
    bounds={"perception": (0, 200 * len(PERCEPTION)), "cognition": (0, 200 * len(COGNITION)), "score": (0, 200)},
    group_metrics=_group_metrics,
    find=_find,
    forms={"/": _folder},
    officially="an answer with a tab or line break stops the official tool, which also pairs the wrong lines where "
    "answers are missing or out of order; here the first four characters count, and pairs are the annotations'.",
    releases=(Release("eval_tool", 2_374, 1_187, _SHA256),),
    sources={"hub": Source((Rows(lmms_lab("MME"), (Table("test"),), _lay_out),))},
)
