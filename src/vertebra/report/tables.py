r"""The grid as text: Markdown, LaTeX (booktabs), CSV and the terminal.

    | Family         | Backbone      |  POPE<br>F1<br>llava |
    | tiny-llava-1.5 | tiny-vicuna-s |       **83.2** ± 2.1 |
    | tiny-llava-1.5 | tiny-phi-3    |         82.0 ± 2.3 ≈ |

Bold is the best of a family, ≈ what is not told apart from it. Names come from people's YAML files and are escaped for
each of the four. CSV keeps every digit; the others show one decimal.
"""

import csv
import io
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from vertebra.report.grid import Column, Grid, Model, benchmark_title, plain
from vertebra.report.markdown import escaped
from vertebra.report.published import Published

if TYPE_CHECKING:
    from rich.table import Table

DASH = "–"


def markdown(grid: Grid) -> str:
    """A GitHub table, a model a row, followed by how to read it."""
    head = ["Family", "Backbone", *("<br>".join(map(escaped, _header(column))) for column in grid.columns)]
    lines = [f"# {escaped(grid.title)}", "", _md_row(head), _md_row(["---", "---", *("---:" for _ in grid.columns)])]
    for model in grid.models:
        cells = [_md_score(grid, model, column) for column in grid.columns]
        lines.append(_md_row([escaped(model.family), escaped(model.backbone), *cells]))
    return "\n".join([*lines, "", *(f"- {escaped(note)}" for note in [*grid.legend(), *grid.marks()]), ""])


def published_markdown(published: Sequence[Published]) -> str:
    """A GitHub table of our numbers beside published ones; empty where there are none."""
    if not published:
        return ""
    head = ["Family", "Backbone", "Benchmark", "Ours", "Published", "Difference", "Table", "Note"]
    lines = ["", "## Beside published numbers", "", _md_row(head), _md_row([*["---"] * 3, *["---:"] * 3, *["---"] * 2])]
    for each in published:
        names = (each.family, each.backbone, benchmark_title(each.benchmark))
        numbers = (f"{each.ours:.1f}", f"{each.theirs:.1f}", f"{each.difference:+z.1f}")
        lines.append(
            _md_row([*map(escaped, names), *numbers, f"[{escaped(each.table)}]({each.source})", escaped(each.note)])
        )
    return "\n".join([*lines, ""])


def latex(grid: Grid, published: Sequence[Published] = ()) -> str:
    """A `table` float for booktabs; wider than six benchmarks, it is scaled to the line by graphicx.

    Below it stands one for each published table that has numbers of the same models.
    """
    title = grid.title if grid.title.endswith(("?", "!", ".")) else f"{grid.title}."
    caption = " ".join([title, *grid.legend(), *grid.marks()])
    floats = [_tex_float(grid.models, grid.columns, lambda *place: _tex_score(grid, *place), caption)]
    for table in dict.fromkeys(each.table for each in published):
        floats += [_tex_published(grid, [each for each in published if each.table == table])]
    needs = "booktabs,graphicx" if any("resizebox" in each for each in floats) else "booktabs"
    return "\n".join([rf"% Needs \usepackage{{{needs}}}.", "\n".join(floats)])


