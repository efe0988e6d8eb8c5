"""Stored scores of made-up models whose answers are right as often as told."""

import json
import random
from collections.abc import Mapping
from pathlib import Path

from vertebra.benchmarks import benchmark
from vertebra.files import append_rows, write_atomically
from vertebra.report import Cell
from vertebra.report.matrix import Matrix, build_matrix
from vertebra.scoring.benchmark import Benchmark, Sample, Verdict
from vertebra.scoring.scorecard import stored


def cell(folder: Path, model: str, of: Benchmark, right: list[bool], seed: int = 0) -> Cell:
    """A cell of a model (`family/backbone`) whose n-th answer is right or not."""
    family, backbone = model.split("/")
    samples = [Sample(str(at), "?", None, ("yes",), {}, f"image {at}") for at in range(len(right))]
    card, rows = stored(of, samples, [Verdict(str(at), float(is_right), "yes") for at, is_right in enumerate(right)])
    out = folder / model.replace("/", "--") / str(seed) / of.name
    out.mkdir(parents=True)
    write_atomically(out / "scorecard.json", json.dumps(card))
    append_rows(out / "samples.jsonl", rows)
    return Cell(family, backbone, seed, of.name, card, score=out)


def cells(
    folder: Path, shares: Mapping[str, Mapping[str, float]], questions: int = 400, seeds: tuple[int, ...] = (0,)
) -> list[Cell]:
    """Cells of models by how often they are right on each benchmark; the same questions are hard for all of them."""
    found = []
    for name in dict.fromkeys(name for of_model in shares.values() for name in of_model):
        hard = [random.Random(f"{name} {at}").random() for at in range(questions)]
        for model, of_model in shares.items():
            for seed in seeds if name in of_model else ():
                luck = random.Random(f"{model} {name} {seed}")
                right = [0.7 * at + 0.3 * luck.random() < of_model[name] for at in hard]
                found.append(cell(folder, model, benchmark(name), right, seed))
    return found


def matrix(found: list[Cell]) -> Matrix:
    """The comparisons of these."""
    return build_matrix(found, {each.benchmark: benchmark(each.benchmark) for each in found})


def three(folder: Path, family: str = "f", seed: int = 0) -> list[Cell]:
    """On GQA, the best (90 of 100), one that differs from it by chance alone (89), and one far behind (40)."""
    counts = {"best": 90, "close": 89, "far": 40}
    gqa = benchmark("gqa")
    return [
        cell(folder, f"{family}/{name}", gqa, [n < count for n in range(100)], seed) for name, count in counts.items()
    ]
