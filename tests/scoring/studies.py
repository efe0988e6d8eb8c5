"""Made-up studies: models answer questions on images, some images and some questions harder than others."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vertebra.scoring.metrics import Column, Sums, Table, ratio

Answers = NDArray[np.bool_]


def answers(
    rng: np.random.Generator, shares: list[float], images: int, each: int, alike: float = 0.5, studies: int = 1
) -> Answers:
    """Which answers are right: bool[studies, models, images, each]; models agree by `alike`, images by a fifth."""
    image = 0.2 if each > 1 else 0.0

    def normal(models: int, questions: int, weight: float) -> NDArray[np.float64]:
        drawn = rng.standard_normal((studies, models, images, questions))
        drawn *= weight**0.5
        return drawn

    models = len(shares)
    harder = normal(1, 1, image * alike) + normal(1, each, (1 - image) * alike)
    own = normal(models, 1, image * (1 - alike)) + normal(models, each, (1 - image) * (1 - alike))
    found: Answers = harder + own < special.ndtri(np.array(shares))[:, None, None]
    return found


def accuracy_tables(right: Answers) -> Iterator[Table]:
    """A table for `accuracy` of each study's first model."""
    count = np.full(right.shape[2], float(right.shape[3]))
    for study in right[:, 0].sum(axis=2):
        yield Table(("right", "all"), np.stack([study, count], axis=1).astype(np.float64))


def f1(sums: Sums) -> dict[str, Column]:
    """Percent."""
    return {"f1": 100 * ratio(2 * sums["tp"], 2 * sums["tp"] + sums["fp"] + sums["fn"])}


def f1_table(right: Answers, yes: Answers) -> Table:
    """Of one model's answers bool[images, each]; `yes` is where that is the right one."""
    cells = (right & yes, ~right & ~yes, ~right & yes)
    return Table(("tp", "fp", "fn"), np.stack([cell.sum(axis=-1) for cell in cells], axis=-1).astype(np.float64))
