"""Every pair of models on every benchmark."""

from dataclasses import replace

import pytest
from tests.report.scored import cell, cells, matrix

from vertebra.benchmarks import benchmark
from vertebra.report.matrix import build_matrix
from vertebra.scoring.significance import holm

SHARES = {
    "eyes/ada": {"gqa": 0.9, "vqav2": 0.8},
    "eyes/bob": {"gqa": 0.5, "vqav2": 0.8},
    "ears/ada": {"gqa": 0.9, "vqav2": 0.7},
}


def test_all_pairs_are_tested_and_counted_together(tmp_path):
    found = matrix(cells(tmp_path, SHARES))
    assert [square.benchmark.name for square in found.squares] == ["gqa", "vqav2"]
    assert [len(square.pairs) for square in found.squares] == [3, 3]
    assert [pair.p for pair in found.pairs] == holm([pair.comparison.headline.p for pair in found.pairs])
    document = found.document("small")
    assert (document["tests"], len(document["arms"]), len(document["comparisons"])) == (6, 6, 6)


def test_a_pair_is_found_in_either_order(tmp_path):
    found = matrix(cells(tmp_path, SHARES))
    pair = found.pair("gqa", "testdev_balanced", "eyes/ada", "eyes/bob")
    assert pair is found.pair("gqa", "testdev_balanced", "eyes/bob", "eyes/ada") is not None
    assert pair.is_real
    assert pair.comparison.headline.value < -20
    assert found.pair("gqa", "another", "eyes/ada", "eyes/bob") is None


def test_what_cannot_be_compared_is_told_and_takes_nothing_along(tmp_path):
    lone = {**SHARES, "eyes/cid": {"pointqa": 0.5}}
    found = matrix(
        [*cells(tmp_path / "a", lone), *cells(tmp_path / "b", {"x/y": {"v7w": 0.5}, "x/z": {"v7w": 0.4}}, 1)]
    )
    assert [square.benchmark.name for square in found.squares] == ["gqa", "vqav2"]
    alone, few = found.skipped
    assert alone == "pointqa (vip-llava): eyes/cid has none to be compared with."
    assert "1 images in common" in few


def test_two_protocols_are_two_squares(tmp_path):
    one, two = benchmark("gqa"), replace(benchmark("gqa"), protocol="another")
    made = [
        cell(tmp_path / of.protocol, model, of, [at % 3 > 0 for at in range(60)])
        for of in (one, two)
        for model in ("f/a", "f/b")
    ]
    found = build_matrix(made, {"gqa": one})
    assert [square.aligned.protocol for square in found.squares] == ["testdev_balanced", "another"]
    assert found.skipped == ()


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_seeds_are_compared_together(tmp_path, seeds):
    found = matrix(cells(tmp_path, SHARES, seeds=seeds))
    assert len(found.pairs) == 6
    assert found.has_seeds is (len(seeds) > 1)
    assert found.models == ["eyes/ada", "eyes/bob", "ears/ada"]
