"""The report as one HTML page that needs nothing but itself: no network, no fonts to load.

    ┌ title, what was found ─ findings ─ headline scores ─ pictures ─ differences ─ a sheet per benchmark ─
    └ gallery of the questions that models answer differently ─ audit ─ times ─ what is missing ─ how to rebuild

Every name is escaped by Jinja's autoescape, the script writes text and no HTML, and the page's own
Content-Security-Policy allows one script and one style, named by their digests, data: images and nothing else. Without
JavaScript everything but sorting, choosing and the gallery is there.
"""

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from vertebra.audit import Audit
from vertebra.audit.differences import KINDS
from vertebra.audit.telling import HEADINGS, Told, tell
from vertebra.report.claims import Checklist
from vertebra.report.findings import Finding
from vertebra.report.gallery import Gallery
from vertebra.report.grid import Grid, benchmark_title, metric_title, plain
from vertebra.report.matrix import Matrix
from vertebra.report.page import compared
from vertebra.report.page.closed import block, data_image, policy
from vertebra.report.page.sheets import anchors, sheets
from vertebra.report.page.standings import leading, standings
from vertebra.report.published import Published
from vertebra.report.rows import Cell, read_scorecard
from vertebra.report.sheet import Picture
from vertebra.report.times import times
from vertebra.scoring.benchmark import Benchmark
from vertebra.scoring.significance import ALPHA

if TYPE_CHECKING:
    from jinja2 import Environment

SCRIPTS = ("core.js", "tables.js", "pairs.js", "questions.js", "cards.js", "gallery.js", "start.js")


class Figure(NamedTuple):
    """A picture, what it is of, and the file that it is also written to."""

    title: str
    file: str
    picture: Picture


class Found(NamedTuple):
    """What a page is made from."""

    grid: Grid
    cells: Sequence[Cell]
    benchmarks: Mapping[str, Benchmark]
    matrix: Matrix
    gallery: Gallery
    figures: Sequence[Figure]
    published: Sequence[Published]
    audit: Audit | None
    results: bytes
    """The content of results.json but for times; its SHA-256 is what a citation points at."""
    findings: Sequence[Finding] = ()
    claims: Sequence[Checklist] = ()


def examples(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Benchmark and question of all examples; the gallery takes their pictures first."""
    return [
        (each.benchmark, question) for finding in findings for each in finding.evidence for question in each.questions
    ]


def html(found: Found) -> str:
    """The page."""
    grid, matrix = found.grid, found.matrix
    cards = [(cell, card) for cell in found.cells if (card := read_scorecard(cell))]
    standing = standings(grid, matrix)
    style, script = _own("style.css"), "\n".join(map(_own, SCRIPTS))
    galleries = {(each.benchmark, each.protocol): each.key for each in found.gallery.entries}
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            policy=policy(script, style),
            style=style,
            script=script,
            grid=grid,
            cards=cards,
            seeds=sorted({cell.seed for cell in found.cells}),
            figures=found.figures,
            published=found.published,
            findings=found.findings,
            anchors=anchors(grid),
            claims=found.claims,
            standings=standing,
            leading=[(family, leading(several)) for family, several in standing],
            real=sum(pair.is_real for pair in matrix.pairs),
            tests=len(matrix.pairs),
            alpha=f"{ALPHA:g}".removeprefix("0"),
            overview=compared.overview(
                matrix, {"/".join(model): (model.family, model.backbone) for model in grid.models}
            ),
            columns=[compared.column_title(square, matrix) for square in matrix.squares],
            matrix=matrix,
            sheets=sheets(grid, cards, found.benchmarks, matrix, galleries),
            gallery=found.gallery,
            galleries={benchmark: key for (benchmark, _), key in reversed(galleries.items())},
            audit=_audit(found.audit),
            answering=times(found.cells),
            blocks={
                "matrix": block(compared.document(matrix, anchors(grid), galleries)),
                "galleries": block(found.gallery.index),
                **found.gallery.blocks,
            },
            command=f"vertebra report {shlex.quote(grid.study)}",
            fingerprint=hashlib.sha256(found.results).hexdigest(),
        )
    )


class _Kind(NamedTuple):
    name: str
    heading: str
    differences: Sequence[Told]


class _Audited(NamedTuple):
    """An audit in words."""

    audit: Audit
    confounds: int
    kinds: Sequence[_Kind]


def _audit(audit: Audit | None) -> _Audited | None:
    if audit is None:
        return None
    kinds = [_Kind(kind, HEADINGS[kind], [tell(each, audit, plain) for each in audit.of(kind)]) for kind in KINDS]
    return _Audited(audit, len(audit.of("confound")), kinds)


def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_own),
    )
    environment.filters |= {
        "plain": plain,
        "metric": metric_title,
        "benchmark": benchmark_title,
        "data": data_image,
        "many": _many,
        "drop_empty": lambda pairs: {name: value for name, value in pairs.items() if value},
    }
    return environment


def _own(name: str) -> str:
    """A part of the page, from this folder."""
    return files(__name__).joinpath(name).read_text("utf-8")


def _many(count: int, what: str, plural: str = "s") -> str:
    return f"{count:,} {what}{'' if count == 1 else plural}"