def comma_separated(grid: Grid, published: Sequence[Published] = ()) -> str:
    """One line per model; a column's value, low and high end, every digit kept, empty where there is no score.

    Behind these stand, for each column, how a model stands to its family's best, and what was published.
    """
    low, high = ("low95", "high95") if grid.spread == "ci95" else ("mean-sd", "mean+sd")
    told = {(each.family, each.backbone, each.column, each.table): each for each in published}
    head = ["family", "backbone"]
    lines: list[list[str | float | None]] = [[_csv(plain(part)) for part in model] for model in grid.models]
    for column in grid.columns:
        name = _csv_name(column)
        head += [name, f"{name} {low}", f"{name} {high}"]
        for model, line in zip(grid.models, lines, strict=True):
            score = grid.scores.get((model, column))
            line += [score.value, score.low, score.high] if score else [None] * 3
    for column in grid.columns:
        head.append(f"{_csv_name(column)} standing")
        for model, line in zip(grid.models, lines, strict=True):
            line.append(grid.standing(model, column))
    for column in grid.columns:
        for table in dict.fromkeys(each.table for each in published if each.column == column.plain):
            head += [f"{_csv_name(column)} published: {table}", f"{_csv_name(column)} difference: {table}"]
            for model, line in zip(grid.models, lines, strict=True):
                found = told.get((plain(model.family), plain(model.backbone), column.plain, table))
                line += [found.theirs, found.difference] if found else [None] * 2
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([[_csv(name) for name in head], *lines])
    return out.getvalue()


def terminal(grid: Grid, width: int = 80) -> str:
    """Plain text of at most `width` columns: a model a row, or where that is too wide, a benchmark a row."""
    from rich.console import Console
    from rich.text import Text

    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, force_terminal=False, legacy_windows=False)

    def fits(table: "Table") -> bool:
        return console.measure(table, options=console.options.update(max_width=10_000)).maximum <= width

    upright = _upright(grid)
    console.print(Text(grid.title))
    for table in [upright] if fits(upright) else _split(grid, fits):
        console.print(table)
        console.print()
    for note in grid.legend(brackets=False):
        console.print(Text(note))
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


_LABEL = 20
"""Columns of the terminal that a benchmark's name may take; a longer one goes on below."""


def _header(column: Column) -> list[str]:
    """Benchmark, metric and, unless it only repeats the benchmark, protocol."""
    protocol = [] if column.protocol in ("", column.benchmark) else [plain(column.protocol)]
    return [column.title, column.metric_title, *protocol]


def _md_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _md_score(grid: Grid, model: Model, column: Column) -> str:
    score = grid.scores.get((model, column))
    if score is None:
        return DASH
    value = f"**{score.text}**" if grid.is_best(model, column) else score.text
    spread = score.spread.replace("[", r"\[").replace("]", r"\]")
    tied = "≈" if grid.is_tied(model, column) else ""
    return " ".join(filter(None, [value, spread, tied])) + _dagger(grid, model, column)


