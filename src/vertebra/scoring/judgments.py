"""Judgments that were given before, read from the official files or from a judge's cache.

LLaVA's reviews, one run a file:

    {"id": 1, "question_id": 0, "answer1_id": "...", "answer2_id": "...", "category": "llava_bench_conv",
     "content": "8 7\\nAssistant 1 ...", "tuple": [8.0, 7.0]}

MM-Vet's and ViP-Bench's grades, all runs in one file:

    {"v1_0": {"model": ["gpt-4-0613"], "content": ["0.5"], "score": [0.5]}, ...}

The official code adds up the numbers of these files. Where one is not there, its content is read.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from vertebra.errors import ConfigError, DataError
from vertebra.files import read_rows
from vertebra.scoring.benchmark import Answer, Benchmark, Judging, Points, Sample
from vertebra.scoring.hearing import hear
from vertebra.scoring.judging import Judgment, Judgments, finite
from vertebra.scoring.records import json_lines, json_mapping
from vertebra.scoring.replay import RememberedJudge


def read_judgments(paths: Sequence[Path], benchmark: Benchmark, ids: Collection[str]) -> dict[str, list[Judgment]]:
    """The runs of official files, one file after the other.

    `DataError` naming file and line or id for what is no judgment, is there twice, or is of another benchmark.
    """
    assert benchmark.judging
    read = _reviews if benchmark.judging.layout == "reviews" else _grades
    found: dict[str, list[Judgment]] = {}
    for path in paths:
        one = read(path, benchmark.judging)
        for name in one:
            if name not in ids:
                raise DataError(
                    f"{path}: {benchmark.name} has no question {name!r}. "
                    "These look to be judgments of another benchmark, or of another release of it."
                )
        before = max(map(len, found.values()), default=0)
        for name in {**found, **one}:
            runs = found.setdefault(name, [])
            runs += [Judgment(None, None, why="no judgment")] * (before - len(runs)) + one.get(name, [])
    return found


def given(
    paths: Sequence[Path],
    benchmark: Benchmark,
    samples: Sequence[Sample],
    answers: Mapping[str, Answer],
    judge: str = "",
    official: bool = False,
) -> tuple[str, Judgments]:
    """The judge's name, where it is known, and what it said of these answers: of official files, or of one cache."""
    if len(paths) == 1 and is_cache(paths[0]):
        return replay(paths[0], benchmark, samples, answers, judge, official)
    return judge, read_judgments(paths, benchmark, {sample.id for sample in samples})


def is_cache(path: Path) -> bool:
    """Whether a file of judgments is a judge's cache rather than an official file."""
    try:
        with path.open("rb") as file:
            first = file.readline()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    return first.startswith(b'{"request": "')


def replay(
    path: Path,
    benchmark: Benchmark,
    samples: Sequence[Sample],
    answers: Mapping[str, Answer],
    judge: str = "",
    official: bool = False,
) -> tuple[str, dict[str, list[Judgment]]]:
    """The judge that filled a cache, and its judgments of these very answers.

    `ConfigError` where several judges filled it and `judge` names none of them.
    """
    rows = read_rows(path)
    judges = sorted({str(row.get("judge")) for row in rows})
    if judge not in judges:
        if judge or len(judges) != 1:
            raise ConfigError(f"{path} holds replies of {', '.join(judges) or 'nobody'}. Name one of them by --judge.")
        (judge,) = judges
    cached = RememberedJudge.of(judge, rows, str(path))
    return judge, hear(benchmark, samples, answers, cached, cached.runs, official)


def _reviews(path: Path, judging: Judging) -> dict[str, list[Judgment]]:
    found: dict[str, list[Judgment]] = {}
    for line, row in json_lines(path):
        where, name = f"{path}:{line}", row.get("question_id")
        if isinstance(name, bool) or not isinstance(name, int | str):
            raise DataError(f"{where}: `question_id` must be a number or text. Is this a file of LLaVA's reviews?")
        if str(name) in found:
            raise DataError(
                f"{where}: question {name!r} is reviewed twice. Give each run a --judgments file of its own."
            )
        given = row.get("tuple", row.get("score"))
        found[str(name)] = [_judgment(judging, given, row.get("content"), "", where)]
    return found


def _grades(path: Path, judging: Judging) -> dict[str, list[Judgment]]:
    found: dict[str, list[Judgment]] = {}
    for name, row in json_mapping(path).items():
        where = f"{path}: question {name!r}"
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected its `model`, `content` and `score`. Is this a grade file?")
        columns = [_column(row, key, where) for key in ("score", "content", "model")]
        found[name] = [
            _judgment(judging, score, content, model, f"{where}, run {run}")
            for run, (score, content, model) in enumerate(zip_longest(*columns), start=1)
        ]
    return found


def _column(row: Mapping[str, object], key: str, where: str) -> list[object]:
    column = row.get(key, [])
    if not isinstance(column, list):
        raise DataError(f"{where}: `{key}` must be a list with one entry per run. Is this a grade file?")
    return column


def _judgment(judging: Judging, given: object, content: object, model: object, where: str) -> Judgment:
    """A judgment with the points that stand in the file, else those in its content."""
    if content is not None and not isinstance(content, str):
        raise DataError(f"{where}: `content`, the judge's reply, must be text, found {type(content).__name__}.")
    wanted = len(judging.unreadable)
    points = given if isinstance(given, list) and wanted > 1 else [given]
    if given is None:
        if content is None:
            raise DataError(f"{where}: neither a score nor a reply of the judge. Is the file cut off?")
        return Judgment(judging.parse(content), content, str(model or ""))
    numbers: Points = tuple(_number(n) for n in points if isinstance(n, int | float) and not isinstance(n, bool))
    if len(numbers) != len(points) or len(numbers) != wanted:
        raise DataError(f"{where}: the score must be {wanted} number{'s' * (wanted > 1)}, found {given!r}.")
    return Judgment(finite(numbers), content, str(model or ""))


def _number(value: float) -> float:
    """As a float, inf for an integer that is too long to be one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
