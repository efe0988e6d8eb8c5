"""Every model on every benchmark as a dot with its interval: what a radar hides.

    POPE                       A panel is a benchmark. Its axis is the part of the scale from chance to ceiling that
    F1                         the models lie in, which the bar above it shows:
    50 ━━━━━━━━━━━━█▆━━ 100
    vicuna-7b  ┆   ──●──┆      filled: the family's best, or not told apart from it
    phi-3-mini ┆──○──   ┆      hollow: behind it, by a paired test
               84  86  88

Intervals that overlap say little of a pair, whose answers are to the same questions; so the dots show the test.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from vertebra.report.chart import Axis, Chart, foot
from vertebra.report.grid import Column, Grid, Model, Score, plain
from vertebra.report.scale import scale
from vertebra.report.sheet import MARGIN, WIDTH, Ink, Pen, Picture, measure, wrap

ROW = 0.185
"""Height of a line of a model's name."""
GUTTER = 1.6
"""Most that the names on the left may take."""
SPACE = 0.28
"""Between two panels."""
LEAST = 0.04
"""Of the scale from chance to ceiling that an axis shows, however close the models lie."""


def draw(grid: Grid, axes: Mapping[str, Axis], family: str | None = None) -> Picture:
    """All models of the grid, or of a family, on the columns that have an entry in `axes` (by benchmark).

    The same input gives the same bytes under one version of matplotlib.
    """
    chart = Chart.of(grid, axes, family)
    return Picture(lambda ink: paint(chart, ink), chart.alt("Dot plot"))


def _chance(chart: Chart) -> Iterator[str]:
    if any(low < chart.axes[c.benchmark][0] < high for c in chart.columns for low, *_, high in [_ticks(chart, c)]):
        yield "Dashed line: chance."


def _ticks(chart: Chart, column: Column) -> list[float]:
    shown = [score for model in chart.models if (score := chart.grid.scores.get((model, column)))]
    chance, ceiling = chart.axes[column.benchmark]
    values = [value for score in shown for value in (score.value, *_ends(score))]
    return scale(values or [chance, ceiling], least=LEAST * (ceiling - chance))


class _Line(NamedTuple):
    """A family's name or a model's, left of the panels."""

    text: tuple[str, ...]
    model: Model | None
    y: float
    """From the top of the panels' rows to the middle of its first line."""


class _Layout(NamedTuple):
    """Where things stand on the sheet."""

    lines: tuple[_Line, ...]
    left: float
    width: float
    """Of a panel."""
    across: int
    """Panels side by side."""
    height: float
    """Of a panel's rows."""


def paint(chart: Chart, ink: Ink) -> Pen:
    """The sheet from top to bottom: title, reading, panels, notes."""
    pen = Pen(ink)
    y = chart.head(pen, *_reading(chart)) + 0.25
    layout = _layout(chart)
    for start in range(0, len(chart.columns), layout.across):
        y = _band(pen, chart, layout, chart.columns[start : start + layout.across], y)
    pen.height = foot(pen, [*_chance(chart), *chart.gaps("drawn as –"), *chart.unknown()], y - 0.15)
    return pen


def _reading(chart: Chart) -> Iterator[str]:
    yield f"Lines: {chart.spread}. Axes: the dark part of the bar above, which runs from chance to ceiling."
    standings = {chart.grid.standing(model, column) for model in chart.models for column in chart.columns}
    if standings & {"behind", "tied"}:
        yield (
            "Filled: best of its family (dotted line) or not told apart from it. Hollow: behind it, by a paired test "
            "on the same questions (5 %, Holm over the study)."
        )
    elif "best" in standings:
        yield "Dotted: best of its family."


def _layout(chart: Chart) -> _Layout:
    lines, y = [], 0.0
    for family in chart.families:
        if len(chart.families) > 1:
            name = tuple(wrap(plain(family), 8.5, GUTTER, bold=True, most=3))
            lines.append(_Line(name, None, y + 0.13))
            y += 0.05 + ROW * len(name)
        for model in chart.grid.of(family):
            name = tuple(wrap(plain(model.backbone), 9, GUTTER, most=3))
            lines.append(_Line(name, model, y + 0.11))
            y += ROW * len(name)
        y += 0.06
    gutter = max((measure(text, 9, bold=True) for line in lines for text in line.text), default=0.0)
    count = len(chart.columns)
    across = max(1, count if count < 4 else 3 if count < 10 else 4)
    left = MARGIN + gutter + 0.15
    return _Layout(tuple(lines), left, (WIDTH - MARGIN - left + SPACE) / across - SPACE, across, y)


