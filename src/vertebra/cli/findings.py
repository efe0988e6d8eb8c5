"""`vertebra findings STUDY|TABLE`: what the data bear out, and what they say of published claims.

$ vertebra findings miniature
miniature: 11 findings, from 448 paired comparisons.

- tiny-vicuna-m: tiny-vip-llava is ahead of tiny-llava-1.5 in region by 61.8
  [56.0, 67.7], higher on 4 of 4 benchmarks (Holm p < .001).

$ vertebra findings study-llm-backbones      published claims against the table that they come with
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertebra.cli.study import STORE, AsJson, DataFolder, StoreFolder, draw
from vertebra.cli.text import many, paragraph, printable
from vertebra.errors import ConfigError, DataError, UnknownName

if TYPE_CHECKING:
    from vertebra.catalog import Catalog
    from vertebra.report.claims import Checklist
    from vertebra.report.findings import Finding

ASSUMED = (
    "Assumed, since the answers are not there: questions are independent and right or wrong unless the table says "
    "how far scores of single questions spread, two models' scores on a question correlate by {correlation:g}, and one "
    "training seed stands for all."
)


def findings(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study, or a published table: YAML or shipped name.")],
    evidence: Annotated[bool, typer.Option("--evidence", help="Show what each rests on, and some questions.")] = False,
    store: StoreFolder = STORE,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a study has found, each with its test, and whether published claims hold."""
    from vertebra.catalog import Catalog

    catalog = Catalog.installed()
    if study in catalog.names("reference") and study not in catalog.names("studies"):
        _of_table(study, catalog, as_json)
        return
    if not study.endswith((".yaml", ".yml")) and study not in catalog.names("studies"):
        raise UnknownName("study or published table", study, [*catalog.names("studies"), *catalog.names("reference")])
    _of_study(study, catalog, store, data, evidence, as_json)


def _of_study(name: str, catalog: "Catalog", store: Path, data: Path | None, evidence: bool, as_json: bool) -> None:
    from vertebra.cli.finished import finished
    from vertebra.report.claims import check_all
    from vertebra.report.findings import find
    from vertebra.report.matrix import build_matrix

    drawn = draw(*catalog.study(name), store, data)
    matrix = build_matrix(finished(drawn), drawn.benchmarks)
    if not matrix.squares:
        raise DataError(f"No two models of {name} are scored on one benchmark in {store}. Start with `vertebra run`.")
    found, checked = find(matrix), check_all(drawn.catalog.all_claims(), matrix, drawn.plan.study.stands_for)
    if as_json:
        told = [checklist.document() for checklist in checked]
        whole = {"study": drawn.plan.study.study, "findings": [each.document() for each in found], "published": told}
        typer.echo(json.dumps(whole, indent=1, allow_nan=False))
        return
    counted = many(len(matrix.pairs), "paired comparison")
    typer.echo(f"{drawn.plan.study.study}: {many(len(found), 'finding')}, from {counted}.\n")
    for finding in found:
        for line in _told(finding, evidence):
            typer.echo(line)
    typer.echo(
        paragraph(
            "\nMeans over benchmarks are in points between chance (0) and the ceiling (100) of each, with 95 % "
            "intervals; all tests of means are counted together, as are all of single benchmarks (Holm, .05)."
        )
    )
    for checklist in checked:
        for line in lines(checklist, evidence):
            typer.echo(line)


def _of_table(name: str, catalog: "Catalog", as_json: bool) -> None:
    from vertebra.benchmarks import benchmark, of_a_study
    from vertebra.report.claims import check, standing
    from vertebra.report.contrasts import OfTable

    table = catalog.reference(name)
    sets = [claims for claims in catalog.all_claims() if claims.table == name]
    if not sets:
        raise ConfigError(f"There are no claims on the published table {name}. Its numbers: `vertebra show {name}`.")
    contrasts = OfTable(table, {name: benchmark(name) for name in of_a_study()})
    checked = [check(claims, contrasts, standing(claims, [*table.models], {})) for claims in sets]
    if as_json:
        told = [checklist.document() for checklist in checked]
        assumed = {"correlation": table.correlation, "sizes": table.model_dump(mode="json")["sizes"]}
        typer.echo(json.dumps({"table": name, "assumed": assumed, "published": told}, indent=1, allow_nan=False))
        return
    for checklist in checked:
        for line in lines(checklist, evidence=True):
            typer.echo(line)
    typer.echo(paragraph(f"\n{ASSUMED.format(correlation=table.correlation)}"))


def lines(checklist: "Checklist", evidence: bool) -> Iterator[str]:
    """Published claims as a terminal shows them."""
    yield paragraph(f"\n{checklist.claims.title}")
    if checklist.remark:
        yield paragraph(checklist.remark)
    for each in checklist.judged:
        shown = f"{each.count('supported')} of {many(len(each.checks), 'difference')} shown"
        against = each.count("contradicted")
        told = f"{shown}, {against} the other way" if against else shown
        yield paragraph(f"- {each.verdict}: {each.claim.title}. {each.claim.says} ({told})", hang=2)
        for check in each.checks if evidence else ():
            yield paragraph(f"    {check.says}", hang=2)
    yield paragraph(
        f"Like is less than {checklist.claims.margin:g} points apart between chance and ceiling; all differences are "
        "counted together (Holm, .05)."
    )


def _told(finding: "Finding", evidence: bool) -> Iterator[str]:
    yield paragraph(f"- {finding.says}", hang=2)
    for each in finding.evidence if evidence else ():
        questions = f"; questions {', '.join(each.questions)}" if each.questions else ""
        yield paragraph(f"    {each.says}{printable(questions)}", hang=2)
