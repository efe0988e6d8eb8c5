"""Models × benchmarks: the numbers that every table, picture and page of a report shows.

A model is a family on a backbone, its seeds averaged. A column is a benchmark's headline metric under one protocol, so
that numbers taken differently never stand below each other:

    model (tiny-llava-1.5, tiny-phi-3)  column (pope, f1, llava)  →  Score(value=83.2, low=81.0, high=85.3, seeds=1)

`low` and `high` are the 95 % interval over questions where the study has one seed, and one standard deviation over
seeds where it has several. How a model stands to the best of its family follows from the matrix of paired tests: `tied`
where they are not told apart, `behind` where it really is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, stdev
from typing import Literal, NamedTuple
from unicodedata import category

from vertebra import benchmarks
from vertebra.report.matrix import Matrix, Pair
from vertebra.report.rows import Cell, Scorecard, read_scorecard
from vertebra.spec import Json, Study

BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

BOLD = "Bold: highest of its family."
TIED = (
    "≈ : not told apart from the bold number by a paired test on the same questions "
    "(5 %, Holm over all pairs and benchmarks of the study)."
)
UNKNOWN = "Where intervals overlap the order may be chance."

Standing = Literal["best", "tied", "behind"]
"""To the best of the family: `tied` where the two are not told apart, `behind` where the difference is real."""


class Model(NamedTuple):
    """A family's recipe on a backbone."""

    family: str
    backbone: str

    @property
    def arm(self) -> str:
        """Its name in a matrix of comparisons."""
        return f"{self.family}/{self.backbone}"


class Column(NamedTuple):
    """A benchmark's headline metric under a protocol; both are empty where no model has a score yet."""

    benchmark: str
    metric: str = ""
    protocol: str = ""

    @property
    def title(self) -> str:
        """The benchmark's name for people."""
        return benchmark_title(self.benchmark)

    @property
    def plain(self) -> "Column":
        """Its parts without what could steer a terminal."""
        return Column(*map(plain, self))

    @property
    def metric_title(self) -> str:
        """The metric's name for people."""
        return metric_title(self.metric) if self.metric else "no score yet"


@dataclass(frozen=True, slots=True)
class Score:
    """A model's number in a column, and how far it may be off."""

    value: float
    low: float | None
    high: float | None
    seeds: int
    """Seeds that were averaged."""
    planned: int
    """Seeds that the study has for it."""

    @property
    def text(self) -> str:
        """The value to one decimal."""
        return f"{self.value:z.1f}"

    @property
    def half(self) -> str:
        """Half of the interval's width to one decimal; empty where there is no interval."""
        return "" if self.low is None or self.high is None else f"{(self.high - self.low) / 2:.1f}"

    @property
    def spread(self) -> str:
        """`± 2.1`, or `[79.8, 84.4]` where one side is a good deal longer than the other."""
        if self.low is None or self.high is None:
            return ""
        below, above = self.value - self.low, self.high - self.value
        lopsided = abs(above - below) > max(0.15, 0.25 * (above + below) / 2)
        return f"[{self.low:z.1f}, {self.high:z.1f}]" if lopsided else f"± {self.half}"


