"""Findings: true of the numbers, made only when a test passes."""

import json
import random

import pytest
from tests.report.scored import cell, cells, matrix

from vertebra.benchmarks import benchmark
from vertebra.report.findings import MARGIN, find
from vertebra.report.grid import build_grid
from vertebra.spec import Study

SHARES = {
    "eyes/ada": {"gqa": 0.9, "vqav2": 0.85, "vizwiz": 0.8, "v7w": 0.6, "pointqa": 0.6},
    "eyes/bob": {"gqa": 0.6, "vqav2": 0.5, "vizwiz": 0.8, "v7w": 0.6, "pointqa": 0.6},
    "eyes/cid": {"gqa": 0.3, "vqav2": 0.5, "vizwiz": 0.8, "v7w": 0.6, "pointqa": 0.6},
    "ears/ada": {"gqa": 0.9, "vqav2": 0.85, "vizwiz": 0.8, "v7w": 0.9, "pointqa": 0.9},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return find(matrix(cells(tmp_path_factory.mktemp("scores"), SHARES)))


def of(found, kind, model, other, capability=""):
    return [
        each
        for each in found
        if (each.kind, each.model, each.other, each.capability) == (kind, model, other, capability)
    ]


def test_a_model_is_ahead_where_its_benchmarks_are_together(found):
    (ahead,) = of(found, "ahead", "eyes/ada", "eyes/bob", "perception")
    assert ahead.says.startswith("eyes: ada is ahead of bob in perception by ")
    higher = sum(each.difference > 0 for each in ahead.evidence)
    assert ahead.says.endswith(f", higher on {higher} of 3 benchmarks (Holm p < .001).")
    assert higher >= 2
    assert [each.benchmark for each in ahead.evidence] == ["gqa", "vqav2", "vizwiz"]
    low, high = ahead.ci95
    assert 0 < low < ahead.difference < high


def test_families_are_compared_on_the_same_backbone(found):
    (ahead,) = of(found, "ahead", "ears/ada", "eyes/ada", "region")
    assert ahead.says.startswith("ada: ears is ahead of eyes in region by ")
    assert not [each for each in found if {each.model, each.other} == {"ears/ada", "eyes/bob"}]


def test_the_first_and_the_last_are_ahead_of_or_behind_all_others(found):
    (first,) = [each for each in found if each.kind == "first" and each.evidence[0].benchmark == "gqa"]
    (last,) = [each for each in found if each.kind == "last" and each.evidence[0].benchmark == "gqa"]
    assert (first.model, first.other, last.model, last.other) == ("eyes/ada", "eyes/bob", "eyes/cid", "eyes/bob")
    assert "first on GQA" in first.says
    assert " behind bob, the next" in last.says
    assert [piece.other for piece in first.evidence] == ["eyes/bob", "eyes/cid"]
    assert [piece.other for piece in last.evidence] == ["eyes/bob", "eyes/ada"]
    assert not [each for each in found if each.kind in ("first", "last") and each.evidence[0].benchmark == "v7w"]


def test_evidence_names_questions_that_one_model_alone_has_right(found, tmp_path):
    (ahead,) = of(found, "ahead", "eyes/ada", "eyes/bob", "perception")
    stored = {each.label: each for each in cells(tmp_path, SHARES)}
    right = {}
    for model in ("ada", "bob"):
        rows = (stored[f"eyes/{model}/seed0/gqa"].score / "samples.jsonl").read_text().splitlines()
        right[model] = {row["id"]: row["score"] for row in map(json.loads, rows)}
    questions = ahead.evidence[0].questions
    assert len(questions) == 3
    assert all(right["ada"][name] == 1 and right["bob"][name] == 0 for name in questions)


def test_findings_are_true_of_the_table(found, tmp_path):
    made = cells(tmp_path, SHARES)
    study = Study(study="s", families=("a",), backbones=("b",))
    grid = build_grid(study, made)
    values = {
        (f"{model.family}/{model.backbone}", column.benchmark): s.value for (model, column), s in grid.scores.items()
    }
    for each in found:
        for piece in each.evidence:
            told = values[each.model, piece.benchmark] - values[piece.other, piece.benchmark]
            assert piece.difference == pytest.approx(told)
            assert piece.ci95[0] <= piece.difference <= piece.ci95[1]
    (ahead,) = of(found, "ahead", "eyes/ada", "eyes/bob", "perception")
    assert ahead.difference == pytest.approx(sum(piece.difference for piece in ahead.evidence) / 3)  # chance 0 each
    (region,) = of(found, "ahead", "ears/ada", "eyes/ada", "region")
    v7w, pointqa = (piece.difference for piece in sorted(region.evidence, key=lambda piece: piece.benchmark != "v7w"))
    assert region.difference == pytest.approx((v7w / 0.75 + pointqa) / 2)


def test_models_with_the_same_answers_are_alike_and_nobody_is_ahead(tmp_path):
    rng = random.Random(0)
    right = {name: [rng.random() < 0.7 for _ in range(3000)] for name in ("gqa", "vqav2")}
    same = [
        cell(
            tmp_path, f"eyes/{model}", benchmark(name), [*right[name][:-flip], *(not at for at in right[name][-flip:])]
        )
        for name in right
        for model, flip in (("ada", 3), ("bob", 7), ("cid", 12))
    ]
    found = find(matrix(same))
    assert {each.kind for each in found} == {"alike"}
    assert len(found) == 3
    assert all(f"surely less than {MARGIN:g} apart" in each.says and abs(each.difference) < MARGIN for each in found)


def test_chance_alone_is_a_finding_in_at_most_one_study_of_twenty(tmp_path):
    """Two sorts of tests, each held to 5 % of the studies."""
    rng, wrong = random.Random(0), 0
    for number in range(60):
        made = [
            cell(tmp_path / str(number), f"eyes/{model}", benchmark(name), [rng.random() < 0.5 for _ in range(80)])
            for model in "abc"
            for name in ("gqa", "vqav2")
        ]
        wrong += any(each.kind != "alike" for each in find(matrix(made)))
    assert wrong <= 6, wrong


def test_a_study_of_one_model_finds_nothing(tmp_path):
    assert find(matrix(cells(tmp_path, {"eyes/ada": {"gqa": 0.5}}))) == []
