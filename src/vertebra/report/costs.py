"""What a model costs and what it is worth: one score over all benchmarks beside parameters, tokens and seconds.

    Cost(Model("llava-1.5", "vicuna-7b"), score=54.1, low=53.0, high=55.2,
         parameters=7_063_427_072, tokens=641.3, seconds=0.031)

The score is the mean of the benchmarks that all models have, each on its own scale: 0 at chance, 100 at the ceiling.
Its interval holds the benchmarks for independent and adds the squares of what each may be off (G. Zou, A. Donner,
Stat. Med. 27, 2008); with several seeds it is one standard deviation of the seeds' means. Tokens and seconds are
those of a question, the mean of the same benchmarks. What is not known is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal, NamedTuple

from vertebra.report.chart import Axis
from vertebra.report.grid import Column, Grid, Model
from vertebra.report.questions import Questions
from vertebra.report.rows import Cell, read_scorecard
from vertebra.report.sizes import Prompter, parameters, prompter, tokens_per_question
from vertebra.scoring.benchmark import Benchmark, Sample
from vertebra.scoring.contrast import per_unit
from vertebra.spec import Json

Kind = Literal["parameters", "tokens", "seconds"]
KINDS: tuple[Kind, ...] = ("parameters", "tokens", "seconds")
QUESTIONS = 256
"""Of a benchmark whose tokens are counted, at even distances; all where there are fewer."""


class Cost(NamedTuple):
    """A model's line."""

    model: Model
    score: float
    low: float | None
    high: float | None
    parameters: int | None
    tokens: float | None
    seconds: float | None

    def of(self, kind: Kind) -> float | None:
        """What it costs by this measure."""
        found: float | None = getattr(self, kind)
        return found


@dataclass(frozen=True, slots=True)
class Costs:
    """All models that have a score."""

    columns: tuple[Column, ...]
    """What the score is the mean of."""
    lines: tuple[Cost, ...]
    spread: Literal["ci95", "seeds"]

    @property
    def kinds(self) -> list[Kind]:
        """What is known of at least one model."""
        return [kind for kind in KINDS if any(line.of(kind) is not None for line in self.lines)]

    def front(self, kind: Kind) -> list[Cost]:
        """The models than which none is both cheaper and better (V. Pareto), from the cheapest on."""
        known = [(cost, line) for line in self.lines if (cost := line.of(kind)) is not None]
        return [
            line
            for cost, line in sorted(known, key=lambda each: each[0])
            if not any(
                other <= cost and beside.score >= line.score and (other, beside.score) != (cost, line.score)
                for other, beside in known
            )
        ]

    def to_json(self) -> dict[str, Json]:
        """As it stands in results.json. Seconds are measured, so no part of what a citation points at."""
        fronts = {kind: self.front(kind) for kind in self.kinds}
        return {
            "benchmarks": [column.benchmark for column in self.columns],
            "interval": self.spread,
            "models": [
                {
                    **line.model._asdict(),
                    **{name: value for name, value in line._asdict().items() if name != "model"},
                    "front": [kind for kind, front in fronts.items() if line in front],
                }
                for line in self.lines
            ],
        }


def costs(grid: Grid, cells: Sequence[Cell], benchmarks: Mapping[str, Benchmark], questions: Questions) -> Costs:
    """Of every model of the grid that has a score."""
    axes = {name: benchmark.axis for name, benchmark in benchmarks.items()}
    models = [m for m in grid.models if any((m, column) in grid.scores for column in grid.columns)]
    columns = tuple(
        column
        for column in grid.columns
        if column.benchmark in axes and all((model, column) in grid.scores for model in models)
    )
    if not columns:
        return Costs((), (), grid.spread)
    folders = {model: _folder(cells, model) for model in models}
    asked = {model: prompter(folder) if folder else None for model, folder in folders.items()}
    samples = _samples(columns, questions) if any(asked.values()) else None
    tokens = {one: _tokens(one, samples) for one in dict.fromkeys(asked.values())}
    lines = []
    for model in models:
        folder = folders[model]
        size = parameters(folder) if folder else None
        worth = _worth(grid, cells, model, columns, axes)
        lines.append(Cost(model, *worth, size, tokens[asked[model]], _seconds(cells, model, columns)))
    return Costs(columns, tuple(lines), grid.spread)


def _worth(
    grid: Grid, cells: Sequence[Cell], model: Model, columns: Sequence[Column], axes: Mapping[str, Axis]
) -> tuple[float, float | None, float | None]:
    """Score and both ends of its interval."""
    scores = [(axes[column.benchmark], grid.scores[model, column]) for column in columns]
    mean = fmean(_scaled(axis, score.value) for axis, score in scores)
    if grid.spread == "seeds":
        off = _over_seeds(cells, model, columns, axes)
        return mean, None if off is None else mean - off, None if off is None else mean + off
    below, above = 0.0, 0.0
    for axis, score in scores:
        if score.low is None or score.high is None:
            return mean, None, None
        value = _scaled(axis, score.value)
        below += (value - _scaled(axis, score.low)) ** 2
        above += (_scaled(axis, score.high) - value) ** 2
    return mean, mean - sqrt(below) / len(scores), mean + sqrt(above) / len(scores)


def _over_seeds(
    cells: Sequence[Cell], model: Model, columns: Sequence[Column], axes: Mapping[str, Axis]
) -> float | None:
    """One standard deviation of the score of the seeds that have all benchmarks; None where there are not two."""
    seeds: dict[int, dict[Column, float]] = {}
    for cell in cells:
        card = read_scorecard(cell) if Model(cell.family, cell.backbone) == model else None
        if card is None:
            continue
        column = Column(cell.benchmark, card.headline, card.protocol)
        if column in columns:
            seeds.setdefault(cell.seed, {})[column] = _scaled(axes[cell.benchmark], card.metrics[card.headline])
    whole = [fmean(values.values()) for values in seeds.values() if len(values) == len(columns)]
    return stdev(whole) if len(whole) > 1 else None


def _scaled(axis: Axis, value: float) -> float:
    return (value - axis[0]) * per_unit(axis)


def _folder(cells: Sequence[Cell], model: Model) -> Path | None:
    """The checkpoint of its first seed that is at hand; seeds differ in nothing that is asked here."""
    return next((c.model for c in cells if Model(c.family, c.backbone) == model and c.model), None)


def _samples(columns: Sequence[Column], questions: Questions) -> list[list[Sample]] | None:
    """Some questions of each benchmark; None where those of any cannot be read."""
    found = []
    for name in dict.fromkeys(column.benchmark for column in columns):
        samples = list(questions.of(name).samples.values())
        count = min(QUESTIONS, len(samples))
        found.append([samples[place * len(samples) // count] for place in range(count)])
    return found if all(found) else None


def _tokens(asked: Prompter | None, samples: Sequence[Sequence[Sample]] | None) -> float | None:
    if asked is None or samples is None:
        return None
    counted = [tokens_per_question(asked, each) for each in samples]
    known = [each for each in counted if each is not None]
    return fmean(known) if len(known) == len(counted) else None


def _seconds(cells: Sequence[Cell], model: Model, columns: Sequence[Column]) -> float | None:
    """The mean over the benchmarks, each one's over its seeds; None where one of them was not measured."""
    found: dict[str, list[float]] = {column.benchmark: [] for column in columns}
    for cell in cells:
        told = cell.answering
        if Model(cell.family, cell.backbone) == model and cell.benchmark in found and told and told.asked:
            found[cell.benchmark].append(told.seconds / told.asked)
    return fmean(map(fmean, found.values())) or None if all(found.values()) else None
