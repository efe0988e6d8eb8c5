"""Backbones on all benchmarks, chance at the centre and the ceiling at the rim: a picture per family, and one of all.

Every spoke is a benchmark with ends of its own, printed at its label ("POPE, F1 · 50–100"). Whiskers are the intervals
of the grid; where families stand side by side they would hide each other and are left to the dot plot. With fewer than
three benchmarks a radar has no area, and a dot plot is drawn instead.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import cos, nan, pi, sin
from typing import NamedTuple

from vertebra.report import dots
from vertebra.report.chart import Axis, Chart, foot, legend
from vertebra.report.grid import Column, Grid, Model
from vertebra.report.sheet import WIDTH, Ink, Pen, Picture, Side, measure, wrap

RADIUS = 2.45
GAP = 0.16
"""From the rim to a label."""
ROOM = 1.7
"""Width of a label."""
LINE = 0.18
"""Height of a line of a label."""


def draw(grid: Grid, axes: Mapping[str, Axis], family: str | None = None) -> Picture:
    """The family's radar, or without a name that of all; a dot plot where fewer than three columns have an axis.

    `axes` are by benchmark. The same input gives the same bytes under one version of matplotlib.
    """
    chart = Chart.of(grid, axes, family)
    if len(chart.columns) < 3:
        return dots.draw(grid, axes, family)
    return Picture(lambda ink: paint(chart, ink), chart.alt("Radar chart"))


def paint(chart: Chart, ink: Ink) -> Pen:
    """The sheet from top to bottom: title, reading, plot, legend, notes."""
    pen = Pen(ink)
    whiskers = len(chart.families) == 1
    shown = f"Whiskers: {chart.spread}." if whiskers else "Intervals are in the dot plot."
    y = chart.head(pen, f"Centre: chance. Rim: each axis's ceiling. {shown}")
    y = _plot(pen, chart, y + 0.2, whiskers)
    y = legend(pen, chart, y + 0.35)
    pen.height = foot(pen, _notes(chart), y)
    return pen


def _notes(chart: Chart) -> Iterator[str]:
    yield from chart.gaps("left as a gap")
    yield from chart.beyond("the centre", "the rim")
    yield from chart.unknown()


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


def _angles(count: int) -> list[float]:
    """Clockwise from twelve o'clock, in radians."""
    return [2 * pi * place / count for place in range(count)]


def _plot(pen: Pen, chart: Chart, top: float, whiskers: bool) -> float:
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
    # Side by side, so that none hides another, yet never far from the spoke.
    step = min(0.05, min(0.25, 0.6 * 2 * pi / len(angles)) / len(chart.models))
    for place, model in enumerate(chart.models):
        turn = step * (place - (len(chart.models) - 1) / 2)
        _outline(pen, chart, model, [(cx, cy, angle + turn) for angle in angles], whiskers)
    return cy + max(RADIUS, *(label.bottom for label in labels))


def _outline(
    pen: Pen, chart: Chart, model: Model, spokes: Sequence[tuple[float, float, float]], whiskers: bool
) -> None:
    """One model's polygon, broken where a score is missing, and a whisker at every corner."""
    mark = chart.mark(pen.ink, model)
    points = []
    for column, (cx, cy, angle) in zip(chart.columns, spokes, strict=True):
        score = chart.grid.scores.get((model, column))
        if score is None:
            points.append((nan, nan))
            continue

        values = [value for value in (score.value, score.low, score.high) if value is not None]
        radii = [RADIUS * min(max(chart.fraction(column, value), 0.0), 1.0) for value in values]
        corner, *whisker = [(cx + radius * sin(angle), cy - radius * cos(angle)) for radius in radii]
        points.append(corner)
        if whiskers:
            pen.line(whisker, mark.colour, 3.5, opacity=0.35)
    pen.line([*points, points[0]], mark.colour, 1.6 if whiskers else 1.3, style=mark.style)
    for x, y in points:
        pen.dot(x, y, mark, 7 if whiskers else 5.5)


def _label(chart: Chart, column: Column, angle: float) -> _Label:
    """The label of a spoke, beside the rim and never over it."""
    x, y = (RADIUS + GAP) * sin(angle), -(RADIUS + GAP) * cos(angle)
    side: Side = "center" if abs(sin(angle)) < 0.1 else "left" if sin(angle) > 0 else "right"
    name = wrap(chart.name(column), 10.5, ROOM, bold=True, most=2)
    metric, ends = column.metric_title, "–".join(chart.ends(column))
    fits = measure(f"{metric} · {ends}", 9.5) <= ROOM
    below = [f"{metric} · {ends}"] if fits else [*wrap(metric, 9.5, ROOM, most=1), ends]
    height = (len(name) + len(below)) * LINE
    return _Label((*name, *below), len(name), x, y - cos(angle) * height / 2, side)