_TEX = {
    **{char: f"\\{char}" for char in "{}$&#%_"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",
    "]": "{]}",
    "±": r"\ensuremath{\pm}",
    "†": r"\ensuremath{\dagger}",
    "≈": r"\ensuremath{\approx}",
    "–": "--",
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(char, char) for char in text)


def _tex_float(
    models: Sequence[Model], columns: Sequence[Column], cell: Callable[[Model, Column], str], caption: str
) -> str:
    """A model a row, its family named once."""
    body = [rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}", r"\toprule", *_tex_head(columns)]
    family = None
    for model in models:
        body += [r"\midrule"] if model.family != family else []
        name = _tex(plain(model.family)) if model.family != family else ""
        body.append(" & ".join([name, _tex(plain(model.backbone)), *(cell(model, c) for c in columns)]) + r" \\")
        family = model.family
    body += [r"\bottomrule", r"\end{tabular}"]
    if len(columns) > 6:
        body = [r"\resizebox{\linewidth}{!}{%", *body[:-1], body[-1] + "}"]
    begin = [r"\begin{table}", r"\centering\small\setlength{\tabcolsep}{3pt}"]
    return "\n".join([*begin, *body, rf"\caption{{{_tex(caption)}}}", r"\end{table}", ""])


def _tex_published(grid: Grid, published: Sequence[Published]) -> str:
    """The numbers of one published table, and in parentheses how far ours are from them."""
    told = {(each.family, each.backbone, each.column): each for each in published}

    def cell(model: Model, column: Column) -> str:
        found = told.get((plain(model.family), plain(model.backbone), column.plain))
        return f"{found.theirs:.1f} (${found.difference:+z.1f}$)" if found else "--"

    models = [
        model for model in grid.models if any((*map(plain, model), column.plain) in told for column in grid.columns)
    ]
    columns = [column for column in grid.columns if any(each.column == column.plain for each in published)]
    notes = dict.fromkeys(f"{benchmark_title(each.benchmark)}: {each.note}." for each in published if each.note)
    source = f"Published in {published[0].table} ({published[0].source}), and ours less theirs in parentheses."
    return _tex_float(models, columns, cell, " ".join([source, *notes]))


def _tex_head(columns: Sequence[Column]) -> Iterator[str]:
    """Benchmark, metric and protocol on a line each; a line that would be empty is left out."""
    headers = [_header(column) for column in columns]
    for depth, first in enumerate(["Family & Backbone", " & ", " & "]):
        names = [_tex(header[depth]) if depth < len(header) else "" for header in headers]
        if depth == 0 or any(names):
            small = names if depth == 0 else [rf"\footnotesize {name}" if name else "" for name in names]
            yield " & ".join([first, *small]) + r" \\"


def _tex_score(grid: Grid, model: Model, column: Column) -> str:
    score = grid.scores.get((model, column))
    if score is None:
        return "--"
    value = rf"\textbf{{{score.text}}}" if grid.is_best(model, column) else score.text
    value += r"\ensuremath{^{\approx}}" if grid.is_tied(model, column) else ""
    return " ".join(filter(None, [value, _tex(score.spread)])) + _tex(_dagger(grid, model, column))


def _csv_name(column: Column) -> str:
    return " ".join(part for part in column.plain if part)


def _csv(text: str) -> str:
    """Spreadsheets run a cell that begins like a formula; an apostrophe makes it text."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _dagger(grid: Grid, model: Model, column: Column) -> str:
    return "†" if grid.is_partial(model, column) else ""


def _terminal_score(grid: Grid, model: Model, column: Column) -> str:
    score = grid.scores.get((model, column))
    if score is None:
        return DASH
    half = f" ±{score.half}" if score.half else ""
    return f"{score.text}{half}{_dagger(grid, model, column)}"


def _table() -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 0, 0, 1))


def _upright(grid: Grid) -> "Table":
    """A model a row, under its family's name."""
    from rich.text import Text

    table = _table()
    table.add_column("", overflow="fold")
    for column in grid.columns:
        table.add_column(Text("\n".join(_header(column))), justify="right", overflow="fold")
    for family in grid.families():
        table.add_row(Text(plain(family)), *("" for _ in grid.columns))
        for model in grid.of(family):
            scores = (_terminal_score(grid, model, column) for column in grid.columns)
            table.add_row(Text(f"  {plain(model.backbone)}"), *map(Text, scores))
    return table


def _split(grid: Grid, fits: Callable[["Table"], bool]) -> Iterator["Table"]:
    """A benchmark a row, a table per family, and as many of its backbones side by side as fit."""
    for family in grid.families():
        models = grid.of(family)
        while models:
            count = next((n for n in range(len(models), 1, -1) if fits(_turned(grid, models[:n]))), 1)
            yield _turned(grid, models[:count])
            models = models[count:]


def _turned(grid: Grid, models: Sequence[Model]) -> "Table":
    from rich.text import Text

    table = _table()
    table.add_column(Text(plain(models[0].family)), overflow="fold", max_width=_LABEL)
    for model in models:
        table.add_column(Text(plain(model.backbone)), justify="right", overflow="fold")
    for column in grid.columns:
        scores = (_terminal_score(grid, model, column) for model in models)
        title, *details = _header(column)
        below = textwrap.wrap(", ".join(details), _LABEL, initial_indent="  ", subsequent_indent="  ")
        table.add_row(Text("\n".join([title, *below])), *map(Text, scores))
    return table
