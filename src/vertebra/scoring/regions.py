"""What ViP-LLaVA's region benchmarks (Visual7W, PointQA-LookTwice, VCR) share: boxes, and grading by equality."""

from typing import Annotated

from pydantic import Field, FiniteFloat

from vertebra.scoring.benchmark import Sample, Verdict
from vertebra.scoring.normalise import vqa

Corners = Annotated[list[FiniteFloat], Field(min_length=4, max_length=4)]
"""xyxy pixels of the original picture."""


def same(sample: Sample, text: str) -> Verdict:
    """Right when the answer is the gold answer but for case and outer blanks; nothing else is forgiven."""
    said = text.strip().lower()
    (gold,) = sample.gold
    return Verdict(sample.id, float(said == gold.lower()), said)


def alike(sample: Sample, text: str) -> Verdict:
    """Right when both are the same after VQA's processing: no articles, no punctuation, "three" is "3"."""
    said = vqa(text)
    (gold,) = sample.gold
    return Verdict(sample.id, float(bool(said) and said == vqa(gold)), said)
