"""What a study measured, one line per number: the JSON of `vertebra report --json`.

A cell of the study (family, backbone, seed, benchmark) holds the scorecard of `vertebra score`, or none yet. Every
metric of a scorecard becomes a row, headline metrics first; cells without a scorecard are listed, never left out:

    {"study": "miniature",
     "rows": [{"family": "tiny-llava-1.5", "backbone": "tiny-phi-3", "seed": 0, "benchmark": "pope",
               "metric": "f1", "value": 83.2, "n": 300, "ci95": [81.0, 85.3]}],
     "missing": ["tiny-llava-1.5/tiny-phi-3/seed0/gqa"],
     "answering": [{"family": "tiny-llava-1.5", "backbone": "tiny-phi-3", "seed": 0, "benchmark": "pope",
                    "questions": 720, "asked": 342, "seconds": 0.474}]}

How long answering took is measured and no result: it differs from run to run, and where it is not known it is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vertebra.errors import DataError
from vertebra.spec import Json

Interval = tuple[float, float]


class Answering(BaseModel):
    """What the log of a predict step says of its answers."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    questions: int = Field(ge=0)
    asked: int = Field(ge=0)
    """How many of them are distinct; what is the same is asked once."""
    seconds: float = Field(ge=0)
    """That their answers took, added up over the processes that shared the work."""

    @classmethod
    def read(cls, log: Sequence[Mapping[str, object]]) -> "Answering | None":
        """The last line that says it, because a step may have been taken up again; None where none does."""
        for line in reversed(log):
            with suppress(ValidationError):
                return cls.model_validate(line)
        return None


@dataclass(frozen=True, slots=True)
class Cell:
    """One benchmark's result on one model of the study; `scorecard` is None until it is there."""

    family: str
    backbone: str
    seed: int
    benchmark: str
    scorecard: Mapping[str, object] | None
    answering: Answering | None = None
    """None also in stores that did not keep it."""
    score: Path | None = None
    """The folder with the scorecard and a row for each question; None where there is no scorecard."""
    answers: Path | None = None
    """What the model said: LLaVA's answers JSONL."""
    model: Path | None = None
    """The folder of the checkpoint that answered, where it is this study's own."""

    @property
    def label(self) -> str:
        """The cell's name in a plan, such as `tiny-llava-1.5/tiny-phi-3/seed0/pope`."""
        return f"{self.family}/{self.backbone}/seed{self.seed}/{self.benchmark}"


class Scorecard(BaseModel):
    """What a report reads of a scorecard; further keys are of no concern to it."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    protocol: str
    n: int
    """Annotated questions."""
    missing: int = 0
    """How many of them have no answer."""
    headline: str
    metrics: dict[str, float]
    groups: dict[str, dict[str, dict[str, float]]] = Field(default_factory=dict)
    ci95: dict[str, Interval] = Field(default_factory=dict)
    group_ci95: dict[str, dict[str, dict[str, Interval]]] = Field(default_factory=dict)

    def ordered(self) -> list[str]:
        """The metrics' names, the headline first."""
        return [self.headline, *(name for name in self.metrics if name != self.headline)]


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one cell. `n` counts the annotated questions; `ci95` is None where no interval was computed."""

    family: str
    backbone: str
    seed: int
    benchmark: str
    metric: str
    value: float
    n: int
    ci95: Interval | None


def read_scorecard(cell: Cell) -> Scorecard | None:
    """The cell's scorecard, checked. `DataError` names the cell whose scorecard is not one."""
    if cell.scorecard is None:
        return None
    try:
        card = Scorecard.model_validate(cell.scorecard)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise _corrupt(cell, f"`{field}`: {first['msg'].lower()}") from error
    if card.headline not in card.metrics:
        raise _corrupt(cell, f"its headline {card.headline!r} is none of its metrics")
    return card


def rows(cells: Sequence[Cell]) -> list[Row]:
    """One row per metric of every cell that has a scorecard, in the order of the cells."""
    return list(_rows(cells))


def results(study: str, cells: Sequence[Cell]) -> dict[str, Json]:
    """What the study of this name has found: the JSON of `vertebra report --json` without what stands beside it."""
    return {
        "study": study,
        "rows": [asdict(row) for row in rows(cells)],
        "missing": [cell.label for cell in cells if cell.scorecard is None],
    }


def answering(cells: Sequence[Cell]) -> list[Json]:
    """The times of the cells that have one, as they stand in results.json."""
    return [_place(cell) | cell.answering.model_dump() for cell in cells if cell.answering]


def _place(cell: Cell) -> dict[str, Json]:
    return {"family": cell.family, "backbone": cell.backbone, "seed": cell.seed, "benchmark": cell.benchmark}


def _rows(cells: Sequence[Cell]) -> Iterator[Row]:
    for cell in cells:
        card = read_scorecard(cell)
        if card is None:
            continue
        for metric in card.ordered():
            yield Row(
                cell.family,
                cell.backbone,
                cell.seed,
                cell.benchmark,
                metric,
                card.metrics[metric],
                card.n,
                card.ci95.get(metric),
            )


def _corrupt(cell: Cell, why: str) -> DataError:
    return DataError(f"The scorecard of {cell.label} cannot be reported: {why}. Score it again.")
