"""From judgments to verdicts: which of a judge's replies count, and when there are too few of them to speak of a score.

    judgments = {"v1_0": [Judgment((0.5,), "0.5", "gpt-4-0613"), Judgment(None, "Sorry", "gpt-4-0613")], ...}
    judged(MM_VET, samples, answers, judgments, "gpt-4-0613")    the benchmark under its full name, a verdict a sample

A failed call and a reply off the menu are never a number. They are left out of their run, and above 1 % of them there
is no score. Under the protocol `official` a reply that cannot be read counts what the official code makes of it (0 for
MM-Vet and ViP-Bench, -1 for both answers in LLaVA's review); a call that failed stays unresolved there as well.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from vertebra.errors import DataError, JudgeError
from vertebra.scoring.benchmark import Answer, Benchmark, Judging, Points, Sample, Verdict
from vertebra.scoring.metrics import Sums, Tally

OFFICIAL = "official"
PER_UNRESOLVED = 100
"""One in so many judgments may be missing or unreadable in a score."""
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Judgment:
    """What a judge said of one answer in one run."""

    points: Points | None
    """As the official code reads them, or as its file gives them; None where it finds none."""
    reply: str | None
    """What the judge wrote; None where it never answered, or the file does not say."""
    model: str = ""
    """The model that says to have written it; empty where nobody says."""
    why: str = ""
    """Why there is no reply."""


Judgments = Mapping[str, Sequence[Judgment]]
"""Question id -> one judgment a run."""


class Judged(NamedTuple):
    """A benchmark whose protocol names the judge, and the verdicts."""

    benchmark: Benchmark
    verdicts: list[Verdict]


def judged(
    benchmark: Benchmark,
    samples: Sequence[Sample],
    answers: Mapping[str, Answer],
    judgments: Judgments,
    judge: str = "",
    official: bool = False,
) -> Judged:
    """A verdict for each sample, in order. `judge` is the model that was asked, where that is known.

    `DataError` for a missing answer that cannot be scored, `JudgeError` when too many judgments are unresolved.
    """
    assert benchmark.judging
    count = max((len(found) for found in judgments.values()), default=0)
    verdicts, unresolved = [], []
    for sample in samples:
        given = judgments.get(sample.id, ())
        missing = sample.id not in answers
        if missing and not given:
            demand_answers(benchmark, [sample])
            lowest = (benchmark.judging.missing,) * count
            verdicts.append(Verdict(sample.id, 0.0, None, missing=True, runs=lowest))
            continue
        points = [settle(benchmark.judging, judgment, official) for judgment in given]
        points += [None] * (count - len(points))
        unresolved += [(sample.id, run) for run, found in enumerate(points) if found is None]
        verdicts.append(_verdict(benchmark.judging, sample, points, missing))
    if not count or len(unresolved) > allowed(count * len(samples)):
        raise over_budget(benchmark, unresolved, count * len(samples), judgments)
    name = full_name(benchmark, judge, _models(judgments), official)
    return Judged(replace(benchmark, protocol=name), verdicts)


def settle(judging: Judging, judgment: Judgment, official: bool = False) -> Points | None:
    """The points that count; None where the judgment is unresolved."""
    points, reply = judgment.points, judgment.reply
    if official:
        return judging.unreadable if points is None and not judgment.why else points
    low, high = judging.menu
    if points is None or not all(low <= each <= high for each in points):
        return None
    # The official code writes its number for a failure beside the reply that it could not read.
    failed = points == judging.unreadable and reply is not None and judging.parse(reply) != points
    return None if failed else points


def demand_answers(benchmark: Benchmark, missing: Sequence[Sample]) -> None:
    """`DataError` naming the first unanswered question, where no official rule says what that is worth."""
    if benchmark.judging and benchmark.judging.missing is None and missing:
        raise DataError(
            f"{benchmark.name}: question {missing[0].id!r} has no answer ({len(missing)} in all). The official code "
            "would pair the wrong answers from there on. Complete the answers file."
        )


def no_judge(benchmark: Benchmark) -> JudgeError:
    """Says how to bring a judge or its judgments."""
    return JudgeError(
        f"{benchmark.name} is graded by a judge, and there is none. Replay judgments by --judgments FILE, or name a "
        "model by --judge MODEL on any OpenAI-compatible server (OPENAI_API_KEY; --judge-url or OPENAI_BASE_URL where "
        "it is not OpenAI's), or `--judge rules` for keyword rules. In a study: `judge: {name: ..., endpoint: ...}`."
    )


def allowed(judgments: int) -> int:
    """How many of so many judgments may be unresolved."""
    return judgments // PER_UNRESOLVED


def over_budget(
    benchmark: Benchmark, unresolved: Sequence[tuple[str, int]], total: int, judgments: Judgments
) -> JudgeError:
    """Says that there is no score, naming the first questions and what came back for them."""
    first = "; ".join(_told(name, run, judgments) for name, run in unresolved[:_NAMED]) or "there is no judgment at all"
    more = "; ..." if len(unresolved) > _NAMED else ""
    return JudgeError(
        f"{benchmark.name} has no score: {len(unresolved)} of {total} judgments are missing or unreadable, and at most "
        f"1 in {PER_UNRESOLVED} may be ({first}{more}). The same command asks again where nothing came back; replies "
        "are cached, so delete the unreadable ones from the cache to have them asked for anew. With --protocol "
        f"{OFFICIAL} they count what the official code counts for them."
    )


def full_name(benchmark: Benchmark, asked: str, models: Iterable[str], official: bool = False) -> str:
    """The protocol with the judge that was asked and, where it differs, the model that says to have answered."""
    returned = sorted(set(models) - {asked, ""})
    named = f"{asked} ({', '.join(returned)})" if asked and returned else asked or "+".join(returned) or "unnamed"
    return f"{benchmark.protocol}{' ' + OFFICIAL if official else ''} judge={named}"


def finite(points: Points) -> Points | None:
    """The points, where each of them is a number; nan and inf are not."""
    return points if all(map(math.isfinite, points)) else None


def tallying(*names: str) -> Callable[[Sample, Verdict], Tally]:
    """The tally of a judge's points under these names, such as `score 0`, with a count `judged 0`, run by run.

    Each run has a count of its own: what is unresolved in one is left out of that one alone.
    """

    def tally(_: Sample, verdict: Verdict) -> Tally:
        found: dict[str, float] = {}
        for run, points in enumerate(verdict.runs):
            if points is not None:
                found |= {f"{name} {run}": value for name, value in zip(names, points, strict=True)}
                found[f"judged {run}"] = 1.0
        return found

    return tally


def runs(sums: Sums) -> int:
    """How many runs the sums tell of, by their counts `judged 0`, `judged 1`, ..."""
    return 1 + max((int(name.removeprefix("judged ")) for name in sums if name.startswith("judged ")), default=-1)


def _models(judgments: Judgments) -> set[str]:
    return {judgment.model for found in judgments.values() for judgment in found}


def _verdict(judging: Judging, sample: Sample, points: Sequence[Points | None], missing: bool) -> Verdict:
    """The score is the mean over the runs that are resolved, as a share of the best that a judge may give."""
    found = [each for each in points if each is not None]
    best = judging.menu[1]
    share = sum(each[-1] / best for each in found) / len(found) if found else 0.0
    parsed = "; ".join(" ".join(f"{value:g}" for value in each) for each in found) or None
    return Verdict(sample.id, min(max(share, 0.0), 1.0), parsed, missing, runs=tuple(points))


def _told(name: str, run: int, judgments: Judgments) -> str:
    found = judgments.get(name, ())
    judgment = found[run] if run < len(found) else Judgment(None, None, why="no judgment")
    said = judgment.why or (f"reply {judgment.reply[:60]!r}" if judgment.reply is not None else "no readable score")
    return f"question {name!r}, run {run + 1}: {said}"
