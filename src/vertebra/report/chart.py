"""What the pictures have in common: which models and benchmarks are drawn, how they are marked, what is said around.

    chart = Chart.of(grid, axes, family="llava-1.5")      one family; without a name all of them
    y = chart.head(pen, "Centre: chance. Rim: each axis's ceiling.")
    ...
    pen.height = foot(pen, chart.gaps("left as a gap"), y)

A backbone keeps its colour and shape through all pictures of a study. Where families stand side by side, each has a
style of line, and every second one hollow marks.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vertebra.report.grid import Column, Grid, Model, plain
from vertebra.report.sheet import MARGIN, WIDTH, Ink, Mark, Pen, mark_of, measure, wrap

Axis = tuple[float, float]
"""Chance and ceiling of a metric."""
_MANY = 6
"""Names that a note tells one by one; more are counted."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Some models of a grid, on the columns that have an axis."""

    grid: Grid
    family: str | None
    """None for all of them."""
    columns: tuple[Column, ...]
    axes: Mapping[str, Axis]
    """By benchmark."""

    @classmethod
    def of(cls, grid: Grid, axes: Mapping[str, Axis], family: str | None = None) -> "Chart":
        """A family's part of the grid, or the whole of it."""
        assert all(chance < ceiling for chance, ceiling in axes.values()), "a ceiling lies above chance"
        return cls(grid, family, tuple(column for column in grid.columns if column.benchmark in axes), axes)

    @property
    def models(self) -> list[Model]:
        """Those that are drawn."""
        return list(self.grid.models) if self.family is None else self.grid.of(self.family)

    @property
    def families(self) -> list[str]:
        """Those that are drawn."""
        return self.grid.families() if self.family is None else [self.family]

    @property
    def spread(self) -> str:
        """What an interval is."""
        return "95 % interval over questions" if self.grid.spread == "ci95" else "± one standard deviation over seeds"

    def mark(self, ink: Ink, model: Model) -> Mark:
        """How a model is drawn."""
        backbones = list(dict.fromkeys(each.backbone for each in self.grid.models))
        family = self.families.index(model.family) if len(self.families) > 1 else None
        return mark_of(ink, backbones.index(model.backbone), family)

    def fraction(self, column: Column, value: float) -> float:
        """Where a value lies between chance (0) and ceiling (1)."""
        chance, ceiling = self.axes[column.benchmark]
        return (value - chance) / (ceiling - chance)

    def ends(self, column: Column) -> tuple[str, str]:
        """Chance and ceiling."""
        chance, ceiling = self.axes[column.benchmark]
        return f"{round(chance, 1):g}", f"{round(ceiling, 1):g}"

    def name(self, column: Column) -> str:
        """The benchmark, with its protocol where another column shows it under another one."""
        twins = sum(other.benchmark == column.benchmark for other in self.columns)
        return f"{column.title} ({plain(column.protocol)})" if twins > 1 else column.title

    def named(self, model: Model) -> str:
        """A model, its family told where it is not the picture's."""
        return plain(model.arm if len(self.families) > 1 else model.backbone)

    def alt(self, kind: str) -> str:
        """For someone who cannot see the picture."""
        names = ", ".join(self.named(model) for model in self.models)
        benchmarks = ", ".join(self.name(column) for column in self.columns) or "no benchmark"
        of = f" of {plain(self.family)}" if self.family is not None else ""
        return f"{kind}{of}: {names} on {benchmarks}. All numbers are in the table of results."

    def head(self, pen: Pen, *lines: str) -> float:
        """Title and how to read the picture; returns the y below them."""
        y = MARGIN
        title, below = (self.grid.title, lines) if self.family is None else (self.family, (self.grid.title, *lines))
        for line in wrap(plain(title), 17, WIDTH - 2 * MARGIN, bold=True):
            pen.text(MARGIN, y, line, 17, bold=True)
            y += 0.3
        for text in below:
            for line in wrap(text, 10.5, WIDTH - 2 * MARGIN):
                pen.text(MARGIN, y, line, 10.5, pen.ink.muted)
                y += 0.21
        return y

    def gaps(self, drawn: str) -> Iterator[str]:
        """A note on the scores that are not there."""
        gaps = [
            (column, f"{self.named(model)} on {self.name(column)}")
            for model in self.models
            for column in self.columns
            if (model, column) not in self.grid.scores
        ]
        yield from self._note(f"No score, {drawn}", gaps)

    def beyond(self, below: str, above: str) -> Iterator[str]:
        """Notes on the values that lie outside of their axes, and where they are drawn."""
        under, over = [], []
        for model in self.models:
            for column in self.columns:
                score = self.grid.scores.get((model, column))
                if score is None:
                    continue
                place = column, f"{self.named(model)} on {self.name(column)} ({score.text})"
                if self.fraction(column, score.value) < 0:
                    under.append(place)
                elif self.fraction(column, score.value) > 1:
                    over.append(place)
        yield from self._note(f"Below chance, drawn at {below}", under)
        yield from self._note(f"Above the ceiling, drawn at {above}", over)

    def unknown(self) -> Iterator[str]:
        """A note on the columns that are not drawn."""
        without = [column.title for column in self.grid.columns if column.benchmark not in self.axes]
        if without:
            yield f"Not drawn, because chance and ceiling are not known: {', '.join(without)}."
        if not self.columns:
            yield "Nothing to draw yet."

    def _note(self, what: str, places: Sequence[tuple[Column, str]]) -> Iterator[str]:
        told = [text for _, text in places]
        if len(places) > _MANY:
            columns = [column for column, _ in places]
            told = [f"{self.name(c)} ({columns.count(c)} of {len(self.models)} models)" for c in dict.fromkeys(columns)]
        if told:
            yield f"{what}: {', '.join(told)}."