@dataclass(frozen=True, slots=True)
class Grid:
    """All headline scores of a study. A pair without an entry in `scores` has no score under that protocol."""

    study: str
    title: str
    models: tuple[Model, ...]
    columns: tuple[Column, ...]
    scores: Mapping[tuple[Model, Column], Score]
    spread: Literal["ci95", "seeds"]
    missing: tuple[str, ...]
    """Labels of the cells that have no scorecard yet."""
    remarks: tuple[str, ...]
    """What a reader has to know about single numbers, one sentence each."""
    matrix: Matrix | None = None
    """Who is told apart from whom; None where nobody was compared."""

    def families(self) -> list[str]:
        """The families in order."""
        return list(dict.fromkeys(model.family for model in self.models))

    def of(self, family: str) -> list[Model]:
        """A family's models in order."""
        return [model for model in self.models if model.family == family]

    def best(self, family: str, column: Column) -> list[Model]:
        """The family's models that show the highest number, where there are at least two to compare."""
        shown = {m: float(s.text) for m in self.of(family) if (s := self.scores.get((m, column)))}
        return [model for model, value in shown.items() if value == max(shown.values())] if len(shown) > 1 else []

    def is_best(self, model: Model, column: Column) -> bool:
        """Whether it is one of them."""
        return model in self.best(model.family, column)

    def standing(self, model: Model, column: Column) -> Standing | None:
        """How it stands to the family's best; None where the two were not compared."""
        best = self.best(model.family, column)
        if model in best:
            return "best"
        pairs = [pair for other in best if (pair := self._pair(model, other, column))]
        if not pairs:
            return None
        return "behind" if all(pair.is_real for pair in pairs) else "tied"

    def is_tied(self, model: Model, column: Column) -> bool:
        """Whether it is not the family's best, and not told apart from it either."""
        return self.standing(model, column) == "tied"

    def ties(self) -> list[dict[str, Json]]:
        """As they stand in results.json: each tied model beside the best that it is not told apart from."""
        return [
            {
                **model._asdict(),
                "benchmark": column.benchmark,
                "metric": column.metric,
                "protocol": column.protocol,
                "best": best.backbone,
                "p_holm": pair.p,
            }
            for model in self.models
            for column in self.columns
            if self.is_tied(model, column)
            for best in self.best(model.family, column)
            if (pair := self._pair(model, best, column)) and not pair.is_real
        ]

    def marks(self) -> list[str]:
        """What bold and ≈ say, a sentence each."""
        told = {self.standing(model, column) for model in self.models for column in self.columns}
        if not told & {"tied", "behind"}:
            return [BOLD, UNKNOWN]
        return [BOLD, TIED] if "tied" in told else [BOLD]

    def _pair(self, one: Model, other: Model, column: Column) -> Pair | None:
        if self.matrix is None:
            return None
        return self.matrix.pair(column.benchmark, column.protocol, one.arm, other.arm)

    def is_partial(self, model: Model, column: Column) -> bool:
        """Whether the score averages fewer seeds than planned."""
        score = self.scores.get((model, column))
        return score is not None and score.seeds < score.planned

    def legend(self, brackets: bool = True) -> list[str]:
        """How to read the numbers: what ± is (and [low, high], where it is used), what a dash is, the remarks."""
        legend = ["± is half the width of the 95 % interval over questions."]
        if self.spread == "seeds":
            legend = ["Mean ± one standard deviation over seeds."]
        elif brackets and any(score.spread.startswith("[") for score in self.scores.values()):
            legend.append("[low, high] is that interval where its two sides differ.")
        if self.missing:
            legend.append(f"– : no score yet for {_listed(self.missing)}.")
        return [*legend, *self.remarks]


def build_grid(study: Study, cells: Sequence[Cell], matrix: Matrix | None = None) -> Grid:
    """The study's headline scores, in the order of the cells. `DataError` for a scorecard that is not one.

    Ties are those of the matrix; without one none is known.
    """
    cards = [(cell, read_scorecard(cell)) for cell in cells]
    assert len({cell.label for cell in cells}) == len(cells), "a cell of the study was given twice"
    columns = _columns(cards)
    models = tuple(dict.fromkeys(Model(cell.family, cell.backbone) for cell in cells))
    several = any(len({c.seed for c in cells if (c.family, c.backbone) == model}) > 1 for model in models)
    spread: Literal["ci95", "seeds"] = "seeds" if several else "ci95"
    scores = {}
    for model in models:
        for column in columns:
            here = [(c, card) for c, card in cards if (c.family, c.backbone, c.benchmark) == (*model, column.benchmark)]
            measured = [card for _, card in here if card and _column(column.benchmark, card) == column]
            if measured:
                scores[model, column] = _score(measured, len(here), spread)
    return Grid(
        study=plain(study.study),
        title=plain(study.title or study.study),
        models=models,
        columns=columns,
        scores=scores,
        spread=spread,
        missing=tuple(plain(cell.label) for cell, card in cards if card is None),
        remarks=tuple(_remarks(cards, columns, scores)),
        matrix=matrix,
    )


