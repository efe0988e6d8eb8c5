"""MMBench's questions and its circular score (Liu et al., arXiv:2307.06281): the options rotate, and all must be right.

A tab-separated file, index 241 and its rotations 1000241, 2000241, 3000241:

    index  question  hint  A  B  C  D  answer  category  image  source  l2-category  comment  split

A question is right when each of its rows is: mostly as many as options, but 53 questions of the release of July 2023
have four options and three rows, so rows are grouped by index and never counted. Images are base64 in the file;
`unpack` writes them to images/{index}.jpg, one for all rotations. Answers are LLaVA's JSONL or the upload's XLSX.
"""

import base64
import binascii
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple, TextIO

from vertebra.errors import DataError
from vertebra.files import write_atomically
from vertebra.scoring import letters
from vertebra.scoring.benchmark import Answer, Benchmark, Given, Sample, Verdict
from vertebra.scoring.metrics import Column, Sums, Tally, ratio
from vertebra.scoring.records import annotation
from vertebra.scoring.sheets import sheet_rows, write_sheet
from vertebra.scoring.sources import Release, Row, Rows, Source, Table, Web

TURN = 1_000_000
"""Between the indices of a question's rotations."""
OPTIONS = "ABCD"
DROPPED = ("hint", "category", "source", "image", "comment", "l2-category", "L2-category")
"""Columns that the upload does without (the last as some releases spell it)."""


COLUMNS = (
    *("index", "question", "hint", *OPTIONS, "answer", "category", "image", "source"),
    *("l2-category", "comment", "split"),
)
HOME = "https://download.openmmlab.com/mmclassification/datasets/mmbench"


class Hub(NamedTuple):
    """The hub dataset of a dev split."""

    names: tuple[str, ...]
    config: str | None = None


def circular(name: str, title: str, file: str, suffix: str, hub: Hub, releases: tuple[Release, ...]) -> Benchmark:
    """The benchmark of this TSV, whose prompts end in this suffix, and its variants under other rules for letters."""

    def lay_out(folder: Path, rows: Iterable[Row]) -> None:
        write_atomically(folder / file, _table(rows))

    official = Benchmark(
        name=name,
        title=title,
        protocol="dev",
        capability="language and knowledge",
        headline="circular_accuracy",
        axis=(2.6, 100),  # guesses that are right for every rotation, over the 1,176 questions
        max_new_tokens=1024,
        prompts=1,
        grading=1,
        files=(file,),
        read=lambda path: _read(annotation(path, file), suffix),
        grade=_grading(letters.matched),
        joint=_joint,
        metrics=_metrics,
        repeats="last",
        forms={".xlsx": _sheet},
        upload=_upload,
        officially="where no rule finds a letter the server asks ChatGPT and then guesses; here the row is wrong.",
        unpack=lambda folder: unpack(folder / file, folder),
        releases=releases,
        sources={
            "official": Source((Web(f"{HOME}/{file}", file),)),
            "hub": Source((Rows(hub.names, (Table("dev", hub.config),), lay_out),)),
        },
    )
    return replace(
        official,
        variants=(
            replace(official, protocol="dev+2023", grade=_grading(letters.matched_2023)),
            replace(official, protocol="dev+lenient", grade=_grading(_lenient)),
        ),
    )


def _lenient(text: str, choices: Mapping[str, str]) -> str | None:
    return letters.matched(text, choices) or letters.lone(text, choices)


def _grading(rule: Callable[[str, Mapping[str, str]], str | None]) -> Callable[[Sample, str], Verdict]:
    def grade(sample: Sample, text: str) -> Verdict:
        letter = rule(text, _choices(sample.columns))
        return Verdict(sample.id, float(letter in sample.gold), letter)

    return grade


class _Row(NamedTuple):
    where: str
    number: int
    """The index."""
    cells: dict[str, str]
    """By column; what pandas takes for missing is empty."""


def _read(path: Path, suffix: str) -> list[Sample]:
    rows = []
    for row in _rows(path):
        row.cells.pop("image", None)  # most of the file
        rows.append(row)
    groups = {row.number: _groups(row.cells) for row in rows if row.number < TURN}
    for row in rows:
        if row.number % TURN not in groups:
            raise DataError(f"{row.where}: row {row.number} turns question {row.number % TURN}, which is not there.")
    return [_sample(row, suffix, groups[row.number % TURN]) for row in rows]


def _groups(cells: Mapping[str, str]) -> dict[str, str]:
    found = {"category": cells.get("category"), "l2-category": cells.get("l2-category") or cells.get("L2-category")}
    return {dimension: value for dimension, value in found.items() if value}


def _sample(row: _Row, suffix: str, groups: Mapping[str, str]) -> Sample:
    cells = row.cells
    answer = cells.get("answer", "")
    if answer and answer not in tuple(OPTIONS):
        raise DataError(f"{row.where}: the answer must be A, B, C or D, not {answer[:40]!r}.")
    hint = "" if cells.get("hint", "").lower() in _NOTHING else f"{cells['hint']}\n"
    options = "".join(f"\n{letter}. {choice}" for letter, choice in _asked(cells).items())
    question = str(row.number % TURN)
    kept = {column: value for column, value in cells.items() if column not in DROPPED}
    text = f"{hint}{cells['question']}{options}{suffix}"
    gold = (answer,) if answer else ()
    return Sample(str(row.number), text, f"images/{question}.jpg", gold, groups, question, columns=kept)


