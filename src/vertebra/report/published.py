"""Published numbers beside a study's own, where both name the same family, backbone and benchmark.

Published(Model("llava-1.5", "vicuna-7b"), Column("gqa", "accuracy", "testdev_balanced"), ours=62.1, theirs=63.2,
          table="Study on LLM Backbones", note="")
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vertebra.literature import Reference
from vertebra.report.grid import Column, Grid, Model, plain
from vertebra.spec import Json


class Published(NamedTuple):
    """A headline number of ours and one that was published."""

    family: str
    backbone: str
    benchmark: str
    metric: str
    protocol: str
    """Of our number."""
    ours: float
    theirs: float
    table: str
    source: str
    note: str
    """What makes the two less comparable; empty where nothing is known to."""

    @property
    def column(self) -> Column:
        """Where our number stands in the grid, by its plain names."""
        return Column(plain(self.benchmark), self.metric, self.protocol)

    @property
    def difference(self) -> float:
        """Ours less theirs, in the metric's unit."""
        return self.ours - self.theirs

    def to_json(self) -> Mapping[str, Json]:
        """As it stands in results.json."""
        return {**self._asdict(), "difference": self.difference}


def beside(grid: Grid, references: Sequence[Reference]) -> list[Published]:
    """Every number of a grid that a published table has too, in the grid's order."""
    return [
        Published(
            family=plain(model.family),
            backbone=plain(model.backbone),
            benchmark=column.benchmark,
            metric=plain(column.metric),
            protocol=plain(column.protocol),
            ours=grid.scores[model, column].value,
            theirs=theirs,
            table=plain(reference.title),
            source=reference.source,
            note=plain(reference.notes.get(column.benchmark, "")),
        )
        for model in grid.models
        for column in grid.columns
        if (model, column) in grid.scores
        for reference in references
        if (theirs := _told(reference, model).get(column.benchmark)) is not None
    ]


def _told(reference: Reference, model: Model) -> Mapping[str, float]:
    return reference.models.get(f"{model.family}/{model.backbone}", {})
