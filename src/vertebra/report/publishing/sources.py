"""Which dataset of the Hugging Face hub a benchmark's questions are.

    Dataset("lmms-lab-encoder/POPE", split="test", on_hub=True)       of a study whose files come from outside
    Dataset("vertebra/miniature", on_hub=False)                       of one that makes its own: no hub dataset's score

A study's own questions look like the official ones and are not, and a part of a benchmark is not the benchmark: their
scores must not stand on its page.
"""

from typing import TYPE_CHECKING, NamedTuple

from vertebra.report.publishing.models import Result
from vertebra.scoring.sources import Files, Rows

if TYPE_CHECKING:
    from vertebra.report import Material


class Dataset(NamedTuple):
    """A benchmark's questions as a dataset."""

    id: str
    """`owner/name`."""
    split: str = ""
    """Of the hub's, where the questions are one."""
    on_hub: bool = True
    """Whether it is the hub's; else a study's maker made it."""


def dataset(material: "Material", result: Result) -> Dataset | None:
    """The dataset of a benchmark's questions; None where the hub has none, or not so many questions as were asked."""
    if material.study.data:
        return Dataset(f"vertebra/{material.study.data}", on_hub=False)
    asked = len(result.questions) or result.card.n
    releases = result.benchmark.releases
    if releases and asked not in {release.questions for release in releases}:
        return None
    for source in result.benchmark.sources.values():
        for part in source.parts:
            if isinstance(part, Rows):
                return Dataset(part.names[0], part.tables[0].split)
            if isinstance(part, Files):
                return Dataset(part.names[0])
    return None
