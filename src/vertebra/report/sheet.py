"""The paper under the pictures: inches on a 9-inch wide sheet, y downwards, drawn by matplotlib.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which colour-blind readers can tell apart, and
every model has a marker of its own besides. The typeface is the one that matplotlib brings along, so that nothing
depends on the machine; a character it lacks is drawn as �.
"""

import io
from bisect import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

WIDTH = 9.0
MARGIN = 0.4
FACE = "DejaVu Sans"

Side = Literal["left", "center", "right"]
Style = Literal["-", "--", ":", "-."]
STYLES: tuple[Style, ...] = ("-", "--", ":", "-.")
Format = Literal["svg", "png", "pdf"]


class Ink(NamedTuple):
    """The colours of a picture; `models` are taken in turn."""

    paper: str
    text: str
    muted: str
    line: str
    models: tuple[str, ...]


LIGHT = Ink(
    "#ffffff",
    "#1b1f24",
    "#59636e",
    "#d5dae0",
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"),
)
DARK = Ink(
    "#161a1f",
    "#e8ebee",
    "#9aa5b1",
    "#3a424c",
    ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#ffffff"),
)
SHAPES = "osD^vPX"


class Mark(NamedTuple):
    """How one model is drawn."""

    colour: str
    shape: str
    style: Style = "-"
    hollow: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture in every form, each drawn when it is asked for, and what to tell someone who cannot see it.

    The same drawing gives the same bytes under one version of matplotlib.
    """

    paint: Callable[[Ink], "Pen"]
    alt: str

    @cached_property
    def svg(self) -> bytes:
        """On white paper."""
        return _save(self._sheet, "svg")

    @cached_property
    def dark_svg(self) -> bytes:
        """On dark paper, for the page."""
        return _save(_sheet(self.paint, DARK), "svg")

    @cached_property
    def png(self) -> bytes:
        """1800 pixels across."""
        return _save(self._sheet, "png")

    @cached_property
    def pdf(self) -> bytes:
        """With its typeface in it."""
        return _save(self._sheet, "pdf")

    @cached_property
    def _sheet(self) -> "Figure":
        return _sheet(self.paint, LIGHT)


@dataclass(slots=True)
class Pen:
    """Collects what is to be drawn, since the height of the sheet is known only at the end."""

    ink: Ink
    height: float = 0.0
    drawn: list["Artist"] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: str = "",
        *,
        bold: bool = False,
        side: Side = "left",
    ) -> None:
        """One line of text, vertically centred on y; `side` is the part of it that lies at x."""
        from matplotlib.text import Text

        weight = "bold" if bold else "normal"
        ink = colour or self.ink.text
        self.drawn.append(Text(x, y, text, color=ink, va="center_baseline", ha=side, size=size, weight=weight))

    def line(
        self,
        points: Sequence[tuple[float, float]],
        colour: str,
        width: float,
        *,
        style: Style = "-",
        opacity: float = 1.0,
    ) -> None:
        """A line through the points, broken at NaN; it ends where its last point is."""
        from matplotlib.lines import Line2D

        xs, ys = [x for x, _ in points], [y for _, y in points]
        self.drawn.append(
            Line2D(
                xs, ys, color=colour, lw=width, ls=style, alpha=opacity, solid_capstyle="butt", solid_joinstyle="round"
            )
        )

    def circle(self, x: float, y: float, radius: float, colour: str, width: float) -> None:
        """A ring around (x, y)."""
        from matplotlib.patches import Circle

        self.drawn.append(Circle((x, y), radius, fill=False, edgecolor=colour, linewidth=width))

    def dot(self, x: float, y: float, mark: Mark, size: float = 7) -> None:
        """A model's marker; none at NaN."""
        from matplotlib.lines import Line2D

        paper = self.ink.paper
        face, edge, width = (paper, mark.colour, 1.4) if mark.hollow else (mark.colour, paper, 0.8)
        self.drawn.append(Line2D([x], [y], marker=mark.shape, ms=size, ls="", mfc=face, mec=edge, mew=width))


def mark_of(ink: Ink, place: int, family: int | None = None) -> Mark:
    """The mark of the backbone at this place; after all colours are used up, they come again with other shapes.

    Where families stand side by side, each has a style of line, and every second one hollow marks.
    """
    lap = place // len(ink.models)
    colour, shape = ink.models[place % len(ink.models)], SHAPES[(place + lap) % len(SHAPES)]
    if family is None:
        return Mark(colour, shape, STYLES[lap % 2])
    return Mark(colour, shape, STYLES[family % len(STYLES)], hollow=(family + family // len(STYLES)) % 2 == 1)


def shown(text: str) -> str:
    """The text in the characters that the typeface has."""
    charmap = _charmap()
    return "".join(char if ord(char) in charmap else "�" for char in text)


@lru_cache(maxsize=4096)  # the same names stand in every picture, and each is drawn twice
def measure(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a line of text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties(family=FACE, weight="bold" if bold else "normal", size=size)
    width, _, _ = TextToPath().get_text_width_height_descent(shown(text), font, ismath=False)
    return float(width) / 72


def wrap(text: str, size: float, width: float, *, bold: bool = False, most: int = 0) -> list[str]:
    """The text in lines of at most `width` inches, long words cut.

    What is longer than `most` lines (0: no limit) is shortened: the last line is … and the end of the text.
    """

    def wide(line: str) -> float:
        return measure(line, size, bold=bold)

    lines = [""]
    for word in shown(text).split():
        while len(word) > 1 and wide(word) > width:
            heads = [word[:length] for length in range(len(word))]
            cut = max(bisect(heads, width, key=wide) - 1, 1)
            lines.append(word[:cut])
            word = word[cut:]
        longer = f"{lines[-1]} {word}".strip()
        if wide(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    lines = [line for line in lines if line]
    if most and len(lines) > most:
        tail = " ".join(shown(text).split())
        for line in lines[: most - 1]:
            tail = tail.removeprefix(line).lstrip()
        tails = [f"…{tail[start:]}" for start in range(len(tail) - 1, -1, -1)]
        lines = [*lines[: most - 1], tails[max(bisect(tails, width, key=wide) - 1, 0)]]
    return lines


def _sheet(paint: Callable[[Ink], Pen], ink: Ink) -> "Figure":
    """What is painted in this ink, laid out."""
    from matplotlib.figure import Figure

    with _plain_matplotlib():
        pen = paint(ink)
        figure = Figure(figsize=(WIDTH, pen.height), facecolor=ink.paper)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(pen.height, 0))
        axes.set_axis_off()
        for artist in pen.drawn:
            axes.add_artist(artist)
        return figure


@contextmanager
def _plain_matplotlib() -> Iterator[None]:
    """matplotlib as it comes, whatever a person's matplotlibrc says, with names never read as formulas."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.hashsalt": "vertebra",
                "pdf.fonttype": 42,  # TrueType, as printers and publishers ask for; its text can be searched
                "text.parse_math": False,
                "font.family": FACE,
            }
        )
        yield


_SILENT: Mapping[Format, Mapping[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Without date and version, so that the same picture is the same file."""


def _save(figure: "Figure", kind: Format) -> bytes:
    out = io.BytesIO()
    with _plain_matplotlib():
        figure.savefig(out, format=kind, dpi=200, facecolor=figure.get_facecolor(), metadata=dict(_SILENT[kind]))
    return out.getvalue()


@cache
def _charmap() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(FACE)).get_charmap())
