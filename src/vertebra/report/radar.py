"""One picture per family: all its backbones on all benchmarks, chance at the centre and the ceiling at the rim.

Every spoke is a benchmark with ends of its own, printed at its label ("POPE, F1 · 50–100"); whiskers are the intervals
of the grid. With fewer than three benchmarks a radar has no area, and a dot plot is drawn instead:

    POPE   F1
    tiny-vicuna-s   50 ──────────├─●─┤──────────── 100   83.2
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, nan, pi, sin
from typing import NamedTuple

from vertebra.report.grid import Column, Grid, Model, plain
from vertebra.report.sheet import DARK, LIGHT, MARGIN, WIDTH, Ink, Mark, Pen, Side, mark_of, measure, render, wrap

Axis = tuple[float, float]
"""Chance and ceiling of a metric."""

RADIUS = 2.45
GAP = 0.16
"""From the rim to a label."""
ROOM = 1.7
"""Width of a label."""
LINE = 0.18
"""Height of a line of a label."""
ROW = 0.34
"""Height of a model's line in a dot plot."""


class Picture(NamedTuple):
    """A family's picture on white and on dark paper, and what to tell someone who cannot see it."""

    svg: bytes
    dark_svg: bytes
    png: bytes
    alt: str


def draw(grid: Grid, family: str, axes: Mapping[str, Axis]) -> Picture:
    """The family's radar, or its dot plot where fewer than three columns have an entry in `axes` (by benchmark).

    The same input gives the same bytes under one version of matplotlib.
    """
    assert all(chance < ceiling for chance, ceiling in axes.values()), "a ceiling lies above chance"
    chart = _Chart(grid, family, tuple(column for column in grid.columns if column.benchmark in axes), axes)

    def paint(ink: Ink) -> Pen:
        return _paint(chart, ink)

    svg, png = render(paint, LIGHT, ("svg", "png"))
    (dark_svg,) = render(paint, DARK, ("svg",))
    return Picture(svg, dark_svg, png, chart.alt())


@dataclass(frozen=True, slots=True)
class _Chart:
    """What is drawn: one family's part of the grid, on the columns that have an axis."""

    grid: Grid
    family: str
    columns: tuple[Column, ...]
    axes: Mapping[str, Axis]

    @property
    def models(self) -> list[Model]:
        return self.grid.of(self.family)

    @property
    def is_radar(self) -> bool:
        return len(self.columns) >= 3

    def fraction(self, column: Column, value: float) -> float:
        """Where a value lies between chance (0) and ceiling (1), held within."""
        chance, ceiling = self.axes[column.benchmark]
        return min(max((value - chance) / (ceiling - chance), 0.0), 1.0)

    def ends(self, column: Column) -> tuple[str, str]:
        chance, ceiling = self.axes[column.benchmark]
        return f"{round(chance, 1):g}", f"{round(ceiling, 1):g}"

    def name(self, column: Column) -> str:
        """The benchmark, with its protocol where another column shows it under another one."""
        twins = sum(other.benchmark == column.benchmark for other in self.columns)
        return f"{column.title} ({plain(column.protocol)})" if twins > 1 else column.title

    def reading(self) -> str:
        spread = "95 % interval over questions" if self.grid.spread == "ci95" else "± one standard deviation over seeds"
        if self.is_radar:
            return f"Centre: chance. Rim: each axis's ceiling. Whiskers: {spread}."
        return f"From chance to the ceiling. Whiskers: {spread}."

    def notes(self) -> Iterator[str]:
        """What the picture cannot show as it is."""
        gaps, below, above = [], [], []
        for model in self.models:
            for column in self.columns:
                where = f"{plain(model.backbone)} on {self.name(column)}"
                score = self.grid.scores.get((model, column))
                chance, ceiling = self.axes[column.benchmark]
                if score is None:
                    gaps.append(where)
                elif score.value < chance:
                    below.append(f"{where} ({score.text})")
                elif score.value > ceiling:
                    above.append(f"{where} ({score.text})")
        without = [column.title for column in self.grid.columns if column.benchmark not in self.axes]
        drawn_at = ("the centre", "the rim") if self.is_radar else ("the left end", "the right end")
        for what, names in (
            ("No score, left as a gap", gaps),
            (f"Below chance, drawn at {drawn_at[0]}", below),
            (f"Above the ceiling, drawn at {drawn_at[1]}", above),
            ("Not drawn, because chance and ceiling are not known", without),
        ):
            if names:
                yield f"{what}: {', '.join(names)}."
        if not self.columns:
            yield "Nothing to draw yet."

    def alt(self) -> str:
        kind = "Radar chart" if self.is_radar else "Dot plot"
        backbones = ", ".join(plain(model.backbone) for model in self.models)
        benchmarks = ", ".join(self.name(column) for column in self.columns) or "no benchmark"
        return f"{kind} of {plain(self.family)}: {backbones} on {benchmarks}. All numbers are in the table of results."


