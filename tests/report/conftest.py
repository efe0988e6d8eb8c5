"""Cells of small studies, made up but shaped like real ones."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from vertebra.benchmarks import benchmark
from vertebra.report import Cell, Material
from vertebra.spec import Study

HEADLINES = {"pope": "f1", "scienceqa": "image_accuracy", "gqa": "accuracy", "v7w": "accuracy"}
SIXTEEN = (
    *HEADLINES,
    *("mme", "seed_img", "mmbench", "mmbench_cn", "textvqa", "vqav2", "vizwiz", "llava_wild", "mm_vet", "pointqa"),
    *("vip_bench_bbox", "vip_bench_human"),
)


def a_card(benchmark: str, value: float, **changes: object) -> dict[str, object]:
    """A scorecard whose headline has this value and an interval of ± 2."""
    headline = HEADLINES.get(benchmark, "accuracy")
    card: dict[str, object] = {
        "benchmark": benchmark,
        "protocol": "llava",
        "n": 300,
        "missing": 0,
        "headline": headline,
        "metrics": {"extra": value / 2, headline: value},
        "groups": {},
        "ci95": {headline: [value - 2, value + 2]},
    }
    return card | changes


@pytest.fixture
def card() -> Callable[..., dict[str, object]]:
    return a_card


@pytest.fixture
def cells() -> Callable[..., list[Cell]]:
    def make(
        benchmarks: Sequence[str] = tuple(HEADLINES),
        families: Sequence[str] = ("tiny-llava-1.5", "tiny-vip-llava"),
        backbones: Sequence[str] = ("tiny-vicuna-s", "tiny-vicuna-m", "tiny-llama-3", "tiny-phi-3"),
        seeds: Sequence[int] = (0,),
    ) -> list[Cell]:
        names = [(f, b, s, name) for f in families for b in backbones for s in seeds for name in benchmarks]
        return [Cell(*name, a_card(name[3], 55 + 37 * place % 41 + place / 7)) for place, name in enumerate(names)]

    return make


@pytest.fixture
def study() -> Study:
    return Study(study="miniature", title="Which one?", families=("a",), backbones=("b",), benchmarks="all")


@pytest.fixture
def material(study: Study) -> Callable[[Sequence[Cell]], Material]:
    return lambda cells: Material(study, cells, {name: benchmark(name) for name in SIXTEEN})


@pytest.fixture
def axes() -> Mapping[str, tuple[float, float]]:
    return dict.fromkeys(SIXTEEN, (25.0, 100.0))


@pytest.fixture
def sixteen() -> tuple[str, ...]:
    return SIXTEEN
