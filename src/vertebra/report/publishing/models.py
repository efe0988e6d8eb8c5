"""The models of a study as they are published: who they are, where they come from, what each answered to what.

    Published(family="llava-1.5", backbone="phi-3-mini", seed=0, name="miniature/llava-1.5--phi-3-mini--seed0",
              results=(Result(cell, card, POPE, rows, answers, questions, ...), ...))

Everything is read from finished steps; dates are when these ran, so that the same store gives the same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from vertebra.errors import DataError
from vertebra.files import read_rows
from vertebra.report.publishing.names import file_name
from vertebra.report.rows import Cell, Scorecard, read_scorecard
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import Answer, Benchmark, Sample
from vertebra.scoring.comparing import SAMPLES, Counted
from vertebra.scoring.intervals import standard_errors
from vertebra.scoring.metrics import tabulate
from vertebra.source import is_hub
from vertebra.spec import Adopted, Json
from vertebra.store import Store

if TYPE_CHECKING:
    from vertebra.report import Material

NEVER = datetime.fromtimestamp(0, UTC)
"""Stands for a date that a store did not keep."""


class Graded(Counted):
    """What one question's answer was taken for and what it was worth."""

    parsed: str | None = None


@dataclass(frozen=True)
class Result:
    """A benchmark's result on a model. Its questions' rows and answers are read when they are first asked for."""

    cell: Cell
    card: Scorecard
    benchmark: Benchmark
    questions: Mapping[str, Sample]
    """By id; empty where the benchmark's files are not there."""
    record: Mapping[str, Json]
    """The run.json of the scoring: versions, commit, when."""
    asked: datetime
    """When the model was asked."""

    @property
    def name(self) -> str:
        """The benchmark's."""
        return self.benchmark.name

    @property
    def scored(self) -> datetime:
        """When the answers were scored."""
        return started(self.record)

    @cached_property
    def rows(self) -> Sequence[Graded]:
        """One per question, in the official order. `DataError` for a stored score that is none."""
        assert self.cell.score
        path = self.cell.score / SAMPLES
        try:
            return [Graded.model_validate(row) for row in read_rows(path)]
        except ValidationError as error:
            told = f"{path} is no list of scored questions. Score the answers of {self.cell.label} again."
            raise DataError(told) from error

    @cached_property
    def answers(self) -> Mapping[str, Answer]:
        """By the question's id, as far as they can be read."""
        return _answers(self.cell.answers, self.benchmark, self.questions)

    @cached_property
    def has_answers(self) -> bool:
        """Whether any can be read."""
        return bool(self.answers)

    @cached_property
    def errors(self) -> Mapping[str, float]:
        """Standard error of each metric, as far as there is one."""
        table = tabulate([row.tally for row in self.rows], [row.cluster for row in self.rows])
        return standard_errors(self.benchmark.metrics, table)

    def close(self) -> None:
        """Lets go of rows and answers, of which a large benchmark has hundreds of thousands; keeps what is small."""
        _ = self.errors, self.has_answers
        for name in ("rows", "answers"):
            self.__dict__.pop(name, None)


@dataclass(frozen=True, slots=True)
class Published:
    """A model and all that it was measured on."""

    family: str
    backbone: str
    seed: int
    name: str
    """`owner/model`, as the Hub has or may have it."""
    results: tuple[Result, ...]
    checkpoint: Path | None
    """The folder of its weights, where they are this study's own."""
    adopted: Adopted | None
    """Where it was trained elsewhere."""

    @property
    def folder(self) -> str:
        """Its folder's name in the report."""
        return folder_name(self.family, self.backbone, self.seed)

    @property
    def when(self) -> datetime:
        """When the last of its results was there."""
        return max(result.scored for result in self.results)

    @property
    def date_id(self) -> str:
        """That moment in UTC as lm-eval writes it into names of files."""
        return self.when.replace(tzinfo=None).isoformat().replace(":", "-")


def published(material: "Material") -> Iterator[Published]:
    """The models that have a stored score, in the order of the cells."""
    models: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in material.cells:
        if cell.score is not None and cell.benchmark in material.benchmarks:
            models.setdefault((cell.family, cell.backbone, cell.seed), []).append(cell)
    for (family, backbone, seed), cells in models.items():
        adopted = material.study.adopt.get(backbone)
        yield Published(
            family,
            backbone,
            seed,
            _name(material, adopted, folder_name(family, backbone, seed)),
            tuple(_result(cell, material) for cell in cells),
            next((cell.model for cell in cells if cell.model), None),
            adopted,
        )


def folder_name(family: str, backbone: str, seed: int) -> str:
    """A model's folder in a report."""
    return f"{file_name(family)}--{file_name(backbone)}--seed{seed}"


def started(record: Mapping[str, Json]) -> datetime:
    """When a step began, of its run.json."""
    try:
        return datetime.fromisoformat(str(record.get("started"))).astimezone(UTC)
    except ValueError:
        return NEVER


def _name(material: "Material", adopted: Adopted | None, folder: str) -> str:
    """A model from the Hub keeps its name; any other is the organization's."""
    if adopted and adopted.weights and is_hub(adopted.weights):
        return adopted.weights.partition("@")[0]
    return f"{file_name(material.organization or material.study.study)}/{folder}"


def _result(cell: Cell, material: "Material") -> Result:
    benchmark, questions = material.benchmarks[cell.benchmark], material.questions.of(cell.benchmark).samples
    card = read_scorecard(cell)
    assert card
    assert cell.score
    asked = _record(cell.answers.parent) if cell.answers else {}
    return Result(cell, card, benchmark, questions, _record(cell.score), started(asked))


def _answers(path: Path | None, benchmark: Benchmark, questions: Mapping[str, Sample]) -> Mapping[str, Answer]:
    """The stored answers that can be read; without the questions, those that carry their question's id."""
    if path is None:
        return {}
    try:
        if questions:
            return read_answers(path, benchmark, list(questions.values()))
        return {
            str(row.get("question_id")): Answer(str(row.get("text", "")), str(row.get("prompt", "")))
            for row in read_rows(path)
        }
    except DataError:  # tables and scores need no answers; `--verify` names the file
        return {}


def _record(out: Path) -> Mapping[str, Json]:
    """The run.json of the step whose result lies in this folder; empty for one that is in no store."""
    return Store(out.parents[2]).record(out.parent.name) if len(out.parents) > 2 else {}