def legend(pen: Pen, chart: Chart, y: float) -> float:
    """Marks and names in centred rows, a family after the other; returns the y below them."""
    for family in chart.families:
        if len(chart.families) > 1:
            for line in wrap(plain(family), 10.5, WIDTH - 2 * MARGIN, bold=True):
                pen.text(WIDTH / 2, y, line, 10.5, bold=True, side="center")
                y += 0.2
            y += 0.06
        models = chart.grid.of(family)
        y = _entries(pen, [(plain(model.backbone), chart.mark(pen.ink, model)) for model in models], y)
    return y


def foot(pen: Pen, notes: Iterable[str], y: float) -> float:
    """What the picture cannot show as it is; returns the height of the sheet."""
    for note in notes:
        for line in wrap(note, 9, WIDTH - 2 * MARGIN):
            pen.text(MARGIN, y + 0.1, line, 9, pen.ink.muted)
            y += 0.18
    return y + MARGIN - 0.1


def _entries(pen: Pen, entries: Sequence[tuple[str, Mark]], y: float) -> float:
    lines = [wrap(name, 10.5, WIDTH - 2 * MARGIN - 0.6) for name, _ in entries]
    widths = [0.42 + max(measure(line, 10.5) for line in entry) for entry in lines]
    rows: list[list[int]] = [[]]
    for place, width in enumerate(widths):
        if rows[-1] and sum(widths[p] + 0.35 for p in rows[-1]) + width > WIDTH - 2 * MARGIN:
            rows.append([])
        rows[-1].append(place)
    for row in rows:
        x = (WIDTH - sum(widths[place] for place in row) - 0.35 * (len(row) - 1)) / 2
        for place in row:
            mark = entries[place][1]
            pen.line([(x, y), (x + 0.32, y)], mark.colour, 1.6, style=mark.style)
            pen.dot(x + 0.16, y, mark)
            for depth, line in enumerate(lines[place]):
                pen.text(x + 0.42, y + depth * 0.2, line, 10.5)
            x += widths[place] + 0.35
        y += 0.08 + 0.2 * max(len(lines[place]) for place in row)
    return y + 0.1
