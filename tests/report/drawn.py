"""Read back from what was drawn: texts, and where they lie."""

import io
from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from vertebra.report.sheet import WIDTH, Pen, Picture


def texts(pen: Pen) -> list[str]:
    return [artist.get_text() for artist in pen.drawn if isinstance(artist, Text)]


def text_at(pen: Pen, text: str) -> tuple[float, float]:
    """Where the first of this text stands, in inches."""
    return next(t.get_position() for t in pen.drawn if isinstance(t, Text) and t.get_text() == text)


def dots(pen: Pen) -> list[Line2D]:
    return [line for line in pen.drawn if isinstance(line, Line2D) and line.get_linestyle() == "None"]


def lines(pen: Pen, width: float) -> list[Line2D]:
    """Those of this width."""
    return [
        a for a in pen.drawn if isinstance(a, Line2D) and a.get_linestyle() != "None" and a.get_linewidth() == width
    ]


def is_hollow(pen: Pen, dot: Line2D) -> bool:
    return dot.get_markerfacecolor() == pen.ink.paper


def boxes(pen: Pen) -> dict[str, Bbox]:
    """Where every text lies, in inches from the lower left corner."""
    figure = Figure(figsize=(WIDTH, pen.height), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(pen.height, 0))
    for artist in pen.drawn:
        axes.add_artist(artist)
    figure.savefig(io.BytesIO(), format="png", dpi=100)
    found = [artist for artist in pen.drawn if isinstance(artist, Text)]
    extents = [artist.get_window_extent() for artist in found]
    return {
        f"{place} {artist.get_text()}": Bbox(extent.get_points() / 100)
        for place, (artist, extent) in enumerate(zip(found, extents, strict=True))
    }


def demand_order(pen: Pen) -> None:
    """No text leaves the sheet, and no two overlap."""
    found = boxes(pen)
    for name, box in found.items():
        assert box.x0 >= 0 and box.x1 <= WIDTH and box.y0 >= 0 and box.y1 <= pen.height, name
    for (name, box), (other, another) in combinations(found.items(), 2):
        overlap = Bbox.intersection(box, another)
        assert overlap is None or overlap.height < 0.04 or overlap.width <= 0, (name, other)


def every_form(picture: Picture) -> list[object]:
    """All that a picture is written as."""
    return [picture.svg, picture.dark_svg, picture.png, picture.pdf, picture.alt]
