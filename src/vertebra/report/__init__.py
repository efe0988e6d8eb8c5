"""Tables, pictures and a page from the scorecards of a study; everything can be rebuilt at any time.

reports/miniature/
├── index.html                  the page, complete in itself
├── table.md  table.tex  table.csv
├── radar-tiny-llava-1.5.svg    .png
├── results.json                every number and time, the JSON of `vertebra report --json`
└── comparisons.json            every pair of models, the JSON of `vertebra compare STUDY --json`
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vertebra.audit import Audit
from vertebra.files import write_atomically
from vertebra.report import page, radar, tables
from vertebra.report.gallery import build_gallery
from vertebra.report.grid import Grid, build_grid
from vertebra.report.matrix import Matrix, build_matrix
from vertebra.report.published import Published, beside
from vertebra.report.rows import Answering, Cell, Row, answering, results, rows
from vertebra.scoring.benchmark import Benchmark
from vertebra.spec import Json, Reference, Study, digest

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
    audit: Audit | None = None


def write_report(material: Material, out: Path, width: int = 80) -> Report:
    """Writes the report into the folder `out`; the same input gives the same bytes.

    `width` is the terminal's, in characters. `DataError` for a scorecard that is not one, `VertebraError` when the
    folder cannot be written.
    """
    study, cells = material.study, material.cells
    axes = {name: benchmark.axis for name, benchmark in material.benchmarks.items()}
    grid = build_grid(study, cells)
    published = beside(grid, material.references)
    matrix = build_matrix(cells, material.benchmarks)
    findings: Sequence[page.Claim] = ()
    found = {**results(study.study, cells), "published": [each.to_json() for each in published]}
    document = {**found, "answering": answering(cells)}  # measured, so no part of what a citation points at
    figures = [page.Figure(name, f"radar-{_file_name(name)}", radar.draw(grid, name, axes)) for name in grid.families()]
    pictures: dict[str, bytes] = {}
    for figure in figures:
        pictures |= {f"{figure.file}.svg": figure.picture.svg, f"{figure.file}.png": figure.picture.png}
    texts = {
        "results.json": _json(document),
        "comparisons.json": _json(matrix.document(study.study)),
        "table.md": (tables.markdown(grid) + tables.published_markdown(published)).encode(),
        "table.tex": tables.latex(grid).encode(),
        "table.csv": tables.comma_separated(grid).encode(),
        "index.html": _page(material, grid, matrix, figures, published, _json(found), findings).encode(),
    }
    for name, data in {**pictures, **texts}.items():
        write_atomically(out / name, data)
    return Report(
        table=tables.terminal(grid, width),
        page=out / "index.html",
        pictures=tuple(out / name for name in pictures),
        results=out / "results.json",
        document=document,
    )


def _page(
    material: Material,
    grid: Grid,
    matrix: Matrix,
    figures: Sequence[page.Figure],
    published: Sequence[Published],
    found: bytes,
    findings: Sequence[page.Claim],
) -> str:
    """The page, with the pictures that findings point at before others."""
    gallery = build_gallery(material.cells, material.benchmarks, material.data, page.examples(findings))
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
        )
    )


def _json(document: Mapping[str, Json]) -> bytes:
    return json.dumps(document, indent=1, allow_nan=False).encode() + b"\n"


def _file_name(family: str) -> str:
    """The family's name where any file system takes it; otherwise what is left of it and a digest."""
    if re.fullmatch(r"[A-Za-z0-9._-]{1,80}", family):
        return family
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', family)[:60]}-{digest(ascii(family))[:8]}"
