"""Published claims, checked against the table that they come with and against studies."""

import pytest
from tests.report.scored import cells, matrix

from vertebra.benchmarks import benchmark, of_a_study
from vertebra.catalog import Catalog
from vertebra.literature import Claims
from vertebra.report.claims import check, check_all, standing
from vertebra.report.contrasts import OfStudy, OfTable

STATEMENTS = {
    "holds": {"models": ["a"], "relation": "ahead of", "others": ["b"], "benchmarks": ["gqa"]},
    "is the other way round": {"models": ["b"], "relation": "ahead of", "others": ["a"], "benchmarks": ["gqa"]},
    "is too small to see": {"models": ["c"], "relation": "ahead of", "others": ["b"], "benchmarks": ["gqa"]},
    "is alike": {"models": ["b"], "relation": "like", "others": ["c"], "mean": True},
    "is not alike": {"models": ["a"], "relation": "like", "others": ["b"], "mean": True},
    "is of families": {"models": ["eyes"], "relation": "like", "others": ["ears"], "between": "families", "mean": True},
}
CLAIMS = Claims.model_validate(
    {
        "title": "Said",
        "source": "https://example.org",
        "table": "none",
        "margin": 8,
        "families": ["eyes", "ears"],
        "backbones": ["a", "b", "c"],
        "claims": [{"title": name, "says": "It is so.", "statements": [each]} for name, each in STATEMENTS.items()],
    }
)
SHARES = {
    "tiny-eyes/ada": {"gqa": 0.9, "vqav2": 0.9},
    "tiny-eyes/bob": {"gqa": 0.6, "vqav2": 0.6},
    "tiny-eyes/cid": {"gqa": 0.6, "vqav2": 0.6},
}
STANDING = {"tiny-eyes": "eyes", "ada": "a", "bob": "b", "cid": "c"}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    found = matrix(cells(tmp_path_factory.mktemp("scores"), SHARES))
    (checklist,) = check_all([CLAIMS], found, STANDING)
    return checklist


@pytest.mark.parametrize(
    ("title", "verdict"),
    [
        ("holds", "supported"),
        ("is the other way round", "contradicted"),
        ("is too small to see", "not shown"),
        ("is alike", "supported"),
        ("is not alike", "contradicted"),
        ("is of families", "not measured"),
    ],
)
def test_a_study_bears_a_claim_out_or_does_not(verdicts, title, verdict):
    (found,) = [each for each in verdicts.judged if each.claim.title == title]
    assert found.verdict == verdict
    assert len(found.checks) == (title != "is of families")


def test_who_stands_for_whom_is_told(verdicts):
    assert "tiny-eyes/ada for eyes/a" in verdicts.remark
    assert verdicts.document()["models"] == {
        "eyes/a": "tiny-eyes/ada",
        "eyes/b": "tiny-eyes/bob",
        "eyes/c": "tiny-eyes/cid",
    }


def test_models_by_their_own_names_stand_for_nobody():
    models = standing(CLAIMS, ["eyes/a", "eyes/z", "nose/a", "adopted/a"], {})
    assert models == {"eyes/a": "eyes/a"}


def test_claims_on_other_models_are_left_out(tmp_path):
    assert check_all([CLAIMS], matrix(cells(tmp_path, SHARES)), {}) == []


def test_a_claim_is_contradicted_by_one_difference_the_other_way(tmp_path):
    both = {"models": ["a"], "relation": "ahead of", "others": ["b"], "benchmarks": ["gqa", "vqav2"]}
    one = CLAIMS.model_copy(
        update={"claims": (CLAIMS.claims[0].model_validate({"title": "t", "says": "s", "statements": [both]}),)}
    )
    shares = {"eyes/a": {"gqa": 0.9, "vqav2": 0.4}, "eyes/b": {"gqa": 0.6, "vqav2": 0.8}}
    (judged,) = check(one, OfStudy(matrix(cells(tmp_path, shares))), standing(one, list(shares), {})).judged
    assert (judged.verdict, judged.count("supported"), judged.count("contradicted")) == ("contradicted", 1, 1)


def test_the_key_findings_of_the_study_against_its_own_table():
    """By sample sizes; what the table itself shows of what was said of it."""
    catalog = Catalog.installed()
    (claims,) = catalog.all_claims()
    table = catalog.reference(claims.table)
    contrasts = OfTable(table, {name: benchmark(name) for name in of_a_study()})
    found = check(claims, contrasts, standing(claims, list(table.models), {}))
    assert {each.claim.title: (each.verdict, each.count("supported"), len(each.checks)) for each in found.judged} == {
        "Language and commonsense reasoning": ("not shown", 2, 8),
        "Visual against language capabilities": ("not shown", 7, 12),
        "Zero-shot vision-language tasks": ("supported", 8, 8),
        "Overall performance": ("not shown", 4, 6),
        "Consistency of ViP-LLaVA": ("not shown", 2, 4),
    }
    gqa = next(
        check
        for check in found.judged[1].checks
        if (check.model, check.other, check.benchmarks) == ("llava-1.5/vicuna-13b", "llava-1.5/llama-3-8b", ("gqa",))
    )
    assert gqa.verdict == "not shown"


def test_every_name_in_the_shipped_claims_is_known():
    catalog = Catalog.installed()
    for claims in catalog.all_claims():
        table = catalog.reference(claims.table)
        assert {f"{family}/{backbone}" for family in claims.families for backbone in claims.backbones} == set(
            table.models
        )
        for statement in (each for claim in claims.claims for each in claim.statements):
            known = claims.families if statement.between == "families" else claims.backbones
            assert {*statement.models, *statement.others} <= set(known)
            assert statement.benchmarks == "all" or set(statement.benchmarks) <= set(of_a_study())
