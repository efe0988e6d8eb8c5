"""Scorecards: what a set of answers is worth on a benchmark.

    {"benchmark": "pope", "protocol": "llava", "n": 8910, "missing": 0, "headline": "f1",
     "metrics": {"f1": 85.94688090539114, "accuracy": 86.98006872852233},
     "groups": {"subset": {"random": {"f1": 87.13601179506082, ...}, ...}}}

A study's scorecard also holds `ci95`, {metric: [low, high]}, and `group_ci95` likewise for each group.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from vertebra.collector import uncollected
from vertebra.errors import DataError
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import Answer, Benchmark, Metrics, Sample, Scores, Verdict, members
from vertebra.scoring.hearing import Judge, Tell, hear, silent
from vertebra.scoring.intervals import ci95
from vertebra.scoring.judging import Judgments, judged, no_judge
from vertebra.scoring.metrics import Tally, tabulate
from vertebra.spec import Json


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The scores of one set of answers, in percent unless the metric says otherwise, not rounded."""

    benchmark: str
    protocol: str
    n: int
    """Questions that are scored."""
    missing: int
    """How many of them have no answer."""
    headline: str
    scores: Scores

    def to_json(self) -> dict[str, Json]:
        """The command line's contract."""
        return {
            "benchmark": self.benchmark,
            "protocol": self.protocol,
            "n": self.n,
            "missing": self.missing,
            "headline": self.headline,
            "metrics": self.scores.metrics,
            "groups": self.scores.groups,
        }


Bar = Callable[[Benchmark, Sequence[Sample], Mapping[str, Answer]], tuple[str, Judgments]]
"""Where judgments of answers come from: the judge's name, where it is known, and what it said."""


class Scored(NamedTuple):
    """A study's scorecard and the verdicts behind it, as they are stored."""

    scorecard: dict[str, Json]
    """The contract's fields, `ci95` and `group_ci95`."""
    rows: list[dict[str, Json]]
    """{"id", "score", "parsed", "cluster", "tally"} per scored question, for paired comparisons."""


def judge(benchmark: Benchmark, samples: Sequence[Sample], answers: Mapping[str, Answer]) -> list[Verdict]:
    """A verdict for each sample, in order; a missing answer scores 0. `JudgeError` where a judge has to be asked."""
    if benchmark.judging:
        raise no_judge(benchmark)
    # LLaVA's ScienceQA runner stores `<image>` where it showed one; in files that never do its absence says nothing.
    told = any("<image>" in answer.prompt for answer in answers.values())
    return [_verdict(benchmark, sample, answers.get(sample.id), told) for sample in samples]


def score(benchmark: Benchmark, samples: Sequence[Sample], answers: Mapping[str, Answer]) -> Scorecard:
    """The scorecard of these answers; samples without gold are left out."""
    samples = scored(samples)
    return scorecard(benchmark, samples, judge(benchmark, samples, answers))


def scored(samples: Sequence[Sample]) -> list[Sample]:
    """The samples that count: those that have gold."""
    return [sample for sample in samples if sample.gold]


def scorecard(benchmark: Benchmark, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> Scorecard:
    """The scorecard of verdicts on scored samples, in the same order."""
    missing = sum(verdict.missing for verdict in verdicts)
    scores = benchmark.summarise(samples, verdicts)
    return Scorecard(benchmark.name, benchmark.protocol, len(samples), missing, benchmark.headline, scores)


def by(asked: Judge, runs: int = 1, tell: Tell = silent) -> Bar:
    """The judgments of a judge who is asked so often about each answer; `tell` hears how far it is."""
    return lambda benchmark, samples, answers: (
        asked.name,
        hear(benchmark, samples, answers, asked, runs, tell=tell),
    )


@uncollected()
def score_folder(
    benchmark: Benchmark,
    folder: Path,
    answers: Path,
    judgments: Bar | None = None,
    official: bool = False,
) -> Scored:
    """The stored form of a study's score: a benchmark's folder and an answers file in, scorecard and rows out.

    `judgments` has those of a benchmark that takes a judge; `official` counts replies that cannot be read as the
    official code does. `DataError` for files that are missing or broken, and for a split without right answers.
    """
    samples = benchmark.load(folder)
    found = read_answers(answers, benchmark, samples)
    benchmark = benchmark.as_asked(found).of_release(samples)
    samples = scored(samples)
    if not samples:
        raise DataError(f"{folder} has questions of {benchmark.name} without right answers. Nothing can be scored.")
    if benchmark.judging and judgments:
        name, said = judgments(benchmark, samples, found)
        benchmark, verdicts = judged(benchmark, samples, found, said, name, official)
    else:
        verdicts = judge(benchmark, samples, found)
    return stored(benchmark, samples, verdicts)


def as_decoded(scored: Scored, options: Mapping[str, object]) -> Scored:
    """The score, its protocol naming how the answers were found where that is not greedily."""
    protocol = str(scored.scorecard["protocol"])
    for option, said in (("temperature", "sampled"), ("beams", "beams")):
        if option in options:
            protocol = f"{protocol} {said}={options[option]}"
    return Scored({**scored.scorecard, "protocol": protocol}, scored.rows)


def stored(benchmark: Benchmark, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> Scored:
    """The stored form of verdicts on scored samples, in the same order."""
    card = scorecard(benchmark, samples, verdicts).to_json()
    tallies = benchmark.tallies(samples, verdicts)
    card["ci95"] = _ci95(benchmark.metrics, benchmark, samples, tallies, range(len(samples)))
    group_metrics = benchmark.group_metrics or benchmark.metrics
    card["group_ci95"] = {
        dimension: {
            value: _ci95(group_metrics, benchmark, samples, tallies, places) for value, places in by_value.items()
        }
        for dimension, by_value in members(samples).items()
    }
    rows: list[dict[str, Json]] = [
        {
            "id": verdict.id,
            "score": verdict.score,
            "parsed": verdict.parsed,
            "cluster": sample.cluster,
            "tally": tally,
        }
        for sample, verdict, tally in zip(samples, verdicts, tallies, strict=True)
    ]
    return Scored(card, rows)


def _ci95(
    metrics: Metrics, benchmark: Benchmark, samples: Sequence[Sample], tallies: Sequence[Tally], places: Sequence[int]
) -> dict[str, Json]:
    """The intervals of the metrics of these samples."""
    table = tabulate([tallies[place] for place in places], [samples[place].cluster for place in places])
    found = ci95(metrics, table, benchmark.bounds)
    return {name: list(ends) for name, ends in found.items() if name not in benchmark.counts}


def _verdict(benchmark: Benchmark, sample: Sample, answer: Answer | None, told: bool) -> Verdict:
    if answer is None:
        return Verdict(sample.id, 0.0, None, missing=True)
    verdict = benchmark.grade(sample, answer.text)
    if not told:
        return verdict
    return replace(verdict, shown="<image>" in answer.prompt)
