"""Comparing scored answers: the same questions found on both sides, unlike numbers refused.

    aligned = align(POPE, {"vicuna": [measured], "llama": [measured]})
    compare(POPE, aligned, "vicuna", "llama").differences["f1"].p        0.0042

What is compared are stored score steps (`scorecard.json` and `samples.jsonl`), whose rows hold what each question adds
to the metrics' sums; neither annotations nor images are needed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vertebra.errors import ConfigError, DataError, Refused
from vertebra.files import read_rows
from vertebra.scoring.benchmark import Benchmark
from vertebra.scoring.judging import runs
from vertebra.scoring.metrics import Table, Tally, tabulate
from vertebra.scoring.paired import Difference, McNemar, differences, mcnemar
from vertebra.scoring.scorecard import Scored
from vertebra.scoring.significance import detectable, questions_needed, seeds_needed
from vertebra.spec import Json

SCORECARD, SAMPLES = "scorecard.json", "samples.jsonl"


class Counted(BaseModel):
    """What one question's answer was worth."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    id: str
    score: float
    cluster: str
    tally: dict[str, float]


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    benchmark: str
    protocol: str


def benchmark_of(folder: Path) -> str:
    """The benchmark of a score step's result."""
    return _card(folder).benchmark


def _card(folder: Path) -> _Card:
    try:
        return _Card.model_validate(json.loads((folder / SCORECARD).read_bytes()))
    except ValidationError as error:
        raise DataError(f"{folder / SCORECARD} is no scorecard: {_first(error)}. Score the answers again.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{folder / SCORECARD} cannot be read: {error}. Score the answers again.") from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"`{'.'.join(map(str, first['loc']))}`: {first['msg'].lower()}"


@dataclass(frozen=True, slots=True)
class Measured:
    """A scored set of answers."""

    where: str
    """For complaints."""
    benchmark: str
    protocol: str
    questions: Mapping[str, Counted]
    """By id."""

    @classmethod
    def read(cls, folder: Path) -> "Measured":
        """The result of a score step. `DataError` where it is none, or of a version that kept no tallies."""
        card = _card(folder)
        if not (folder / SAMPLES).is_file():
            raise DataError(f"{folder / SAMPLES} is missing: without a row per question nothing can be paired.")
        return cls._of(card, read_rows(folder / SAMPLES), str(folder))

    @classmethod
    def of(cls, scored: Scored, where: str) -> "Measured":
        """A score that was not stored."""
        return cls._of(_Card.model_validate(scored.scorecard), scored.rows, where)

    @classmethod
    def _of(cls, card: _Card, rows: Sequence[Mapping[str, Json]], where: str) -> "Measured":
        try:
            counted = [Counted.model_validate(row) for row in rows]
        except ValidationError as error:
            raise DataError(
                f"{where}: {_first(error)}. Results of versions that kept no tally of each question cannot be "
                "compared; `vertebra run` scores the stored answers again."
            ) from error
        return cls(where, card.benchmark, card.protocol, {row.id: row for row in counted})