@cache  # a report asks for it at every number, and looking for plug-ins reads the disk
def benchmark_title(name: str) -> str:
    """A benchmark's name as its paper writes it; one that is no longer installed goes by its own name."""
    return benchmarks.benchmark(name).title if name in benchmarks.names() else plain(name)


def metric_title(name: str) -> str:
    """A metric's name for people: `f1` is F1, `image_accuracy` image accuracy."""
    return "F1" if name == "f1" else plain(name).replace("_", " ")


def plain(text: str) -> str:
    """The text without what could steer a terminal or reorder a line: controls, surrogates, direction marks."""
    kept = (
        " " if char in "\t\n\r\u2028\u2029" else "" if category(char) in ("Cc", "Cs") or char in BIDI_CONTROLS else char
        for char in text
    )
    return " ".join("".join(kept).split())


def _column(benchmark: str, card: Scorecard) -> Column:
    return Column(benchmark, card.headline, card.protocol)


def _columns(cards: Sequence[tuple[Cell, Scorecard | None]]) -> tuple[Column, ...]:
    """Columns of one benchmark stand side by side; one without any score keeps its place."""
    found: dict[str, dict[Column, None]] = {}
    for cell, card in cards:
        of_benchmark = found.setdefault(cell.benchmark, {})
        if card:
            of_benchmark[_column(cell.benchmark, card)] = None
    return tuple(column for name, columns in found.items() for column in columns or [Column(name)])


def _score(cards: Sequence[Scorecard], planned: int, spread: Literal["ci95", "seeds"]) -> Score:
    values = [card.metrics[card.headline] for card in cards]
    value = fmean(values)
    if spread == "ci95":
        low, high = cards[0].ci95.get(cards[0].headline, (None, None))
        return Score(value, low, high, len(values), planned)
    if len(values) < 2:
        return Score(value, None, None, len(values), planned)
    deviation = stdev(values)
    return Score(value, value - deviation, value + deviation, len(values), planned)


def _remarks(
    cards: Sequence[tuple[Cell, Scorecard | None]],
    columns: Sequence[Column],
    scores: Mapping[tuple[Model, Column], Score],
) -> Iterator[str]:
    """Everything that makes one number unlike its neighbours."""
    partial = [
        f"{plain('/'.join(model))} on {column.title} ({score.seeds} of {score.planned})"
        for (model, column), score in scores.items()
        if score.seeds < score.planned
    ]
    if partial:
        yield f"† fewer seeds than planned: {_listed(partial)}."
    for benchmark in dict.fromkeys(column.benchmark for column in columns):
        protocols = [plain(column.protocol) for column in columns if column.benchmark == benchmark]
        if len(protocols) > 1:
            title = benchmark_title(benchmark)
            yield f"{title} was measured under several protocols ({', '.join(protocols)}); each has its column."
    for column in columns:
        sizes = {card.n for cell, card in cards if card and _column(cell.benchmark, card) == column}
        if len(sizes) > 1:
            numbers = ", ".join(map(str, sorted(sizes)))
            yield f"{column.title}: the models were asked different numbers of questions ({numbers})."
    unanswered = [f"{plain(cell.label)} ({card.missing} of {card.n})" for cell, card in cards if card and card.missing]
    if unanswered:
        yield f"Questions without an answer: {', '.join(unanswered)}."


def _listed(labels: Sequence[str]) -> str:
    """A few labels in full; many as a number and where to find them."""
    return ", ".join(labels) if len(labels) <= 4 else f"{len(labels)} results, named in results.json"
