"""ScienceQA, test split: school questions with lettered choices (Lu et al., arXiv:2209.09513, https://scienceqa.github.io)

4,241 questions, 2,017 of them with an image; asked and read as LLaVA-1.5 does.

    problems.json      {"4": {"question": "Which ...?", "choices": ["...", "..."], "answer": 0, "hint": "",
                              "image": "image.png", "subject": "natural science", "split": "test", ...}, ...}
    pid_splits.json    {"test": ["4", "5", ...], ...}

LLaVA's scorer counts an answer to the image accuracy where its stored prompt has an `<image>`; so a missing answer is
wrong overall and drops out of the image accuracy. In answers whose prompts never have one, the problem's image decides.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring.benchmark import OPTION_LETTER, Benchmark, Sample, Verdict
from vertebra.scoring.metrics import Column, Sums, Tally, ratio
from vertebra.scoring.records import Record, checked, json_mapping
from vertebra.scoring.sources import Part, Release, Row, Rows, Source, Table, Web, lmms_lab, plain, save_picture, sums

LETTERS = "ABCDE"
_SENTENCE = re.compile(r"The answer is ([A-Z]).")


class _Splits(Record):
    test: list[str]


class _Problem(Record):
    question: str
    choices: list[str]
    answer: int
    hint: str = ""
    image: str | None = None
    subject: str


def _read(folder: Path) -> list[Sample]:
    path = folder / "problems.json"
    problems = json_mapping(path)
    splits = folder / "pid_splits.json"
    return [
        _sample(name, checked(_Problem, problems.get(name), f"{path}: problem {name!r}"), path)
        for name in checked(_Splits, json_mapping(splits), str(splits)).test
    ]


def _sample(name: str, problem: _Problem, path: Path) -> Sample:
    choices = problem.choices
    if not 0 <= problem.answer < len(choices) <= len(LETTERS):
        raise DataError(f"{path}: problem {name!r}: answer {problem.answer} of {len(choices)} choices is not possible.")
    context = f"Context: {problem.hint}\n" if problem.hint else ""
    options = "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False))
    text = f"{context}{problem.question}{options}".strip() + OPTION_LETTER
    image = f"images/test/{name}/{problem.image}" if problem.image else None
    return Sample(name, text, image, (LETTERS[problem.answer],), {"subject": problem.subject}, name)


def _grade(sample: Sample, text: str) -> Verdict:
    letter = _letter(text)
    return Verdict(sample.id, float(letter in sample.gold), letter)


def _letter(text: str) -> str | None:
    """A bare letter, a letter followed by ". ", or the letter of the only "The answer is X" that something follows."""
    if text[:1] in tuple(LETTERS) and (len(text) == 1 or text[1:3] == ". "):
        return text[0]
    found = _SENTENCE.findall(text)
    return found[0] if len(found) == 1 else None


def _tally(sample: Sample, verdict: Verdict) -> Tally:
    shown = sample.image is not None if verdict.shown is None else verdict.shown
    tally = {"right": verdict.score, "all": 1.0}
    return {**tally, "image right": verdict.score, "image": 1.0} if shown and not verdict.missing else tally


def _metrics(sums: Sums) -> dict[str, Column]:
    return {
        "image_accuracy": 100 * ratio(sums["image right"], sums["image"]),
        "accuracy": 100 * ratio(sums["right"], sums["all"]),
    }


def _group_metrics(sums: Sums) -> dict[str, Column]:
    """Both accuracies, the first one only for subjects that have images."""
    return {name: column for name, column in _metrics(sums).items() if name == "accuracy" or sums["image"].any()}


def _lay_out(folder: Path, rows: Iterable[Row]) -> None:
    """The pictures. Rows have no id, so a row's problem is the next one of the official files that says the same."""
    problems = json_mapping(folder / "problems.json")
    splits = folder / "pid_splits.json"
    waiting: dict[object, list[str]] = {}
    for name in checked(_Splits, json_mapping(splits), str(splits)).test:
        problem = checked(_Problem, problems.get(name), f"{folder / 'problems.json'}: problem {name!r}")
        said = (problem.question, tuple(problem.choices), problem.answer, problem.hint, problem.image is not None)
        waiting.setdefault(said, []).append(name)
    for row in rows:
        choices, image = row["choices"], row["image"]
        texts = tuple(choices) if isinstance(choices, list) else ()
        names = waiting.get((row["question"], texts, row["answer"], row["hint"] or "", image is not None))
        if not names:
            raise DataError(f"The dataset asks {row['question']!r}, the official test split does not, or less often.")
        name = names.pop(0)
        if image is not None:
            save_picture(folder / "images" / "test" / plain(name), "image.png", image)


_SHA256 = sums("scienceqa")
_DATA = "https://raw.githubusercontent.com/lupantech/ScienceQA/2cbf8318e07b9ece895bb2ae605e71e38d623264/data/scienceqa"
_PARTS: tuple[Part, ...] = (
    *(Web(f"{_DATA}/{name}", name, _SHA256.get(name, "")) for name in ("problems.json", "pid_splits.json")),
    Rows(lmms_lab("ScienceQA"), (Table("test", "ScienceQA-FULL"),), _lay_out),
)


BENCHMARK = Benchmark(
    name="scienceqa",
    title="ScienceQA-IMG",
    protocol="test",
    capability="language and knowledge",
    headline="image_accuracy",
    axis=(40, 100),  # a guess among 2 to 5 choices is right 40.0 % of the time
    max_new_tokens=1024,
    prompts=1,
    grading=1,
    files=("problems.json", "pid_splits.json"),
    read=_read,
    grade=_grade,
    tally=_tally,
    metrics=_metrics,
    group_metrics=_group_metrics,
    repeats="last",
    officially="answers whose stored prompts never have an `<image>` have no image accuracy officially; here the "
    "problem's own picture decides.",
    releases=(Release("test", 4_241, 2_017, _SHA256), Release("test-IMG", 2_017, 2_017)),
    sources={"hub": Source(_PARTS)},
)
