"""Published claims, checked: is what was said borne out by a table, or by a study?

    check(claims, OfTable(table, benchmarks), same).judged[0].verdict    "not shown": 2 of 8 differences are

A claim is supported where everything that it says is shown, contradicted where the opposite of a part of it is, and not
shown otherwise. All tests of a set of claims are counted together (Holm).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

from vertebra.literature import Claim, Claims, Statement
from vertebra.report.contrasts import Contrasts, OfStudy
from vertebra.report.grid import benchmark_title, plain
from vertebra.report.matrix import Matrix, chance
from vertebra.scoring.contrast import Contrast
from vertebra.scoring.significance import ALPHA, holm
from vertebra.spec import Json

Verdict = Literal["supported", "not shown", "contradicted", "not measured"]
VERDICTS: tuple[Verdict, ...] = ("supported", "not shown", "contradicted", "not measured")


class Checked(NamedTuple):
    """One difference that a claim speaks of."""

    model: str
    relation: Literal["ahead of", "like"]
    other: str
    benchmarks: tuple[str, ...]
    """One, or those that the mean is of."""
    is_mean: bool
    contrast: Contrast
    """Of the model less the other."""
    p: float
    """That what is found is chance, by Holm over all that the claims speak of."""
    margin: float

    @property
    def verdict(self) -> Verdict:
        """What it says of the claim."""
        if self.p > ALPHA:
            return "not shown"
        if self.relation == "ahead of":
            return "supported" if self.contrast.value > 0 else "contradicted"
        return "supported" if abs(self.contrast.value) < self.margin else "contradicted"

    @property
    def chance(self) -> float:
        """The p value, before others are counted with it."""
        if self.relation == "ahead of":
            return self.contrast.p
        return min(self.contrast.p_alike(self.margin), self.contrast.p_apart(self.margin))

    @property
    def says(self) -> str:
        """`not shown: eyes/ada ahead of eyes/bob, GQA: +0.1 [-0.7, +0.9], Holm p = .816`."""
        low, high = self.contrast.ci95
        where = f"mean of {len(self.benchmarks)} benchmarks" if self.is_mean else benchmark_title(self.benchmarks[0])
        return (
            f"{self.verdict}: {plain(self.model)} {self.relation} {plain(self.other)}, {where}: "
            f"{self.contrast.value:+z.1f} [{low:+z.1f}, {high:+z.1f}], Holm {chance(self.p)}"
        )

    def document(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "model": self.model,
            "relation": self.relation,
            "other": self.other,
            "benchmarks": self.benchmarks,
            "mean": self.is_mean,
            "difference": self.contrast.value,
            "ci95": list(self.contrast.ci95),
            "p_holm": self.p,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim, and what speaks for and against it."""

    claim: Claim
    checks: tuple[Checked, ...]

    @property
    def verdict(self) -> Verdict:
        """Of the whole claim."""
        found = {check.verdict for check in self.checks}
        if not found:
            return "not measured"
        return "contradicted" if "contradicted" in found else "supported" if found == {"supported"} else "not shown"

    def count(self, verdict: Verdict) -> int:
        """How many of its differences have this verdict."""
        return sum(check.verdict == verdict for check in self.checks)

    def document(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "title": self.claim.title,
            "says": self.claim.says,
            "verdict": self.verdict,
            "checks": [check.document() for check in self.checks],
        }


class Checklist(NamedTuple):
    """A set of claims, checked."""

    claims: Claims
    models: Mapping[str, str]
    """By the published `family/backbone`, the model that stands for it."""
    judged: tuple[Judged, ...]

    @property
    def remark(self) -> str:
        """Who stands for whom, where anybody stands for another."""
        others = [f"{own} for {published}" for published, own in self.models.items() if own != published]
        return f"Checked on models that stand for the published ones: {', '.join(others)}." if others else ""

    def document(self) -> dict[str, Json]:
        """As JSON."""
        told: list[Json] = [each.document() for each in self.judged]
        return {**self.claims.document(), "models": self.models, "claims": told}


def check(claims: Claims, contrasts: Contrasts, models: Mapping[str, str]) -> Checklist:
    """A verdict on each claim. `models` gives, by the published `family/backbone`, the model that stands for it."""
    drafts = [[*_checks(claim, claims, contrasts, models)] for claim in claims.claims]
    chances = iter(holm([each.chance for checks in drafts for each in checks]))
    judged = (
        Judged(claim, tuple(each._replace(p=next(chances)) for each in checks))
        for claim, checks in zip(claims.claims, drafts, strict=True)
    )
    return Checklist(claims, models, tuple(judged))


def check_all(sets: Sequence[Claims], matrix: Matrix, stands_for: Mapping[str, str]) -> list[Checklist]:
    """The claims that speak of a study's models, checked on its answers; those that speak of none are left out."""
    found = [check(claims, OfStudy(matrix), standing(claims, matrix.models, stands_for)) for claims in sets]
    return [checklist for checklist in found if any(each.checks for each in checklist.judged)]


def standing(claims: Claims, names: Sequence[str], stands_for: Mapping[str, str]) -> dict[str, str]:
    """By published model, the one of these that has its name or stands in its place."""
    found: dict[str, str] = {}
    for name in names:
        family, backbone = (stands_for.get(part, part) for part in name.split("/", 1))
        if family in claims.families and backbone in claims.backbones:
            found.setdefault(f"{family}/{backbone}", name)
    return found


def _checks(claim: Claim, claims: Claims, contrasts: Contrasts, models: Mapping[str, str]) -> Iterator[Checked]:
    for statement in claim.statements:
        for better, worse in _pairs(statement, claims):
            if better not in models or worse not in models:
                continue
            model, other = models[better], models[worse]
            shared = contrasts.shared(other, model)
            wanted = [name for name in shared if statement.benchmarks == "all" or name in statement.benchmarks]
            for names in [tuple(wanted)] if statement.mean else [(name,) for name in wanted]:
                found = contrasts.mean(names, other, model) if statement.mean else contrasts.on(names[0], other, model)
                if found:
                    yield Checked(
                        model, statement.relation, other, names, statement.mean, found, p=1.0, margin=claims.margin
                    )


def _pairs(statement: Statement, claims: Claims) -> Iterator[tuple[str, str]]:
    """The published models that a statement compares."""
    for one, other in product(statement.models, statement.others):
        if statement.between == "families":
            yield from ((f"{one}/{backbone}", f"{other}/{backbone}") for backbone in claims.backbones)
        else:
            yield from ((f"{family}/{one}", f"{family}/{other}") for family in claims.families)