def _asked(cells: Mapping[str, str]) -> dict[str, str]:
    """Letter -> option, up to the first that LLaVA takes for none."""
    there = takewhile(lambda letter: cells.get(letter, "").lower() not in _NOTHING, OPTIONS)
    return {letter: cells[letter] for letter in there}


def _choices(cells: Mapping[str, str]) -> dict[str, str]:
    """Letter -> option, as the scorer sees them."""
    return {letter: cells[letter] for letter in OPTIONS if cells.get(letter)}


_NOTHING = ("", "nan", "none")
_MISSING = frozenset(
    [
        *("#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "n/a", "NA", "NULL", "null", "None"),
        *("NaN", "-NaN", "nan", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    ]
)
"""What pandas, the official reader, takes for an empty cell."""


def _rows(path: Path) -> Iterator[_Row]:
    with _wide_cells():
        try:
            with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                yield from _parsed(path, file)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _parsed(path: Path, file: TextIO) -> Iterator[_Row]:
    names: list[str] = []
    reader = csv.reader(file, delimiter="\t")
    try:
        for cells in reader:
            where = f"{path}:{reader.line_num}"
            if not cells:
                continue
            if not names:
                names = _header(cells, where)
                continue
            if len(cells) != len(names):
                raise DataError(f"{where}: {len(cells)} columns, but {len(names)} in the header. Is the file cut off?")
            "".join(cells).encode()
            found = {name: "" if cell in _MISSING else cell for name, cell in zip(names, cells, strict=True)}
            if not found["index"].isdecimal():
                raise DataError(f"{where}: the index must be a whole number, not {found['index'][:40]!r}.")
            yield _Row(where, int(found["index"]), found)
    except UnicodeEncodeError as error:  # a byte that was escaped while reading
        raise DataError(f"{path}:{reader.line_num}: not UTF-8 text. Fetch the official file again.") from error
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not a tab-separated table: {error}.") from error


def _header(names: Sequence[str], where: str) -> list[str]:
    names = [name.removeprefix("\ufeff") for name in names]
    lacking = [name for name in ("index", "question", "A", "B") if name not in names]
    if lacking:
        raise DataError(f"{where}: no column {', '.join(lacking)}. Is this MMBench's official TSV?")
    return names


@contextmanager
def _wide_cells() -> Iterator[None]:
    """An image has far more characters than csv lets a cell have."""
    limit = csv.field_size_limit(1 << 30)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def unpack(path: Path, folder: Path) -> None:
    """Writes each question's image to folder/images/{index}.jpg, once. `DataError` where one is missing or broken."""
    for row in _rows(path):
        target = folder / "images" / f"{row.number}.jpg"
        if row.number < TURN and not target.exists():
            try:
                data = base64.b64decode(row.cells.get("image", ""), validate=True)
            except binascii.Error as error:
                raise DataError(f"{row.where}: the image is not base64: {error}. Fetch the file again.") from error
            if not data:
                raise DataError(f"{row.where}: there is no image. Fetch the official file, which has them.")
            write_atomically(target, data)


def _table(rows: Iterable[Row]) -> str:
    """A hub dataset's rows as the TSV."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        image, group = row["image"], row.get("l2-category", row.get("L2-category"))
        data = image.get("bytes") if isinstance(image, Mapping) else None
        if not isinstance(data, bytes):
            raise DataError(f"The row of index {row['index']} has no picture. Is the dataset whole? Fetch it again.")
        cells = {**row, "image": base64.b64encode(data).decode(), "l2-category": group}
        writer.writerow(cells.get(column) for column in COLUMNS)
    return text.getvalue()


def _joint(samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> list[Tally]:
    """Each row for itself; with its base row also the question, right when all its rows are."""
    whole: dict[str, float] = {}
    for sample, verdict in zip(samples, verdicts, strict=True):
        whole[sample.cluster] = whole.get(sample.cluster, 1.0) * verdict.score
    tallies: list[Tally] = []
    for sample, verdict in zip(samples, verdicts, strict=True):
        row = {"row": verdict.score, "rows": 1.0}
        base = {"base": verdict.score, "circular": whole[sample.cluster], "bases": 1.0}
        tallies.append({**row, **base} if sample.id == sample.cluster else row)
    return tallies


def _metrics(sums: Sums) -> dict[str, Column]:
    """Percent of the questions right in all rotations, of the rows, and of the questions as first written."""
    return {
        "circular_accuracy": 100 * ratio(sums["circular"], sums["bases"]),
        "row_accuracy": 100 * ratio(sums["row"], sums["rows"]),
        "base_accuracy": 100 * ratio(sums["base"], sums["bases"]),
    }


def _sheet(path: Path) -> Iterator[Given]:
    """Answers that stand in the upload; an empty cell is none."""
    for where, row in sheet_rows(path, ("index", "prediction")):
        index, text = row["index"], row["prediction"]
        if isinstance(index, float) and index.is_integer():
            index = int(index)
        if isinstance(index, bool) or not isinstance(index, int | str):
            raise DataError(f"{where}: the index must be a whole number, not {str(index)[:40]!r}.")
        if text is not None:
            yield Given(where, str(index), Answer(str(text)))


def _upload(samples: Sequence[Sample], answers: Mapping[str, Answer]) -> bytes:
    """The XLSX of the official server: the TSV's columns without six, the prediction seventh."""
    names = [column for column in samples[0].columns if column != "index"]
    rows = []
    for sample in samples:
        answer = answers.get(sample.id)
        cells = [sample.columns[name] or None for name in names]
        rows.append([int(sample.id), *cells[:5], answer.text if answer else None, *cells[5:]])
    return write_sheet(["index", *names[:5], "prediction", *names[5:]], rows)
