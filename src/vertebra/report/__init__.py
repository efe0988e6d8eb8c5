"""Tables, pictures and a page from the scorecards of a study; everything can be rebuilt at any time.

reports/miniature/
├── index.html                  the page, complete in itself
├── table.md  table.tex  table.csv
├── radar-tiny-llava-1.5.svg    .png  .pdf, as all pictures
├── radar-all.svg               all families in one, where there are several
├── dots.svg                    every model on every benchmark with its interval
├── costs.svg                   score against parameters, tokens and seconds, where any of them is known
├── results.json                every number, time and cost, the JSON of `vertebra report --json`
├── comparisons.json            every pair of models, the JSON of `vertebra compare STUDY --json`
├── audit.json                  what differs between its arms, the JSON of `vertebra audit STUDY --json`
└── models/                     a folder for each model, as it is uploaded (publishing/)
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from vertebra.audit import Audit
from vertebra.catalog import Catalog
from vertebra.files import write_atomically
from vertebra.literature import Claims, Reference
from vertebra.report import dots, page, publishing, radar, scatter, tables
from vertebra.report.chart import Axis
from vertebra.report.claims import Checklist, check_all
from vertebra.report.costs import Costs, costs
from vertebra.report.findings import Finding, find
from vertebra.report.gallery import build_gallery
from vertebra.report.grid import Grid, build_grid
from vertebra.report.matrix import Matrix, build_matrix
from vertebra.report.published import Published, beside
from vertebra.report.publishing.names import file_name
from vertebra.report.questions import Questions
from vertebra.report.rows import Answering, Cell, Row, answering, results, rows
from vertebra.scoring.benchmark import Benchmark
from vertebra.spec import Json, Study

__all__ = ["MEASURED", "Answering", "Cell", "Material", "Report", "Row", "rows", "write_report"]

MEASURED = ("answering", "costs")
"""Parts of results.json that differ between runs or machines, so that no citation points at them."""


class Report(NamedTuple):
    """What was written, and the table for the terminal."""

    table: str
    page: Path
    pictures: tuple[Path, ...]
    """Each as SVG, PNG and PDF."""
    results: Path
    document: Mapping[str, Json]
    """What is in it: the JSON of `vertebra report --json`."""
    findings: tuple[Finding, ...]
    compared: int
    """Pairs of models on a benchmark that findings are made from."""


@dataclass(frozen=True)
class Material:
    """All that a report is made from."""

    study: Study
    cells: Sequence[Cell]
    benchmarks: Mapping[str, Benchmark]
    """Those of the study, by name; one that is not here is left out of comparisons and pictures, which say so."""
    data: Path | None = None
    """The folder with the benchmarks' files, for the gallery's questions and pictures."""
    references: Sequence[Reference] = ()
    """Published tables, shown beside where they name the same models."""
    claims: Sequence[Claims] = ()
    """Published claims, checked where they speak of the study's models."""
    audit: Audit | None = None
    catalog: Catalog | None = None
    """What the study's names are looked up in, for how models were made."""
    organization: str = ""
    """Who publishes the models, as the Hub names them."""

    @cached_property
    def questions(self) -> Questions:
        """Those of the benchmarks."""
        return Questions(self.benchmarks, self.data)


class Composed(NamedTuple):
    """A report before it is written."""

    grid: Grid
    findings: tuple[Finding, ...]
    compared: int
    document: Mapping[str, Json]
    texts: Mapping[str, bytes]
    """Every file of the report's folder but the pictures."""
    pictures: Mapping[str, Callable[[], bytes]]
    """Each drawn as it is asked for."""
    models: Iterator[tuple[str, bytes]]
    """Path and content of each file about a model, made as it is asked for."""


