"""Where the models of each family stand: how often one is highest, and how often it beats another for real.

    Standing(Model("llava-1.5", "phi-3-mini"), highest=12, columns=16, better=9, worse=1, compared=48)

Scores of unlike benchmarks are never averaged. What counts is how many of a model's differences within its family are
more than chance, all tests of the study counted together.
"""

from collections.abc import Sequence
from typing import NamedTuple

from vertebra.report.grid import Grid, Model
from vertebra.report.matrix import Matrix


class Standing(NamedTuple):
    """One model among those of its family."""

    model: Model
    highest: int
    """Columns in which none of the family shows a higher number."""
    columns: int
    """In which it has a score."""
    better: int
    """Differences in its favour that are real."""
    worse: int
    """And those in another's."""
    compared: int


def standings(grid: Grid, matrix: Matrix) -> list[tuple[str, list[Standing]]]:
    """By family, the models with the best balance of real differences first, ties in the study's order."""
    return [
        (family, sorted((_standing(model, grid, matrix) for model in grid.of(family)), key=_rank))
        for family in grid.families()
    ]


def leading(found: Sequence[Standing]) -> list[Standing]:
    """The first of a family and all that stand as well; none where no difference is real."""
    best = _balance(found[0])
    return [each for each in found if _balance(each) == best] if any(each.better for each in found) else []


def _standing(model: Model, grid: Grid, matrix: Matrix) -> Standing:
    name, family = "/".join(model), {"/".join(each) for each in grid.of(model.family)}
    better = worse = compared = 0
    for pair in matrix.pairs:
        arms = pair.comparison.a, pair.comparison.b
        if name not in arms or not family.issuperset(arms):
            continue
        compared += 1
        gain = pair.comparison.headline.value * (1 if arms[1] == name else -1)
        better += pair.is_real and gain > 0
        worse += pair.is_real and gain < 0
    columns = [column for column in grid.columns if (model, column) in grid.scores]
    return Standing(
        model, sum(grid.is_best(model, column) for column in columns), len(columns), better, worse, compared
    )


def _balance(standing: Standing) -> int:
    return standing.better - standing.worse


def _rank(standing: Standing) -> tuple[int, int]:
    return -_balance(standing), -standing.highest
