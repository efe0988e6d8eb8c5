"""Score against cost: a panel for parameters, tokens and seconds each, as far as they are known.

    70 ┤             ┌──■
       │   ┌●────────┘        the line is the front: no model is both cheaper and better than those on it
    60 ┤ ▲─┘    ◆
       └────┴──────┴─────
        100    200    400     every cost has an axis on which doubling is one length everywhere

Where the lines of two models overlap, which one lies higher may be chance.
"""

from collections.abc import Iterator, Sequence
from math import log
from typing import NamedTuple

from vertebra.report.chart import Chart, foot, legend
from vertebra.report.costs import Cost, Costs, Kind
from vertebra.report.grid import Grid
from vertebra.report.scale import scale, scale_log
from vertebra.report.sheet import MARGIN, WIDTH, Ink, Pen, Picture

HEIGHT = 3.1
"""Of a panel."""
WIDEST = 5.2
SPACE = 0.35
ASIDE = 0.08
EDGE = 1.02
"""By how much an axis reaches beyond what is on it."""
LEFT = MARGIN + 0.4
"""Where the first panel begins, right of the scores."""

_TITLES: dict[Kind, str] = {"parameters": "parameters", "tokens": "Tokens per question", "seconds": "per question"}
_UNITS: dict[Kind, tuple[tuple[float, str], ...]] = {
    "parameters": ((1e9, "Billion "), (1e6, "Million "), (1e3, "Thousand "), (1, "")),
    "tokens": ((1, ""),),
    "seconds": ((1, "Seconds "), (1e-3, "Milliseconds ")),
}
"""Largest first; the first that all values reach is taken."""
_NAMES: dict[Kind, str] = {"parameters": "parameters", "tokens": "tokens per question", "seconds": "seconds"}


def draw(grid: Grid, costs: Costs) -> Picture:
    """The picture of at least one cost that is known. The same input gives the same bytes."""
    assert costs.kinds
    chart = Chart(grid, None, costs.columns, {})
    models = ", ".join(chart.named(line.model) for line in costs.lines)
    axes = ", ".join(_NAMES[kind] for kind in costs.kinds)
    alt = f"Score against {axes}: {models}. All numbers are in results.json."
    return Picture(lambda ink: paint(chart, costs, ink), alt)


class _Place(NamedTuple):
    """A panel on the sheet, in inches."""

    left: float
    top: float
    width: float


def paint(chart: Chart, costs: Costs, ink: Ink) -> Pen:
    """The sheet from top to bottom: title, reading, panels, legend, notes."""
    pen = Pen(ink)
    y = chart.head(pen, *_reading(chart, costs)) + 0.3
    pen.text(MARGIN, y, "Mean score: 0 is chance, 100 the ceiling", 9.5, bold=True)
    kinds = costs.kinds
    width = min(WIDEST, (WIDTH - MARGIN - LEFT + SPACE) / len(kinds) - SPACE)
    ends = [end for line in costs.lines for end in (line.score, line.low, line.high) if end is not None]
    scores = scale(ends, most=7, least=10)
    for place, kind in enumerate(kinds):
        _panel(pen, chart, costs, kind, _Place(LEFT + place * (width + SPACE), y + 0.25, width), scores)
    y = legend(pen, chart, y + 0.25 + HEIGHT + 0.85)
    pen.height = foot(pen, _notes(chart, costs), y)
    return pen


def _reading(chart: Chart, costs: Costs) -> Iterator[str]:
    count = len(costs.columns)
    of = f"of the {count} benchmarks" if count > 1 else "of the one benchmark"
    yield f"The score is the mean {of} that all models have. Costs are on logarithmic axes. Lines: {chart.spread}."
    yield "Stairs: the front; no model that costs less or as much is better than those on it."


