"""The folder of a report."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from vertebra.report import MEASURED, Answering, Cell, Material, write_report

Cells = Callable[..., list[Cell]]
Materials = Callable[[Sequence[Cell]], Material]


def test_every_file_of_the_contract_is_written(cells: Cells, material: Materials, tmp_path: Path) -> None:
    write_report(material(cells()), tmp_path / "reports" / "miniature")
    assert {path.name for path in (tmp_path / "reports" / "miniature").iterdir()} == {
        *("index.html", "table.md", "table.tex", "table.csv", "results.json", "comparisons.json"),
        *(
            f"{name}.{form}"
            for name in ("radar-tiny-llava-1.5", "radar-tiny-vip-llava", "radar-all", "dots")
            for form in ("svg", "png", "pdf")
        ),
    }


def test_a_family_alone_has_no_picture_of_all(cells: Cells, material: Materials, tmp_path: Path) -> None:
    report = write_report(material(cells(families=["all"])), tmp_path)
    names = [path.name for path in report.pictures]
    assert "radar-all.svg" not in names
    assert len(names) == len(set(names)) == 6


def test_what_the_report_names_exists(cells: Cells, material: Materials, tmp_path: Path) -> None:
    report = write_report(material(cells(families=["tiny-llava-1.5"])), tmp_path)
    assert all(path.is_file() for path in (report.page, report.results, *report.pictures))
    assert "tiny-phi-3" in report.table


def test_two_runs_write_the_same_bytes(cells: Cells, material: Materials, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_report(material(cells(families=["tiny-llava-1.5"])), tmp_path / name)
    assert all(
        path.read_bytes() == (tmp_path / "two" / path.name).read_bytes() for path in (tmp_path / "one").iterdir()
    )


def test_results_json_is_the_contract_s_document(cells: Cells, material: Materials, tmp_path: Path) -> None:
    found = json.loads(write_report(material(cells(families=["tiny-llava-1.5"])), tmp_path).results.read_bytes())
    assert found["study"] == "miniature"
    assert set(found["rows"][0]) == {"family", "backbone", "seed", "benchmark", "metric", "value", "n", "ci95"}


def test_two_runs_of_a_study_differ_in_their_times_alone(cells: Cells, material: Materials, tmp_path: Path) -> None:
    """A citation points at what was found: a machine that is slower must not look like another result."""
    found = []
    for seconds in (1.5, 2.5):
        timed = [replace(cell, answering=Answering(questions=3, asked=2, seconds=seconds)) for cell in cells()]
        report = write_report(material(timed), tmp_path / str(seconds))
        page = report.page.read_text()
        found.append((report.table, re.search("[0-9a-f]{64}", page), dict(report.document), page))
    (table, print_, document, page), (other_table, other_print, other_document, other_page) = found
    assert page != other_page
    for measured in MEASURED:
        assert document.pop(measured) != other_document.pop(measured)
    assert print_ and other_print
    assert (table, print_[0], document) == (other_table, other_print[0], other_document)
    assert print_[0] == hashlib.sha256(json.dumps(document, indent=1).encode() + b"\n").hexdigest()


def test_a_family_s_name_never_leads_out_of_the_folder(material: Materials, tmp_path: Path) -> None:
    names = ["../../up", "x" * 300, "\ud800"]
    report = write_report(material([Cell(name, "b", 0, "pope", None) for name in names]), tmp_path / "out")
    assert {path.parent for path in report.pictures} == {tmp_path / "out"}
    assert len(set(report.pictures)) == 3 * (len(names) + 2)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_reports_start_without_torch_pandas_or_matplotlib() -> None:
    program = "import sys, vertebra.report; print({'torch', 'transformers', 'pandas', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
