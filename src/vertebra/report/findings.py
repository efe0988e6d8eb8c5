"""What a study has found: claims that are generated only when a test passes, each with its evidence.

    ahead   llava-1.5: llama-3-8b is ahead of vicuna-13b in language and knowledge by 3.1 [1.4, 4.8], higher on 3 of 4
            benchmarks (Holm p < .001).
    alike   llava-1.5: llama-3-8b and vicuna-13b are alike over 12 benchmarks: +0.3 [-0.5, 1.0], less than 2 apart (…).
    first   llava-1.5: vicuna-13b is first on TextVQA, 3.1 [1.7, 4.5] ahead of vicuna-7b, the next (Holm p < .001).
    last    vip-llava: phi-3-mini is last on VizWiz, 19.2 [18.1, 20.3] behind llama-3-8b, the next (Holm p < .001).

Means over benchmarks are in points between chance (0) and the ceiling (100) of each; all tests of means are counted
together, as are all of single benchmarks (`matrix.py`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

from vertebra.report.contrasts import OfStudy
from vertebra.report.grid import benchmark_title, metric_title, plain
from vertebra.report.matrix import Matrix, Pair, Square, chance
from vertebra.scoring.contrast import Contrast
from vertebra.scoring.significance import ALPHA, holm
from vertebra.spec import Json

Kind = Literal["ahead", "alike", "first", "last"]
KINDS: tuple[Kind, ...] = ("ahead", "alike", "first", "last")
MARGIN = 2.0
"""Means that are surely less apart than this are alike, in points between chance and ceiling."""
EXAMPLES = 3
"""Questions that a piece of evidence names."""


class Evidence(NamedTuple):
    """A difference on one benchmark, as it stands in the comparison of all pairs."""

    other: str
    """The model that it is less."""
    benchmark: str
    protocol: str
    metric: str
    difference: float
    ci95: tuple[float, float]
    p: float
    """By Holm over all pairs and benchmarks of the study."""
    questions: tuple[str, ...]
    """Ids of some that the model has right and the other wrong; the other way round where it is behind."""

    @property
    def says(self) -> str:
        """`POPE (llava), F1, less llava-1.5/vicuna-7b: +1.3 [+0.5, +2.1], Holm p = .020`."""
        return f"{benchmark_title(self.benchmark)} {self.details}"

    @property
    def details(self) -> str:
        """All but the benchmark's name."""
        low, high = self.ci95
        figures = f"{self.difference:+z.1f} [{low:+z.1f}, {high:+z.1f}], Holm {chance(self.p)}"
        return f"({plain(self.protocol)}), {metric_title(self.metric)}, less {plain(self.other)}: {figures}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim that the data bear out."""

    kind: Kind
    model: str
    """`family/backbone`."""
    other: str
    capability: str
    """What the benchmarks have in common; empty for all, and for a single one."""
    difference: float
    """The model less the other."""
    ci95: tuple[float, float]
    p: float
    """By Holm over all tests of its kind of number: of means, or of single benchmarks."""
    evidence: tuple[Evidence, ...]

    @property
    def says(self) -> str:
        """The claim as a sentence."""
        return _SENTENCES[self.kind](self)

    def document(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "kind": self.kind,
            "says": self.says,
            "model": self.model,
            "other": self.other,
            "capability": self.capability,
            "difference": self.difference,
            "ci95": list(self.ci95),
            "p_holm": self.p,
            "evidence": [each._asdict() for each in self.evidence],
        }


def find(matrix: Matrix) -> list[Finding]:
    """All claims that pass their test, by kind; of backbones before those of families, the largest difference first."""

    def rank(finding: Finding) -> tuple[int, bool, float]:
        families = {model.split("/", 1)[0] for model in (finding.model, finding.other)}
        return KINDS.index(finding.kind), len(families) > 1, -abs(finding.difference)

    return sorted([*_of_means(matrix), *_of_places(matrix)], key=rank)


class _Tested(NamedTuple):
    """A mean that is tested two ways: for a difference, and for there being none that matters."""

    model: str
    other: str
    capability: str
    benchmarks: tuple[str, ...]
    contrast: Contrast


def _of_means(matrix: Matrix) -> Iterator[Finding]:
    source = OfStudy(matrix)
    tested = [*_means(matrix, source)]
    differ = holm([each.contrast.p for each in tested])
    same = holm([each.contrast.p_alike(MARGIN) for each in tested])
    for each, p_differ, p_same in zip(tested, differ, same, strict=True):
        if p_differ <= ALPHA:
            ahead = each.contrast.value > 0
            model, other = (each.model, each.other) if ahead else (each.other, each.model)
            contrast = each.contrast if ahead else each.contrast.reversed()
            yield _finding("ahead", model, other, each, contrast, p_differ, source)
        elif p_same <= ALPHA:
            yield _finding("alike", each.model, each.other, each, each.contrast, p_same, source)