class _Label(NamedTuple):
    """A spoke's label: its lines, and its place from the radar's centre (inches, y downwards)."""

    lines: tuple[str, ...]
    bold: int
    """How many of the lines are the name."""
    x: float
    y: float
    side: Side

    @property
    def top(self) -> float:
        return self.y - len(self.lines) * LINE / 2

    @property
    def bottom(self) -> float:
        return self.y + len(self.lines) * LINE / 2


def _paint(chart: _Chart, ink: Ink) -> Pen:
    """The sheet from top to bottom: title, reading, plot, legend, notes."""
    pen = Pen(ink)
    y = MARGIN
    for line in wrap(plain(chart.family), 17, WIDTH - 2 * MARGIN, bold=True):
        pen.text(MARGIN, y, line, 17, bold=True)
        y += 0.3
    for text in (chart.grid.title, chart.reading()):
        for line in wrap(text, 10.5, WIDTH - 2 * MARGIN):
            pen.text(MARGIN, y, line, 10.5, ink.muted)
            y += 0.21
    y = _radar(pen, chart, y + 0.2) if chart.is_radar else _dots(pen, chart, y + 0.2)
    if chart.is_radar:
        y = _legend(pen, [plain(model.backbone) for model in chart.models], y + 0.35)
    for note in chart.notes():
        for line in wrap(note, 9, WIDTH - 2 * MARGIN):
            pen.text(MARGIN, y + 0.1, line, 9, ink.muted)
            y += 0.18
    pen.height = y + MARGIN - 0.1
    return pen


def _angles(count: int) -> list[float]:
    """Clockwise from twelve o'clock, in radians."""
    return [2 * pi * place / count for place in range(count)]


def _radar(pen: Pen, chart: _Chart, top: float) -> float:
    """Draws rings, spokes, labels and one outline per model; returns the y below it."""
    angles = _angles(len(chart.columns))
    labels = [_label(chart, column, angle) for column, angle in zip(chart.columns, angles, strict=True)]
    cx, cy = WIDTH / 2, top - min(-RADIUS, *(label.top for label in labels))
    for ring in (0.25, 0.5, 0.75, 1.0):
        pen.circle(cx, cy, ring * RADIUS, pen.ink.line, 1.4 if ring == 1 else 0.8)
    for angle in angles:
        pen.line([(cx, cy), (cx + RADIUS * sin(angle), cy - RADIUS * cos(angle))], pen.ink.line, 0.8)
    for label in labels:
        for place, line in enumerate(label.lines):
            y = cy + label.top + (place + 0.5) * LINE
            is_name = place < label.bold
            colour = pen.ink.text if is_name else pen.ink.muted
            pen.text(cx + label.x, y, line, 10.5 if is_name else 9.5, colour, bold=is_name, side=label.side)
    step = min(0.05, 0.6 * 2 * pi / len(angles) / len(chart.models))
    for place, model in enumerate(chart.models):
        turn = step * (place - (len(chart.models) - 1) / 2)
        _outline(pen, chart, model, mark_of(pen.ink, place), [(cx, cy, angle + turn) for angle in angles])
    return cy + max(RADIUS, *(label.bottom for label in labels))


def _outline(pen: Pen, chart: _Chart, model: Model, mark: Mark, spokes: Sequence[tuple[float, float, float]]) -> None:
    """One model's polygon, broken where a score is missing, with a whisker at every corner."""
    points = []
    for column, (cx, cy, angle) in zip(chart.columns, spokes, strict=True):
        score = chart.grid.scores.get((model, column))
        if score is None:
            points.append((nan, nan))
            continue

        values = [value for value in (score.value, score.low, score.high) if value is not None]
        radii = [RADIUS * chart.fraction(column, value) for value in values]
        corner, *whisker = [(cx + radius * sin(angle), cy - radius * cos(angle)) for radius in radii]
        points.append(corner)
        pen.line(whisker, mark.colour, 3.5, opacity=0.35)
    pen.line([*points, points[0]], mark.colour, 1.6, dashed=mark.dashed)
    for x, y in points:
        pen.dot(x, y, mark)


