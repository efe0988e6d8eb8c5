"""What published numbers show. Golden values were computed apart from this code: n and p of each benchmark by hand."""

import pytest

from vertebra.benchmarks import benchmark
from vertebra.catalog import Catalog
from vertebra.scoring.significance import ALPHA, detectable, holm
from vertebra.scoring.summary import between, parts, told

A, B = "llava-1.5/vicuna-13b", "llava-1.5/llama-3-8b"
GOLDEN = {  # benchmark: half of the 95 % interval, detectable, difference, z, real
    "mmbench": (2.6, 3.8, 4.6, 3.4, True),
    "mmbench_cn": (2.8, 4.0, 2.2, 1.6, False),
    "scienceqa": (2.0, 2.8, 3.6, 3.7, True),
    "pope": (0.7, 1.0, -0.3, -0.8, False),
    "vizwiz": (1.1, 1.6, -3.6, -6.5, True),
    "textvqa": (1.4, 2.0, -3.3, -4.8, True),
    "vqav2": (0.24, 0.35, -0.4, -3.3, True),
    "gqa": (0.84, 1.2, -0.1, -0.2, False),
    "seed_img": (0.77, 1.1, 0.8, 2.1, False),
    "mm_vet": (5.6, 8, 0.5, 0.2, False),
    "llava_wild": (5, 7, -0.8, -0.3, False),
}


@pytest.fixture(scope="module")
def table():
    return Catalog.installed().reference("study-llm-backbones")


def test_the_published_lead_in_gqa_is_noise_and_that_in_mmbench_is_real(table):
    found = {name: between(table, A, B, name) for name in (*GOLDEN, "mme")}
    adjusted = dict(zip(found, holm([contrast.p for contrast in found.values()]), strict=True))
    for name, (half, mde, difference, z, real) in GOLDEN.items():
        contrast = found[name]
        assert told(table, A, name).half == pytest.approx(half, abs=0.1), name
        assert detectable(contrast.error) == pytest.approx(mde, rel=0.05), name
        assert contrast.value == pytest.approx(difference), name
        assert contrast.value / contrast.error == pytest.approx(z, abs=0.06), name
        assert (adjusted[name] <= ALPHA) is real, name
    assert found["seed_img"].p < ALPHA < adjusted["seed_img"]


def test_vip_bench_in_boxes_is_noise(table):
    found = between(table, "vip-llava/vicuna-13b", "vip-llava/llama-3-8b", "vip_bench_bbox")
    assert (found.value, found.value / found.error) == (pytest.approx(-2.9), pytest.approx(-1.2, abs=0.05))


def test_scores_that_correlate_differ_by_less(table):
    errors = [
        between(table.model_copy(update={"correlation": correlation}), A, B, "gqa").error
        for correlation in (0.0, 0.5, 0.9)
    ]
    assert errors[0] == pytest.approx(errors[1] * 2**0.5, rel=1e-3)
    assert errors[2] < errors[1] / 2


def test_a_number_without_a_sample_size_says_nothing(table):
    assert between(table, "vip-llava/vicuna-7b", "vip-llava/vicuna-13b", "v7w") is None
    assert between(table, A, "llava-1.5/none", "gqa") is None
    assert between(table, "vip-llava/vicuna-7b", A, "vip_bench_bbox") is None


def test_parts_are_told_between_chance_and_ceiling(table):
    (only,) = parts(table, A, B, [benchmark("mme"), benchmark("v7w")])
    assert only.value == pytest.approx(100 * -34.9 / 1250)
    assert only.questions.value == pytest.approx((37 * 100 / 1250) ** 2)