def _means(matrix: Matrix, source: OfStudy) -> Iterator[_Tested]:
    """Every pair of models that have the family or the backbone in common, over all benchmarks and each capability."""
    capabilities = {square.benchmark.name: square.benchmark.capability for square in matrix.squares}
    for other, model in combinations(matrix.models, 2):
        one, two = model.split("/", 1), other.split("/", 1)
        if (one[0] == two[0]) == (one[1] == two[1]):
            continue
        shared = source.shared(other, model)
        for capability in ("", *dict.fromkeys(capabilities.values())):
            names = tuple(name for name in shared if not capability or capabilities[name] == capability)
            contrast = source.mean(names, other, model)
            if len(names) > 1 and contrast and not (capability and len(names) == len(shared)):
                yield _Tested(model, other, capability, names, contrast)


def _finding(
    kind: Kind, model: str, other: str, tested: _Tested, contrast: Contrast, p: float, source: OfStudy
) -> Finding:
    pairs = [pair for name in tested.benchmarks if (pair := source.pair(name, model, other))]
    evidence = tuple(_evidence(pair, model, other) for pair in pairs)
    return Finding(kind, model, other, tested.capability, contrast.value, contrast.ci95, p, evidence)


def _of_places(matrix: Matrix) -> Iterator[Finding]:
    """Models that are surely ahead of all others of their family on a benchmark, or behind all."""
    for square in matrix.squares:
        families = dict.fromkeys(model.split("/", 1)[0] for model in square.estimates)
        for family in families:
            models = [model for model in square.estimates if model.split("/", 1)[0] == family]
            ranked = sorted(models, key=lambda model: -square.estimates[model].value)
            if len(ranked) > 2:
                yield from _place("first", ranked[0], ranked[1:], square, matrix)
                yield from _place("last", ranked[-1], ranked[-2::-1], square, matrix)


def _place(kind: Kind, model: str, others: Sequence[str], square: Square, matrix: Matrix) -> Iterator[Finding]:
    """`others` begin with the next."""
    protocol = square.aligned.protocol
    pairs = [matrix.pair(square.benchmark.name, protocol, model, other) for other in others]
    real = [pair for pair in pairs if pair and pair.is_real]
    if len(real) < len(others):
        return
    evidence = [_evidence(pair, model, other) for pair, other in zip(real, others, strict=True)]
    nearest = evidence[0]
    worst = max(pair.p for pair in real)  # all of them have to be real
    yield Finding(kind, model, others[0], "", nearest.difference, nearest.ci95, worst, tuple(evidence))


def _evidence(pair: Pair, model: str, other: str) -> Evidence:
    """The model less the other."""
    found = pair.comparison
    difference, sign = found.headline, 1 if found.b == model else -1
    low, high = sorted(sign * end for end in difference.ci95)
    ahead = sign * difference.value >= 0
    winner, loser = (model, other) if ahead else (other, model)
    scores = zip(found.aligned.questions, found.aligned.scores[winner][0], found.aligned.scores[loser][0], strict=True)
    flipped = [name for name, right, wrong in scores if right > wrong]
    return Evidence(
        other,
        found.benchmark.name,
        found.aligned.protocol,
        found.benchmark.headline,
        sign * difference.value,
        (low, high),
        pair.p,
        tuple(flipped[:EXAMPLES]),
    )


def _names(finding: Finding) -> tuple[str, str, str]:
    """What both models share, and what each is called beside it."""
    one, two = finding.model.split("/", 1), finding.other.split("/", 1)
    shared, own = (0, 1) if one[0] == two[0] else (1, 0)
    return plain(one[shared]), plain(one[own]), plain(two[own])


def _range(finding: Finding, form: str) -> str:
    low, high = finding.ci95
    return f"[{low:{form}}, {high:{form}}]"


def _over(finding: Finding) -> str:
    return f"in {finding.capability}" if finding.capability else f"over {len(finding.evidence)} benchmarks"


def _ahead(finding: Finding) -> str:
    shared, model, other = _names(finding)
    higher = sum(each.difference > 0 for each in finding.evidence)
    return (
        f"{shared}: {model} is ahead of {other} {_over(finding)} by {finding.difference:.1f} "
        f"{_range(finding, 'z.1f')}, higher on {higher} of {len(finding.evidence)} benchmarks "
        f"(Holm {chance(finding.p)})."
    )


def _alike(finding: Finding) -> str:
    shared, model, other = _names(finding)
    return (
        f"{shared}: {model} and {other} are alike {_over(finding)}: {finding.difference:+z.1f} "
        f"{_range(finding, '+z.1f')}, surely less than {MARGIN:g} apart (Holm {chance(finding.p)})."
    )


def _first(finding: Finding) -> str:
    shared, model, other = _names(finding)
    title = benchmark_title(finding.evidence[0].benchmark)
    return (
        f"{shared}: {model} is first on {title}, {finding.difference:.1f} {_range(finding, 'z.1f')} ahead of {other}, "
        f"the next (Holm {chance(finding.p)})."
    )


def _last(finding: Finding) -> str:
    shared, model, other = _names(finding)
    low, high = finding.ci95
    title = benchmark_title(finding.evidence[0].benchmark)
    return (
        f"{shared}: {model} is last on {title}, {-finding.difference:.1f} [{-high:z.1f}, {-low:z.1f}] behind {other}, "
        f"the next (Holm {chance(finding.p)})."
    )


_SENTENCES: Mapping[Kind, Callable[[Finding], str]] = {"ahead": _ahead, "alike": _alike, "first": _first, "last": _last}
