"""A benchmark as a value: how its questions are loaded, an answer is graded and verdicts become metrics.

    Sample(id="1", text="Is there a snowboard in the image?\\nAnswer the question using a single word or phrase.",
           image="val2014/COCO_val2014_000000310196.jpg", gold=("yes",), groups={"subset": "adversarial"},
           cluster="COCO_val2014_000000310196.jpg")

A benchmark knows no model. Its protocol is part of a score's name, so that unlike numbers never share a column.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from vertebra.errors import DataError, UnknownName
from vertebra.scoring.metrics import Column, Sums, Tally, accuracy, add
from vertebra.scoring.sources import Release, Source
from vertebra.visual.marks import Mark

SHORT_ANSWER = "\nAnswer the question using a single word or phrase."
OPTION_LETTER = "\nAnswer with the option's letter from the given choices directly."


@dataclass(frozen=True, slots=True)
class Sample:
    """One question."""

    id: str
    """Its own among the questions."""
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
    label: str | None = None
    """Its id in the official files, where other questions have the same one."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """What the upload repeats of the official row."""


class Answer(NamedTuple):
    """What a model said, and the prompt as stored beside it."""

    text: str
    prompt: str = ""


class Given(NamedTuple):
    """One row of an answers file."""

    where: str
    """File and line, for complaints."""
    question: str
    """The id in the row."""
    answer: Answer


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
Form = Callable[[Path], Iterable[Given]]
"""Reads a file or folder of answers. `DataError` naming the row for what is none."""
Find = Callable[[str, str], str | tuple[str, ...] | None]
"""The id of the question that an answer with this `question_id` and stored prompt is to; None where there is none.

Several where one answer is to several questions, and no id where the question is left aside on purpose."""


def by_id(samples: Sequence[Sample]) -> Find:
    """Answers that carry their question's id."""
    ids = {sample.id: sample.id for sample in samples}
    return lambda name, _: ids.get(name)


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
    capability: str
    """What it mostly asks for, as findings group benchmarks: `language and knowledge`, `perception`, `OCR`,
    `hallucination`, `region`, or a plug-in's own word."""
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
    joint: Callable[[Sequence[Sample], Sequence[Verdict]], Sequence[Tally]] | None = None
    """The tallies of all questions, in place of `tally`, where some only count together."""
    metrics: Metrics = accuracy
    bounds: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    """Lowest and highest value of metrics that are not percent; None where there is no highest."""
    counts: tuple[str, ...] = ()
    """Metrics that count answers and estimate nothing, so that they have no interval."""
    group_metrics: Metrics | None = None
    """The metrics of a group, where they are not the same as over everything."""
    repeats: Literal["refuse", "last"] = "refuse"
    """What a second answer to a question does: `last` where the official scorer lets it win."""
    find: Callable[[Sequence[Sample]], Find] = by_id
    """How an answer finds its question, where the official answers do not carry the question's id."""
    forms: Mapping[str, Form] = field(default_factory=dict)
    """How answers are read that are not LLaVA's JSONL: by suffix such as `.xlsx`, and `/` for a folder."""
    upload: Callable[[Sequence[Sample], Mapping[str, Answer]], str | bytes] | None = None
    """The file that the benchmark's server or official tool takes, of all questions in order and the answers given.

    `DataError` where the official tool refuses the answers."""
    named: Callable[[Mapping[str, Answer]], str] | None = None
    """The protocol's name as the stored prompts of these answers have it, where they may differ in what they show."""
    unpack: Callable[[Path], None] | None = None
    """Writes the images that the annotation file in this folder carries to where the samples look for them."""
    variants: tuple["Benchmark", ...] = ()
    """The same questions under other rules, each with a protocol name of its own."""
    officially: str = ""
    """Where the official code's outcome is another one, for the same files; told with `--protocol official`."""
    judging: Judging | None = None
    """How a judge grades free-form answers; `grade` is not used then."""
    releases: tuple[Release, ...] = ()
    """That of the protocol, then others that may be met in its place."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Where the files may be fetched from, by name, best first."""
    beyond: bool = False
    """Not one of the benchmarks that `benchmarks: all` in a study stands for."""

    @property
    def judged(self) -> bool:
        """Whether a score depends on a judge."""
        return self.judging is not None

    def under(self, protocol: str) -> "Benchmark":
        """This benchmark or its variant of this protocol. `UnknownName` when there is none.

        `official` is the variant that counts as the official code does even where that is wrong; without one, this.
        """
        known = {each.protocol: each for each in (self, *self.variants)}
        known.setdefault("official", known.get(f"{self.protocol}+official", self))
        if protocol not in known:
            raise UnknownName(f"protocol of {self.name}", protocol, list(known))
        return known[protocol]

    def release(self, samples: Sequence[Sample]) -> Release | None:
        """The release that these questions are, by their number; None for no known one."""
        return next((release for release in self.releases if release.questions == len(samples)), None)

    def of_release(self, samples: Sequence[Sample]) -> "Benchmark":
        """This benchmark, its protocol naming the release of these questions where it is known not to be its own."""
        release = self.release(samples)
        if release is None or release == self.releases[0]:
            return self
        return replace(self, protocol=f"{self.protocol} release={release.name}")

    def as_asked(self, answers: Mapping[str, Answer]) -> "Benchmark":
        """This benchmark, its protocol named as the stored prompts of these answers have it."""
        return replace(self, protocol=self.named(answers)) if self.named else self

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
        """The metrics of these verdicts, one for each sample in the same order; none where nothing is scored."""
        if not samples:
            return Scores({}, {})
        tallies = self.tallies(samples, verdicts)
        group_metrics = self.group_metrics or self.metrics
        groups = {
            dimension: {
                value: _numbers(group_metrics(add([tallies[place] for place in places])))
                for value, places in by_value.items()
            }
            for dimension, by_value in members(samples).items()
        }
        return Scores(_numbers(self.metrics(add(tallies))), groups)

    def tallies(self, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> list[Tally]:
        """What each sample adds to the sums."""
        if self.joint:
            return list(self.joint(samples, verdicts))
        return [self.tally(sample, verdict) for sample, verdict in zip(samples, verdicts, strict=True)]


def members(samples: Sequence[Sample]) -> dict[str, dict[str, list[int]]]:
    """The places of the samples in each group: {dimension: {value: places}}."""
    found: dict[str, dict[str, list[int]]] = {}
    for place, sample in enumerate(samples):
        for dimension, values in sample.groups.items():
            for value in (values,) if isinstance(values, str) else values:
                found.setdefault(dimension, {}).setdefault(value, []).append(place)
    return found


def _numbers(metrics: Mapping[str, Column]) -> dict[str, float]:
    return {name: float(column[0]) for name, column in metrics.items()}
