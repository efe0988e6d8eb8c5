"""What the page says of findings, standings, differences and the audit."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.report.questions import MODELS, study_in
from tests.report.test_page import Page

from vertebra.audit import Arm, Audit, Difference, Place, Value
from vertebra.literature import Claims
from vertebra.report import Material, write_report
from vertebra.report.claims import Checklist, check_all
from vertebra.report.findings import Evidence, Finding
from vertebra.report.gallery import build_gallery
from vertebra.report.grid import build_grid
from vertebra.report.matrix import build_matrix
from vertebra.report.page import Found, examples, html
from vertebra.report.page.closed import block
from vertebra.report.page.compared import chance, overview
from vertebra.report.page.standings import leading, standings


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return study_in(tmp_path_factory.mktemp("study"))


def page_of(material: Material, findings: Sequence[Finding] = (), claims: Sequence[Checklist] = ()) -> Page:
    cells, benchmarks = material.cells, material.benchmarks
    found = Found(
        grid=build_grid(material.study, cells),
        cells=cells,
        benchmarks=benchmarks,
        matrix=build_matrix(cells, benchmarks),
        gallery=build_gallery(cells, benchmarks, material.questions, examples(findings)),
        figures=(),
        published=(),
        audit=material.audit,
        results=b"{}",
        findings=findings,
        claims=claims,
    )
    return Page(html(found))


def test_findings_stand_on_top_with_evidence_and_links_to_their_questions(small: Material) -> None:
    a, b = ("/".join(model) for model in MODELS[:2])
    evidence = Evidence(b, "pope", "llava", "f1", 30.0, (20.0, 40.0), 0.001, ("q5",))
    page = page_of(small, [Finding("ahead", a, b, "<i>seeing</i>", 30.0, (20.0, 40.0), 0.001, (evidence,))])
    assert (
        page.text.index("ahead of bob in <i>seeing</i> by 30.0 [20.0, 40.0]")
        < page.text.index("POPE (llava), F1, less fam-a/bob: +30.0 [+20.0, +40.0], Holm p = .001")
        < page.text.index("Headline score")
    )
    (link,) = [link["href"] for link in page.all("a") if "id=" in link["href"]]
    assert link == "#gallery?benchmark=pope&a=fam-a%2Fada&b=fam-a%2Fbob&id=q5"


def test_a_model_alone_has_no_findings(small: Material) -> None:
    alone = replace(small, cells=[cell for cell in small.cells if f"{cell.family}/{cell.backbone}" == "fam-a/ada"])
    assert not [each for _, each in page_of(alone).tags if each.get("id") == "findings"]


def test_without_findings_the_page_says_so(small: Material) -> None:
    assert "No difference between models is more than chance." in page_of(small).text


def test_published_claims_stand_below_with_their_verdict_and_differences(small: Material) -> None:
    statement = {"models": ["bob"], "relation": "ahead of", "others": ["ada"], "benchmarks": ["pope"]}
    said = {"title": "Eyes", "says": "<b>Bob</b> sees more.", "statements": [statement]}
    source = {"title": "Said of eyes", "source": "https://example.org/said", "table": "none"}
    claims = Claims.model_validate({**source, "families": ["fam-a"], "backbones": ["ada", "bob"], "claims": [said]})
    checked = check_all([claims], build_matrix(small.cells, small.benchmarks), {})
    page = page_of(small, claims=checked)
    assert "Said of eyes, checked" in page.text
    assert "supported: Eyes. <b>Bob</b> sees more. 1 of 1 difference shown" in " ".join(page.text.split())
    assert "supported: fam-a/bob ahead of fam-a/ada, POPE: +" in page.text
    assert "https://example.org/said" in [link["href"] for link in page.all("a")]


def test_a_model_stands_by_its_real_wins_and_losses_within_its_family(small: Material) -> None:
    grid, matrix = build_grid(small.study, small.cells), build_matrix(small.cells, small.benchmarks)
    (family, ours), (_, other) = standings(grid, matrix)
    assert family == "fam-a"
    real = sum(
        pair.is_real for pair in matrix.pairs if pair.comparison.a == "fam-a/ada" and pair.comparison.b == "fam-a/bob"
    )
    assert real > 0
    assert [(each.model.backbone, each.better, each.worse, each.compared) for each in ours] == [
        ("bob", real, 0, 2),
        ("ada", 0, real, 2),
    ]
    assert [each.model.backbone for each in leading(ours)] == ["bob"]
    assert leading(other) == []


def test_pairs_are_told_apart_by_what_they_share(small: Material) -> None:
    matrix = build_matrix(small.cells, small.benchmarks)
    families = {"/".join(model): model for model in MODELS}
    found = overview(matrix, families)
    assert [(shared, len(pairs)) for shared, pairs in found] == [
        ("Within fam-a", 1),
        ("Other backbone and other family", 2),
    ]
    (pair,) = found[0][1]
    (comparison, *_) = [
        each.comparison for each in matrix.pairs if {each.comparison.a, each.comparison.b} == {pair.a, pair.b}
    ]
    assert pair.gaps[0]
    assert pair.gaps[0].value == pytest.approx(comparison.headline.value * (1 if comparison.b == pair.b else -1))
    assert families["fam-a/bob"] == MODELS[1]


def test_a_square_is_the_same_seen_from_the_other_side(small: Material) -> None:
    page = page_of(small)
    found = re.findall(r"([+−])(\d+\.\d)([+−]\d+\.\d to [+−]\d+\.\d)", page.text)
    assert len(found) == 12
    assert sorted(value for sign, value, _ in found if sign == "+") == sorted(
        value for sign, value, _ in found if sign == "−"
    )


@pytest.mark.parametrize(("p", "text"), [(0.0004, "p < .001"), (0.032, "p = .032"), (1.0, "p = 1.000")])
def test_a_chance_is_told_as_papers_do(p: float, text: str) -> None:
    assert chance(p) == text


def test_confounds_are_counted_on_top_and_unfolded_below(small: Material) -> None:
    values = (Value(1e-3, ("ada",)), Value(2e-3, ("bob<b>",)))
    place = (Place("fam-a", ("finetune",)),)
    differences = (
        Difference("confound", "backbones", "learning_rate", place, values, "A rate may suit one better."),
        Difference("intended", "backbones", "weights", place, values, "It is swapped."),
    )
    audit = Audit("s", (Arm("fam-a", "ada", 0, {}), Arm("fam-a", "bob", 0, {})), differences, unknown=("The judge.",))
    page = page_of(replace(small, audit=audit))
    assert "1 confound" in page.text
    assert "No confound" not in page.text
    told = page.text[page.text.rindex("What differs between the models") :]
    assert re.search(r"learning rate\s*finetune\s*0\.001 ada\s*0\.002 bob<b>\s*A rate may suit one better\.", told)
    assert "The judge." in told
    folded = [each for each in page.all("details") if "data-anchor" not in each]
    assert ["open" in each for each in folded] == [True, False]


def test_a_study_without_confounds_says_so(small: Material) -> None:
    page = page_of(replace(small, audit=Audit("s", (Arm("f", "a", 0, {}),), ())))
    assert page.text.count("No confound") == 2


def test_of_one_model_nothing_is_said_that_takes_two(small: Material) -> None:
    alone = [cell for cell in small.cells if cell.backbone == "ada"]
    audit = Audit("s", (Arm("fam-a", "ada", 0, {}),), ())
    text = page_of(replace(small, cells=alone, audit=audit)).text
    assert not [each for each in ("In short", "Differences", "Standings", "better than another") if each in text]


def test_data_cannot_end_their_block() -> None:
    found = block({"</script>": "<!-- <script> & -->"})
    assert not set(found) & set("<>&")


def test_the_page_of_a_real_study_is_the_same_twice(small: Material, tmp_path: Path) -> None:
    pages = [write_report(small, tmp_path / name).page.read_bytes() for name in ("one", "two")]
    assert pages[0] == pages[1]