def _notes(chart: Chart, costs: Costs) -> Iterator[str]:
    left_out = [column.title for column in chart.grid.columns if column not in costs.columns]
    if left_out:
        yield f"Not in the mean, because a model has no score there: {', '.join(left_out)}."
    for kind in ("parameters", "tokens", "seconds"):
        unknown = [chart.named(line.model) for line in costs.lines if line.of(kind) is None]
        if unknown:
            names = ", ".join(unknown) if len(unknown) < len(costs.lines) else "any model"
            yield f"{_NAMES[kind].capitalize()} are not known of {names}."
    unscored = [chart.named(m) for m in chart.grid.models if m not in {line.model for line in costs.lines}]
    if unscored:
        yield f"No score yet: {', '.join(unscored)}."
    if any(any(_asides(_known(costs, kind))) for kind in costs.kinds):
        yield "Models of the same cost stand side by side."
    if "seconds" in costs.kinds:
        yield "Seconds are of this run on its machine, and no result: another run has other ones."


def _panel(pen: Pen, chart: Chart, costs: Costs, kind: Kind, at: _Place, scores: Sequence[float]) -> None:
    known = _known(costs, kind)
    unit, name = next((u for u in _UNITS[kind] if min(c for c, _ in known) >= u[0]), _UNITS[kind][-1])
    ticks = scale_log([cost / unit * edge for cost, _ in known for edge in (1 / EDGE, EDGE)])
    bottom = at.top + HEIGHT

    def x_of(cost: float) -> float:
        return at.left + at.width * log(cost / unit / ticks[0]) / log(ticks[-1] / ticks[0])

    def y_of(score: float) -> float:
        return bottom - HEIGHT * (score - scores[0]) / (scores[-1] - scores[0])

    for tick in scores:
        pen.line([(at.left, y_of(tick)), (at.left + at.width, y_of(tick))], pen.ink.line, 0.8)
        if at.left == LEFT:
            pen.text(at.left - 0.1, y_of(tick), f"{tick:g}", 9, pen.ink.muted, side="right")
    for tick in ticks:
        pen.line([(x_of(tick * unit), at.top), (x_of(tick * unit), bottom)], pen.ink.line, 0.8)
        pen.text(x_of(tick * unit), bottom + 0.14, f"{tick:g}", 9, pen.ink.muted, side="center")
    title = f"{name}{_TITLES[kind]}"
    title = title[0].upper() + title[1:]
    pen.text(at.left + at.width / 2, bottom + 0.4, title, 9.5, bold=True, side="center")
    xs = {line.model: x_of(cost) + aside for (cost, line), aside in zip(known, _asides(known), strict=True)}
    front = [(xs[line.model], y_of(line.score)) for line in costs.front(kind)]
    pen.line(_stairs(front, at.left + at.width), pen.ink.muted, 1.2)
    for _, line in known:
        ys = [y_of(value) for value in (line.score, line.low, line.high) if value is not None]
        _model(pen, chart, line, xs[line.model], ys)


def _known(costs: Costs, kind: Kind) -> list[tuple[float, Cost]]:
    return [(cost, line) for line in costs.lines if (cost := line.of(kind)) is not None]


def _asides(known: Sequence[tuple[float, Cost]]) -> list[float]:
    """Inches by which models of the very same cost stand aside, where their lines would cover each other."""
    found = []
    for place, (cost, line) in enumerate(known):
        hiding = [at for at, (other, beside) in enumerate(known) if other == cost and _overlap(line, beside)]
        found.append(ASIDE * (hiding.index(place) - (len(hiding) - 1) / 2))
    return found


def _overlap(one: Cost, other: Cost) -> bool:
    ends, others = ([v for v in (each.low, each.score, each.high) if v is not None] for each in (one, other))
    return min(ends) <= max(others) and min(others) <= max(ends)


def _stairs(front: Sequence[tuple[float, float]], right: float) -> list[tuple[float, float]]:
    """From each model of the front on, its score is what can be had, until the next one's cost is reached."""
    corners = []
    for place, (x, y) in enumerate(front):
        end = front[place + 1][0] if place + 1 < len(front) else right
        corners += [(x, y), (end, y)]
    return corners


def _model(pen: Pen, chart: Chart, line: Cost, x: float, ys: Sequence[float]) -> None:
    mark = chart.mark(pen.ink, line.model)
    score, *ends = ys
    pen.line([(x, y) for y in ends], mark.colour, 1.6)
    pen.dot(x, score, mark, 6.5)
