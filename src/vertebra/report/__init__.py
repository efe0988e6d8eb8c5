"""Tables, pictures and a page from the scorecards of a study; everything can be rebuilt at any time.

reports/miniature/
├── index.html                  the page, complete in itself
├── table.md  table.tex  table.csv
├── radar-tiny-llava-1.5.svg    .png
├── results.json                every number and time, the JSON of `vertebra report --json`
├── comparisons.json            every pair of models, the JSON of `vertebra compare STUDY --json`
├── audit.json                  what differs between its arms, the JSON of `vertebra audit STUDY --json`
└── models/                     a folder for each model, as it is uploaded (publishing/)
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from vertebra.audit import Audit
from vertebra.catalog import Catalog
from vertebra.files import write_atomically
from vertebra.literature import Claims, Reference
from vertebra.report import page, publishing, radar, tables
from vertebra.report.claims import check_all
from vertebra.report.findings import find
from vertebra.report.grid import Grid, build_grid
from vertebra.report.matrix import build_matrix
from vertebra.report.published import beside
from vertebra.report.publishing.names import file_name
from vertebra.report.rows import Answering, Cell, Row, answering, results, rows
from vertebra.scoring.benchmark import Benchmark
from vertebra.spec import Json, Study

__all__ = ["Answering", "Cell", "Material", "Report", "Row", "rows", "write_report"]


class Report(NamedTuple):
    """What was written, and the table for the terminal."""

    table: str
    page: Path
    pictures: tuple[Path, ...]
    """An SVG and a PNG per family."""
    results: Path
    document: Mapping[str, Json]
    """What is in it: the JSON of `vertebra report --json`."""


@dataclass(frozen=True, slots=True)
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


class Composed(NamedTuple):
    """A report before it is written."""

    grid: Grid
    document: Mapping[str, Json]
    texts: Mapping[str, bytes]
    """Every file of the report's folder but the pictures."""
    pictures: Mapping[str, bytes]
    models: Iterator[tuple[str, bytes]]
    """Path and content of each file about a model, made as it is asked for."""


def write_report(material: Material, out: Path, width: int = 80) -> Report:
    """Writes the report into the folder `out`; the same input gives the same bytes.

    `width` is the terminal's, in characters. `DataError` for a scorecard that is not one, `VertebraError` when the
    folder cannot be written.
    """
    composed = compose(material)
    written = set()
    for name, data in chain(composed.pictures.items(), composed.texts.items(), composed.models):
        write_atomically(out / name, data)
        written.add(name)
    publishing.remove_stale(out, written)
    return Report(
        table=tables.terminal(composed.grid, width),
        page=out / "index.html",
        pictures=tuple(out / name for name in composed.pictures),
        results=out / "results.json",
        document=composed.document,
    )


def compose(material: Material) -> Composed:
    """Every file of a report. `DataError` for a scorecard that is not one."""
    study, cells = material.study, material.cells
    axes = {name: benchmark.axis for name, benchmark in material.benchmarks.items()}
    grid = build_grid(study, cells)
    published = beside(grid, material.references)
    matrix = build_matrix(cells, material.benchmarks)
    found: dict[str, Json] = {
        **results(study.study, cells),
        "published": [each.to_json() for each in published],
        "findings": [each.document() for each in find(matrix)],
        "claims": [each.document() for each in check_all(material.claims, matrix, study.stands_for)],
    }
    document = {**found, "answering": answering(cells)}  # measured, so no part of what a citation points at
    figures = [page.Figure(name, f"radar-{file_name(name)}", radar.draw(grid, name, axes)) for name in grid.families()]
    pictures: dict[str, bytes] = {}
    for figure in figures:
        pictures |= {f"{figure.file}.svg": figure.picture.svg, f"{figure.file}.png": figure.picture.png}
    texts = {
        "results.json": _json(document),
        "comparisons.json": _json(matrix.document(study.study)),
        **({"audit.json": _json(material.audit.document())} if material.audit else {}),
        "table.md": (tables.markdown(grid) + tables.published_markdown(published)).encode(),
        "table.tex": tables.latex(grid).encode(),
        "table.csv": tables.comma_separated(grid).encode(),
        "index.html": page.html(grid, cells, figures, published, _json(found)).encode(),
    }
    models = publishing.documents(material, hashlib.sha256(_json(found)).hexdigest())
    return Composed(grid, document, texts, pictures, models)


def _json(document: Mapping[str, Json]) -> bytes:
    return json.dumps(document, indent=1, allow_nan=False).encode() + b"\n"
