"""A benchmark as a value: how its questions are loaded, an answer is graded and verdicts become metrics.

    Sample(id="1", text="Is there a snowboard in the image?\\nAnswer the question using a single word or phrase.",
           image="val2014/COCO_val2014_000000310196.jpg", gold=("yes",), groups={"subset": "adversarial"},
           cluster="COCO_val2014_000000310196.jpg")

A benchmark knows no model. Its protocol is part of a score's name, so that unlike numbers never share a column.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from vertebra.errors import DataError
from vertebra.scoring.metrics import Column, Sums, Tally, accuracy, add
from vertebra.visual.marks import Mark

SHORT_ANSWER = "\nAnswer the question using a single word or phrase."
OPTION_LETTER = "\nAnswer with the option's letter from the given choices directly."


@dataclass(frozen=True, slots=True)
class Sample:
    """One question."""

    id: str
    text: str
    """What the user says, suffix included, without `<image>`."""
    image: str | None
    """Path relative to the benchmark's folder."""
    gold: tuple[str, ...]
    """What is right, as this benchmark's grading takes it; empty for a question that is asked but not scored."""
    groups: Mapping[str, str | tuple[str, ...]]
    """Dimension -> value, such as subset -> popular; several where a question counts under each of them."""
    cluster: str
    """Questions of one cluster (mostly: one image) are not independent."""
    marks: tuple[Mark, ...] = ()
    """Drawn on the picture as it was read, before it is made square."""


class Answer(NamedTuple):
    """What a model said, and the prompt as stored beside it."""

    text: str
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one answer is worth."""

    id: str
    score: float
    """0 to 1."""
    parsed: str | None
    """What the grading took the answer for; None where it found none."""
    missing: bool = False
    """There is no answer."""
    shown: bool | None = None
    """Whether the stored prompt has an `<image>`; None where no prompt of the answers file has one."""
    runs: tuple["Points | None", ...] = ()
    """What a judge gave, run by run; None where its reply could not be read. Empty where no judge is asked."""


Points = tuple[float, ...]
"""What a judge gives one answer: (score,), or (the reference answer's, this answer's)."""


class Request(NamedTuple):
    """What a judge is asked, as a chat: (role, text) pairs."""

    messages: tuple[tuple[str, str], ...]
    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Judging:
    """How a judge grades the answers to a benchmark, as its official code asks and reads."""

    request: Callable[[Sample, str, int], Request]
    """What is asked about an answer at the first attempt (0) and after replies that could not be read (1, 2, ...)."""
    parse: Callable[[str], Points | None]
    """The points in a reply as the official code finds them; None where there are none or they are not finite."""
    menu: tuple[float, float]
    """Lowest and highest points that a judge may give."""
    unreadable: Points
    """What the official code counts where it finds no points; here only under the protocol `official`."""
    official_attempts: int
    """How often the official code asks until a reply can be read."""
    neutral: Callable[[str], str]
    """The answer without what could break out of its place in the prompt; an ordinary answer stays as it is."""
    layout: Literal["grades", "reviews"]
    """The official file of judgments: MM-Vet's grades or LLaVA's reviews."""
    missing: Points | None = None
    """What a missing answer counts; None where it cannot be scored at all."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Metrics over everything, headline first, and per value of each grouping dimension."""

    metrics: Mapping[str, float]
    groups: Mapping[str, Mapping[str, Mapping[str, float]]]


Metrics = Callable[[Sums], dict[str, Column]]


def ungraded(sample: Sample, _: str) -> Verdict:
    """The grade of a benchmark whose answers a judge has to see."""
    return Verdict(sample.id, 0.0, None)


def right(_: Sample, verdict: Verdict) -> Tally:
    """The tally of plain accuracy; a missing answer is a wrong one."""
    return {"right": verdict.score, "all": 1.0}


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Everything that vertebra has to know of a benchmark."""

    name: str
    title: str
    protocol: str
    """Split, release or judge: what makes numbers of the same name comparable."""
    headline: str
    """The metric that stands for the benchmark in tables."""
    axis: tuple[float, float]
    """Chance and ceiling of the headline metric, in its unit."""
    max_new_tokens: int
    prompts: int
    """Version of the wording and images; raised, the model is asked again."""
    grading: int
    """Version of the grading; raised, the answers are scored again."""
    files: tuple[str, ...]
    """Annotation files under the benchmark's folder."""
    read: Callable[[Path], Sequence[Sample]]
    """The questions in a folder (or, where there is one file, in that file)."""
    grade: Callable[[Sample, str], Verdict]
    """What an answer's text is worth. Never raises, whatever the text."""
    tally: Callable[[Sample, Verdict], Tally] = right
    """What a question adds to the sums that the metrics are made of."""
    metrics: Metrics = accuracy
    group_metrics: Metrics | None = None
    """The metrics of a group, where they are not the same as over everything."""
    repeats: Literal["refuse", "last"] = "refuse"
    """What a second answer to a question does: `last` where the official scorer lets it win."""
    upload: Callable[[Sequence[Sample], Mapping[str, Answer]], str | bytes] | None = None
    """The file that the benchmark's server or official tool takes."""
    judging: Judging | None = None
    """How a judge grades free-form answers; `grade` is not used then."""
    id_prefix: str = ""
    """What official ids have before the numbers that LLaVA's runners write, such as `v1_`."""

    @property
    def judged(self) -> bool:
        """Whether a score depends on a judge."""
        return self.judging is not None

    def load(self, path: Path) -> Sequence[Sample]:
        """The questions in their official order. `DataError` when files are missing, broken or ask twice."""
        samples = self.read(path)
        if not samples:
            raise DataError(f"{path} holds no question of {self.name}. Is this its official release?")
        seen: set[str] = set()
        for sample in samples:
            if sample.id in seen:
                raise DataError(f"{path}: question {sample.id!r} is there twice. Fetch the official release again.")
            seen.add(sample.id)
        return samples

    def summarise(self, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> Scores:
        """The metrics of these verdicts, one for each sample in the same order."""
        members: dict[str, dict[str, list[Tally]]] = {}
        tallies = self.tallies(samples, verdicts)
        for sample, tally in zip(samples, tallies, strict=True):
            for dimension, values in sample.groups.items():
                for value in (values,) if isinstance(values, str) else values:
                    members.setdefault(dimension, {}).setdefault(value, []).append(tally)
        group_metrics = self.group_metrics or self.metrics
        groups = {
            dimension: {value: _numbers(group_metrics(add(found))) for value, found in by_value.items()}
            for dimension, by_value in members.items()
        }
        return Scores(_numbers(self.metrics(add(tallies))), groups)

    def tallies(self, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> list[Tally]:
        """What each sample adds to the sums."""
        return [self.tally(sample, verdict) for sample, verdict in zip(samples, verdicts, strict=True)]


def _numbers(metrics: Mapping[str, Column]) -> dict[str, float]:
    return {name: float(column[0]) for name, column in metrics.items()}
