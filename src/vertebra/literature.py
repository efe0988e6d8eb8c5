"""What others have published: tables of numbers, and claims in words that tests can bear out or not.

models: {llava-1.5/vicuna-7b: {gqa: 63.2, pope: 87.3}}             a table, `reference/*.yaml`
claims: [{title: …, says: …, statements: [{models: [llama-3-8b], relation: ahead of, others: [vicuna-13b]}]}]
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from vertebra.spec import Json, Names, Spec

Url = Annotated[str, Field(pattern=r"^https?://[^\s()<>]+$")]


class Sized(Spec):
    """How many questions a published number is of, or what else tells how far it may be off."""

    questions: PositiveInt | None = None
    sd: PositiveFloat | None = None
    """Standard deviation of a single question's score in the metric's unit; by default that of right or wrong."""
    error: PositiveFloat | None = None
    """The standard error of a score, where it does not follow from a number of questions."""

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        if (self.questions is None) == (self.error is None):
            raise PydanticCustomError("size", "a size takes `questions`, perhaps with `sd`, or `error`")
        return self


class Reference(Spec):
    """A published table, to be shown beside a study's own numbers."""

    name: str = ""
    title: str
    source: Url
    notes: Mapping[str, str] = {}
    """By benchmark, what about its numbers is not as the benchmark's protocol says, or is not said."""
    sizes: Mapping[str, Sized] = {}
    """By benchmark; without one, nothing can be said of how sure its numbers are."""
    correlation: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Of two models' scores on a question, which no table tells."""
    models: Mapping[str, Mapping[str, float]]
    """By `family/backbone` and benchmark, the headline metric."""


class Statement(Spec):
    """That models are ahead of others, or alike, on some benchmarks."""

    models: Names
    relation: Literal["ahead of", "like"]
    others: Names
    between: Literal["backbones", "families"] = "backbones"
    """What the names are of: backbones within each family, or families on each backbone."""
    benchmarks: Literal["all"] | Names = "all"
    mean: bool = False
    """Whether it is said of the mean over the benchmarks, not of each."""


class Claim(Spec):
    """Something that was published in words, and the statements that it stands or falls with."""

    title: str
    says: str
    statements: Annotated[tuple[Statement, ...], Field(min_length=1)]


class Claims(Spec):
    """Published claims on models, to be checked against the table they come with and against studies."""

    name: str = ""
    title: str
    source: Url
    table: str
    """The published table."""
    margin: PositiveFloat = 2.0
    """Differences below it count as none, in points between chance and ceiling."""
    families: Names
    backbones: Names
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]

    def document(self) -> dict[str, Json]:
        """Where they are from, as JSON."""
        return {"title": self.title, "source": self.source, "table": self.table, "margin": self.margin}