def _label(chart: _Chart, column: Column, angle: float) -> _Label:
    """The label of a spoke, beside the rim and never over it."""
    x, y = (RADIUS + GAP) * sin(angle), -(RADIUS + GAP) * cos(angle)
    side: Side = "center" if abs(sin(angle)) < 0.1 else "left" if sin(angle) > 0 else "right"
    name = wrap(chart.name(column), 10.5, ROOM, bold=True, most=2)
    metric, ends = column.metric_title, "–".join(chart.ends(column))
    fits = measure(f"{metric} · {ends}", 9.5) <= ROOM
    below = [f"{metric} · {ends}"] if fits else [*wrap(metric, 9.5, ROOM, most=1), ends]
    height = (len(name) + len(below)) * LINE
    return _Label((*name, *below), len(name), x, y - cos(angle) * height / 2, side)


def _legend(pen: Pen, names: Sequence[str], y: float) -> float:
    """Markers and names in centred rows below the plot; returns the y below them."""
    lines = [wrap(name, 10.5, WIDTH - 2 * MARGIN - 0.6) for name in names]
    widths = [0.42 + max(measure(line, 10.5) for line in entry) for entry in lines]
    rows: list[list[int]] = [[]]
    for place, width in enumerate(widths):
        if rows[-1] and sum(widths[p] + 0.35 for p in rows[-1]) + width > WIDTH - 2 * MARGIN:
            rows.append([])
        rows[-1].append(place)
    for row in rows:
        x = (WIDTH - sum(widths[place] for place in row) - 0.35 * (len(row) - 1)) / 2
        for place in row:
            mark = mark_of(pen.ink, place)
            pen.line([(x, y), (x + 0.32, y)], mark.colour, 1.6, dashed=mark.dashed)
            pen.dot(x + 0.16, y, mark)
            for depth, line in enumerate(lines[place]):
                pen.text(x + 0.42, y + depth * 0.2, line, 10.5)
            x += widths[place] + 0.35
        y += 0.08 + 0.2 * max(len(lines[place]) for place in row)
    return y + 0.1


def _dots(pen: Pen, chart: _Chart, y: float) -> float:
    """A line per model and benchmark, from chance to the ceiling; returns the y below."""
    names = {model: wrap(plain(model.backbone), 10.5, 3.0) for model in chart.models}
    left = MARGIN + 0.25 + max((measure(line, 10.5) for lines in names.values() for line in lines), default=0)
    right = WIDTH - MARGIN - 0.8
    for column in chart.columns:
        for line in wrap(f"{chart.name(column)} · {column.metric_title}", 11.5, WIDTH - 2 * MARGIN, bold=True):
            pen.text(MARGIN, y, line, 11.5, bold=True)
            y += 0.24
        y += 0.1
        bottom = y + sum(ROW + 0.2 * (len(lines) - 1) for lines in names.values())
        for quarter in (0, 0.25, 0.5, 0.75, 1):
            x = left + quarter * (right - left)
            pen.line([(x, y - 0.05), (x, bottom)], pen.ink.line, 0.8)
        for x, end in zip((left, right), chart.ends(column), strict=True):
            pen.text(x, bottom + 0.14, end, 9.5, pen.ink.muted, side="center")
        for place, (model, lines) in enumerate(names.items()):
            _dot_line(pen, chart, model, column, mark_of(pen.ink, place), (left, right, y + ROW / 2))
            for depth, line in enumerate(lines):
                pen.text(MARGIN, y + ROW / 2 + 0.2 * depth, line, 10.5)
            y += ROW + 0.2 * (len(lines) - 1)
        y += 0.5
    return y


def _dot_line(
    pen: Pen, chart: _Chart, model: Model, column: Column, mark: Mark, span: tuple[float, float, float]
) -> None:
    left, right, y = span
    score = chart.grid.scores.get((model, column))
    pen.text(WIDTH - MARGIN, y, score.text if score else "–", 10.5, side="right")
    if score is None:
        return
    at = [
        left + (right - left) * chart.fraction(column, value)
        for value in (score.value, score.low, score.high)
        if value is not None
    ]
    pen.line([(x, y) for x in at[1:]], mark.colour, 4, opacity=0.35)
    pen.dot(at[0], y, mark)
