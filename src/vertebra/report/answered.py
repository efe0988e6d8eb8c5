"""The questions of a benchmark with what every model answered and what that was worth, side by side.

    Answered("pope", "llava", ids=["1", "2"], samples={"1": Sample(...)}, prompts={"1": "Is there a three ...?"},
             models={"tiny-llava-1.5/tiny-phi-3": {"1": Given("yes", "yes", 1.0)}})

Each model is shown by the first of its seeds that is scored. Without the benchmark's files there are no samples, and a
question's text is the prompt that was stored beside the answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from vertebra.errors import DataError
from vertebra.files import read_rows
from vertebra.report.questions import Questions, Read
from vertebra.report.rows import Cell, read_scorecard
from vertebra.scoring.answers import llava
from vertebra.scoring.benchmark import Answer, Sample
from vertebra.scoring.comparing import SAMPLES


class Given(NamedTuple):
    """What a model said to a question."""

    answer: str | None
    """None where there is none."""
    parsed: str | None
    """What the grading took it for."""
    score: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A benchmark's scored questions under one protocol."""

    benchmark: str
    protocol: str
    ids: Sequence[str]
    """In the official order, as far as any model has them."""
    prompts: Mapping[str, str]
    """As they were stored beside the answers."""
    models: Mapping[str, Mapping[str, Given]]
    """Family/backbone -> question -> what it said."""
    samples: Mapping[str, Sample] = field(default_factory=dict)
    """The questions themselves, where the benchmark's files are at hand."""
    complaint: str = ""
    """Why they are not."""

    def is_disputed(self, question: str) -> bool:
        """Whether its answers are not all worth the same."""
        return len({given[question].score for given in self.models.values() if question in given}) > 1


class _Row(BaseModel):
    """A row of samples.jsonl, as far as it is shown."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    id: str
    score: float
    parsed: str | None = None


def read_answered(cells: Sequence[Cell], questions: Questions) -> Iterator[Answered]:
    """One for each benchmark and protocol. `DataError` for stored results that are none."""
    found: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in cells:
        card = read_scorecard(cell)
        if card and cell.score:
            models = found.setdefault((cell.benchmark, card.protocol), {})
            models.setdefault(f"{cell.family}/{cell.backbone}", cell)
    names = list(dict.fromkeys(cell.benchmark for cell in cells))
    for name, protocol in sorted(found, key=lambda key: names.index(key[0])):
        yield _read(name, protocol, found[name, protocol], questions.of(name))


def _read(name: str, protocol: str, cells: Mapping[str, Cell], questions: Read) -> Answered:
    ids: dict[str, None] = {}
    prompts: dict[str, str] = {}
    models: dict[str, dict[str, Given]] = {}
    for model, cell in cells.items():
        said = _said(cell)
        given = {}
        for row in _verdicts(cell):
            answer = said.get(row.id)
            given[row.id] = Given(answer.text if answer else None, row.parsed, row.score)
            if answer and row.id not in prompts:
                prompts[row.id] = answer.prompt
        ids.update(dict.fromkeys(given))
        models[model] = given
    return Answered(name, protocol, list(ids), prompts, models, *questions)


def _verdicts(cell: Cell) -> list[_Row]:
    assert cell.score
    path = cell.score / SAMPLES
    try:
        return [_Row.model_validate(row) for row in read_rows(path)]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataError(f"{path} holds a row that is none: {first['msg'].lower()}. Score the answers again.") from error


def _said(cell: Cell) -> dict[str, Answer]:
    """By question; where one was answered twice, the last counts, as it does for scores."""
    if cell.answers is None or not cell.answers.is_file():
        return {}
    return {row.question: row.answer for row in llava(cell.answers)}