def write_report(material: Material, out: Path, width: int = 80, publish: bool = True) -> Report:
    """Writes the report into the folder `out`; the same input gives the same bytes.

    `width` is the terminal's, in characters. Without `publish` what is to be uploaded of each model, which is by far
    the most, is only written where it was before. `DataError` for a scorecard that is not one, `VertebraError` when the
    folder cannot be written.
    """
    composed = compose(material)
    models = composed.models if publish or (out / publishing.FOLDER).is_dir() else ()
    written = set()
    pictures = ((name, draw()) for name, draw in composed.pictures.items())
    for name, data in chain(pictures, composed.texts.items(), models):
        write_atomically(out / name, data)
        written.add(name)
    publishing.remove_stale(out, written)
    return Report(
        table=tables.terminal(composed.grid, width),
        page=out / "index.html",
        pictures=tuple(out / name for name in composed.pictures),
        results=out / "results.json",
        document=composed.document,
        findings=composed.findings,
        compared=composed.compared,
    )


def compose(material: Material) -> Composed:
    """Every file of a report. `DataError` for a scorecard that is not one."""
    study, cells = material.study, material.cells
    axes = {name: benchmark.axis for name, benchmark in material.benchmarks.items()}
    matrix = build_matrix(cells, material.benchmarks)
    grid = build_grid(study, cells, matrix)
    published = beside(grid, material.references)
    findings = tuple(find(matrix))
    claims = check_all(material.claims, matrix, study.stands_for)
    found: dict[str, Json] = {
        **results(study.study, cells),
        "published": [each.to_json() for each in published],
        "ties": [*grid.ties()],
        "findings": [each.document() for each in findings],
        "claims": [each.document() for each in claims],
    }
    priced = costs(grid, cells, material.benchmarks, material.questions)
    measured: dict[str, Json] = {"answering": answering(cells), "costs": priced.to_json()}
    assert {*measured} == {*MEASURED}
    document = {**found, **measured}
    figures = list(_figures(grid, axes, priced))
    pictures = {name: draw for figure in figures for name, draw in _files(figure)}
    texts = {
        "results.json": _json(document),
        "comparisons.json": _json(matrix.document(study.study)),
        **({"audit.json": _json(material.audit.document())} if material.audit else {}),
        "table.md": (tables.markdown(grid) + tables.published_markdown(published)).encode(),
        "table.tex": tables.latex(grid, published).encode(),
        "table.csv": tables.comma_separated(grid, published).encode(),
        "index.html": _page(material, grid, matrix, figures, published, _json(found), findings, claims).encode(),
    }
    models = publishing.documents(material, hashlib.sha256(_json(found)).hexdigest())
    return Composed(grid, findings, len(matrix.pairs), document, texts, pictures, models)


def _figures(grid: Grid, axes: Mapping[str, Axis], priced: Costs) -> Iterator[page.Figure]:
    families = grid.families()
    for name in families:
        yield page.Figure(name, f"radar-{file_name(name)}", radar.draw(grid, axes, name))
    if len(families) > 1:
        yield page.Figure("All families", "radar-all", radar.draw(grid, axes))
    yield page.Figure("All models, benchmark by benchmark", "dots", dots.draw(grid, axes))
    if priced.kinds:
        yield page.Figure("Score against cost", "costs", scatter.draw(grid, priced))


def _files(figure: page.Figure) -> Iterator[tuple[str, Callable[[], bytes]]]:
    picture = figure.picture
    yield f"{figure.file}.svg", lambda: picture.svg
    yield f"{figure.file}.png", lambda: picture.png
    yield f"{figure.file}.pdf", lambda: picture.pdf


def _page(
    material: Material,
    grid: Grid,
    matrix: Matrix,
    figures: Sequence[page.Figure],
    published: Sequence[Published],
    found: bytes,
    findings: Sequence[Finding],
    claims: Sequence[Checklist],
) -> str:
    """The page, with the pictures that findings point at before others."""
    gallery = build_gallery(material.cells, material.benchmarks, material.questions, page.examples(findings))
    return page.html(
        page.Found(
            grid=grid,
            cells=material.cells,
            benchmarks=material.benchmarks,
            matrix=matrix,
            gallery=gallery,
            figures=figures,
            published=published,
            audit=material.audit,
            results=found,
            findings=findings,
            claims=claims,
        )
    )


def _json(document: Mapping[str, Json]) -> bytes:
    return json.dumps(document, indent=1, allow_nan=False).encode() + b"\n"