@dataclass(frozen=True, slots=True)
class Aligned:
    """Arms on the questions that all their results have."""

    protocol: str
    questions: Sequence[str]
    """Their ids."""
    clusters: int
    left_out: Mapping[str, int]
    """Questions of each arm that another one does not have."""
    tables: Mapping[str, Sequence[Table]]
    """Of each arm, by seed; their rows are the same clusters."""
    scores: Mapping[str, Sequence[Sequence[float]]]
    """Of each arm, by seed and question."""

    @property
    def n(self) -> int:
        """How many questions."""
        return len(self.questions)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two arms on one benchmark, B less A."""

    benchmark: Benchmark
    aligned: Aligned
    a: str
    b: str
    differences: Mapping[str, Difference]
    mcnemar: McNemar | None
    """Of single questions, whatever image they are on; None with several seeds or answers that are partly right."""

    @property
    def headline(self) -> Difference:
        """The difference in the metric that stands for the benchmark."""
        return self.differences[self.benchmark.headline]


def align(benchmark: Benchmark, arms: Mapping[str, Sequence[Measured]]) -> Aligned:
    """Arms (name -> a result for each seed) on what they have in common.

    `ConfigError` for results of other benchmarks, `Refused` for unlike protocols or nothing in common.
    """
    results = [each for found in arms.values() for each in found]
    _demand_alike(benchmark, results)
    common = set.intersection(*(set(each.questions) for each in results))
    if benchmark.joint:
        # What a question adds tells of others on its image, so it counts only where these are the same.
        broken = {row.cluster for each in results for name, row in each.questions.items() if name not in common}
        common -= {name for name in common if results[0].questions[name].cluster in broken}
    names = [name for name in results[0].questions if name in common]
    clusters = [results[0].questions[name].cluster for name in names]
    if len(set(clusters)) < 2:
        raise Refused(
            f"{results[0].where} and {results[-1].where} have questions on {len(set(clusters))} images in common. "
            "Two are the least that a difference can be told from chance by."
        )
    tables = {arm: [_table(each, names, clusters) for each in found] for arm, found in arms.items()}
    if len({_judged(table) for found in tables.values() for table in found}) > 1:
        raise Refused(
            f"{results[0].where} and {results[-1].where}: their judges were asked different numbers of times about "
            "each answer. Score one of them again with as many --runs."
        )
    scores = {arm: [[each.questions[name].score for name in names] for each in found] for arm, found in arms.items()}
    left_out = {arm: max(len(each.questions) for each in found) - len(names) for arm, found in arms.items()}
    return Aligned(results[0].protocol, names, len(set(clusters)), left_out, tables, scores)


def compare(
    benchmark: Benchmark,
    aligned: Aligned,
    a: str,
    b: str,
    names: Sequence[str] | None = None,
    bootstrap: bool = False,
) -> Comparison:
    """Two of the aligned arms by these metrics (default: all); `bootstrap` computes those intervals as well."""
    scores_a, scores_b = aligned.scores[a], aligned.scores[b]
    pair = mcnemar(scores_a[0], scores_b[0]) if len(scores_a) == len(scores_b) == 1 else None
    single = pair is not None and aligned.n == aligned.clusters
    found = differences(
        benchmark.metrics, aligned.tables[a], aligned.tables[b], benchmark.bounds, names, single, bootstrap
    )
    return Comparison(benchmark, aligned, a, b, found, pair)


def document(comparison: Comparison, p_holm: float) -> dict[str, Json]:
    """A comparison as JSON; `p_holm` is the headline's p value, adjusted for all tests that are made."""
    aligned, headline, pair = comparison.aligned, comparison.benchmark.headline, comparison.mcnemar
    found: dict[str, Json] = {
        name: _told(aligned.n, difference, p_holm if name == headline else None)
        for name, difference in comparison.differences.items()
    }
    return {
        "benchmark": comparison.benchmark.name,
        "protocol": aligned.protocol,
        "headline": headline,
        "n": aligned.n,
        "images": aligned.clusters,
        "a": comparison.a,
        "b": comparison.b,
        "only_a": aligned.left_out[comparison.a],
        "only_b": aligned.left_out[comparison.b],
        "seeds_a": len(aligned.tables[comparison.a]),
        "seeds_b": len(aligned.tables[comparison.b]),
        "metrics": found,
        "mcnemar": {**pair._asdict(), "test": "exact McNemar, questions one by one"} if pair else None,
    }


def more_questions(n: int, difference: Difference) -> int | None:
    """With how many in all, where there are n, a difference of this size would be found; None where with none."""
    return questions_needed(n, difference.value, difference.questions, difference.seeds)


def more_seeds(difference: Difference) -> int | None:
    """With how many of each arm; None too where one seed of each leaves it unknown."""
    if difference.between is None:
        return None
    return seeds_needed(difference.value, difference.between, difference.questions)


def _told(n: int, difference: Difference, holm: float | None) -> dict[str, Json]:
    return {
        "a": difference.a,
        "b": difference.b,
        "difference": difference.value,
        "ci95": list(difference.ci95),
        "bootstrap95": list(difference.bootstrap95) if difference.bootstrap95 else None,
        "error": difference.error,
        "error_questions": difference.questions**0.5,
        "error_seeds": None if difference.between is None else difference.seeds**0.5,
        "p": difference.p,
        "p_holm": holm,
        "test": difference.test,
        "minimum_detectable": detectable(difference.error) if difference.error > 0 else None,
        "questions_needed": more_questions(n, difference),
        "seeds_needed": more_seeds(difference),
    }


def _demand_alike(benchmark: Benchmark, results: Sequence[Measured]) -> None:
    first = results[0]
    for other in results:
        if other.benchmark != benchmark.name:
            raise ConfigError(
                f"{other.where} is of {other.benchmark}, not of {benchmark.name}. Compare answers to one benchmark."
            )
        if other.protocol != first.protocol:
            raise Refused(
                f"{first.where} was measured as `{first.protocol}`, {other.where} as `{other.protocol}`: a difference "
                f"would be one of protocols, not of models. Measure both of {benchmark.name} in the same way."
            )


def _table(measured: Measured, names: Sequence[str], clusters: Sequence[str]) -> Table:
    tallies: list[Tally] = [measured.questions[name].tally for name in names]
    return tabulate(tallies, clusters)


def _judged(table: Table) -> int:
    return runs(table.sums(table.values))