def _band(pen: Pen, chart: Chart, layout: _Layout, columns: Sequence[Column], y: float) -> float:
    """Panels side by side, and the models' names left of them; returns the y below."""
    names = [wrap(chart.name(column), 9.5, layout.width, bold=True, most=3) for column in columns]
    top = y + 0.17 * max(map(len, names))
    rows = top + 0.42
    for place, (column, name) in enumerate(zip(columns, names, strict=True)):
        x = layout.left + place * (layout.width + SPACE)
        for depth, text in enumerate(name):
            pen.text(x, top + 0.17 * (depth - len(name)), text, 9.5, bold=True)
        for text in wrap(column.metric_title, 8.5, layout.width, most=1):
            pen.text(x, top, text, 8.5, pen.ink.muted)
        _panel(pen, chart, layout, column, (x, rows))
    for line in layout.lines:
        for depth, text in enumerate(line.text):
            is_family = line.model is None
            colour, size = (pen.ink.muted, 8.5) if is_family else (pen.ink.text, 9.0)
            pen.text(MARGIN, rows + line.y + depth * ROW, text, size, colour, bold=is_family)
    return rows + layout.height + 0.52


def _panel(pen: Pen, chart: Chart, layout: _Layout, column: Column, at: tuple[float, float]) -> None:
    """A benchmark's axis and the dots of all models on it; `at` is the left upper corner of its rows."""
    left, top = at
    bottom = top + layout.height
    ticks, (chance, _) = _ticks(chart, column), chart.axes[column.benchmark]
    low, high = ticks[0], ticks[-1]

    def x_of(value: float) -> float:
        return left + layout.width * (value - low) / (high - low)

    _bar(pen, chart, column, (left, top - 0.2, layout.width), (low, high))
    for tick in ticks:
        pen.line([(x_of(tick), top), (x_of(tick), bottom)], pen.ink.line, 0.8)
        pen.text(x_of(tick), bottom + 0.11, f"{tick:g}", 8, pen.ink.muted, side="center")
    if low < chance < high:
        pen.line([(x_of(chance), top), (x_of(chance), bottom)], pen.ink.muted, 0.9, style="--")
    for family in chart.families:
        own = [line for line in layout.lines if line.model and line.model.family == family]
        best = chart.grid.best(family, column)
        if best:
            x = x_of(chart.grid.scores[best[0], column].value)
            pen.line([(x, top + own[0].y - 0.09), (x, top + own[-1].y + 0.09)], pen.ink.text, 0.9, style=":")
    for line in layout.lines:
        score = chart.grid.scores.get((line.model, column)) if line.model else None
        if line.model and score is None:
            pen.text(left + 0.06, top + line.y, "–", 9, pen.ink.muted)
        if line.model and score:
            behind = chart.grid.standing(line.model, column) == "behind"
            mark = chart.mark(pen.ink, line.model)._replace(hollow=behind)
            pen.line([(x_of(end), top + line.y) for end in _ends(score)], mark.colour, 1.6)
            pen.dot(x_of(score.value), top + line.y, mark, 5.5)


def _ends(score: Score) -> list[float]:
    return [value for value in (score.low, score.high) if value is not None]


def _bar(pen: Pen, chart: Chart, column: Column, at: tuple[float, float, float], window: tuple[float, float]) -> None:
    """The scale from chance to the ceiling, and which part of it the axis below shows."""
    left, y, width = at
    names = chart.ends(column)
    start, end = left + measure(names[0], 7.5) + 0.06, left + width - measure(names[1], 7.5) - 0.06
    pen.text(left, y, names[0], 7.5, pen.ink.muted)
    pen.text(left + width, y, names[1], 7.5, pen.ink.muted, side="right")
    pen.line([(start, y), (end, y)], pen.ink.line, 3)
    part = [start + (end - start) * min(max(chart.fraction(column, value), 0.0), 1.0) for value in window]
    pen.line([(x, y) for x in part], pen.ink.muted, 3)
