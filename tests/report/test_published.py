"""Published numbers beside ours, and the tables that are shipped."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from vertebra.benchmarks import of_a_study
from vertebra.catalog import Catalog
from vertebra.literature import Reference
from vertebra.report import Cell, write_report
from vertebra.report.grid import build_grid
from vertebra.report.published import beside
from vertebra.report.tables import published_markdown
from vertebra.spec import Study

STUDY = """
llava-1.5,llama-3-8b,72.3,65.8,74.0,87.1,75.2,35.9,50.0,1496.1,58.0,79.6,63.2,69.0,,,,
vip-llava,phi-3-mini,70.4,60.5,71.5,88.1,72.4,29.8,34.7,1416.2,55.2,78.4,61.2,69.6,85.3,69.6,49.0,48.2
"""
"""Two rows as the study prints them."""
COLUMNS = (
    *("mmbench", "mmbench_cn", "llava_wild", "pope", "scienceqa", "mm_vet", "vizwiz", "mme", "textvqa", "vqav2", "gqa"),
    *("seed_img", "v7w", "pointqa", "vip_bench_bbox", "vip_bench_human"),
)


@pytest.fixture
def shipped() -> dict[str, Reference]:
    return {reference.name: reference for reference in Catalog.installed().references()}


def test_the_studys_tables_are_shipped_number_by_number(shipped):
    models = shipped["study-llm-backbones"].models
    assert len(models) == 8
    for family, backbone, *values in csv.reader(io.StringIO(STUDY.strip())):
        told = {name: float(value) for name, value in zip(COLUMNS, values, strict=True) if value}
        assert models[f"{family}/{backbone}"] == told


def test_published_models_and_benchmarks_go_by_the_catalogues_names(shipped):
    catalog = Catalog.installed()
    for reference in shipped.values():
        for model, numbers in reference.models.items():
            family, backbone = model.split("/")
            assert family in catalog.names("families")
            assert backbone in catalog.names("backbones")
            assert set(numbers) <= set(COLUMNS)
        assert set(reference.notes) <= set(COLUMNS)
    assert set(of_a_study()) <= set(COLUMNS)


def test_the_model_zoos_differ_from_the_study_where_the_study_ran_again(shipped):
    zoo, study = (shipped[name].models["llava-1.5/vicuna-7b"] for name in ("llava-model-zoo", "study-llm-backbones"))
    assert (zoo["gqa"], study["gqa"], zoo["mme"], study["mme"]) == (62.0, 63.2, 1510.7, 1506.5)


def test_a_number_stands_beside_each_table_that_has_it(study: Study, card, shipped):
    cells = [Cell("llava-1.5", "vicuna-7b", 0, name, card(name, 61.25)) for name in ("gqa", "pope")]
    found = beside(build_grid(study, cells), list(shipped.values()))
    assert [(each.benchmark, each.theirs, each.note[:6]) for each in found] == [
        ("gqa", 62.0, ""),
        ("gqa", 63.2, ""),
        ("pope", 85.9, ""),
        ("pope", 87.3, "equals"),
    ]
    assert found[0].difference == pytest.approx(-0.75)
    assert "| GQA | 61.2 | 62.0 | -0.8 |" in published_markdown(found)


def test_a_study_of_other_models_has_nothing_beside_it(study: Study, cells, material, tmp_path: Path):
    references = Catalog.installed().references()
    assert beside(build_grid(study, cells()), references) == []
    write_report(replace(material(cells(families=["tiny-llava-1.5"])), references=references), tmp_path)
    assert "published" not in (tmp_path / "index.html").read_text().lower()
    assert json.loads((tmp_path / "results.json").read_text())["published"] == []


def test_the_page_and_the_document_tell_them(card, material, tmp_path: Path):
    cells = [Cell("llava-1.5", "vicuna-7b", 0, "gqa", card("gqa", 61.25))]
    report = write_report(replace(material(cells), references=Catalog.installed().references()), tmp_path)
    assert "Beside published numbers" in report.page.read_text()
    assert [each["theirs"] for each in report.document["published"]] == [62.0, 63.2]
    assert "63.2" in (tmp_path / "table.md").read_text()
