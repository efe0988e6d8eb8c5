"""A study as steps: what has to be made, trained, answered and scored, each under a key that its inputs decide.

    make     data/miniature
    train    tiny-llava-1.5/tiny-phi-3/seed0/pretrain      then .../finetune, .../stage3
    predict  tiny-llava-1.5/tiny-phi-3/seed0/pope/answers
    score    tiny-llava-1.5/tiny-phi-3/seed0/pope/score

A step's key is the SHA-256 of its kind, its spec and the keys of the steps it needs. Nothing here touches the disk
beyond reading the catalogue.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from vertebra.catalog import Catalog
from vertebra.source import local_files
from vertebra.spec import Backbone, Family, Json, Mixture, Stage, Study, digest

Kind = Literal["make", "train", "predict", "score"]

VERSIONS: Mapping[Kind, int] = {"make": 2, "train": 1, "predict": 1, "score": 1}
"""Raised when the code of a kind of step changes what comes out of it."""


class BenchmarkFacts(Protocol):
    """What a plan has to know of a benchmark: the versions of its prompts and of its grading, and its files."""

    @property
    def name(self) -> str:
        """The name in the contract, such as `pope`."""

    @property
    def prompts(self) -> int:
        """Version of the questions' wording and images; a new one asks the model again."""

    @property
    def grading(self) -> int:
        """Version of the grading rule; a new one only scores again."""

    @property
    def max_new_tokens(self) -> int:
        """Longest answer."""

    @property
    def files(self) -> tuple[str, ...]:
        """Files under the benchmark's folder that must exist."""


Fingerprint = Callable[[str], str | None]
"""SHA-256 of a file, given by its path under the data folder or by a whole one; None where it is missing."""


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work whose result lies in the store under `key`."""

    kind: Kind
    label: str
    crew: str
    """Steps of one crew share a model and run in one process."""
    spec: Mapping[str, Json]
    needs: tuple[str, ...] = ()
    """Keys of the steps whose results it reads."""
    files: tuple[str, ...] = ()
    """Files under the data folder that it reads, where no step makes them."""
    weights: tuple[str, ...] = ()
    """Sources of the weights that it reads."""
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", digest(self.preimage()))

    def preimage(self) -> dict[str, Json]:
        """What the key is the digest of."""
        return {"kind": self.kind, "spec": self.spec, "needs": list(self.needs)}


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a study, each after those it needs."""

    study: Study
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Data:
    """Where the data comes from: a step that makes it, or files that are fingerprinted."""

    step: Step | None
    fingerprint: Fingerprint

    def needs(self) -> tuple[str, ...]:
        return (self.step.key,) if self.step else ()

    def of(self, files: Iterable[str]) -> dict[str, Json]:
        return {} if self.step else {file: self.fingerprint(file) for file in files}

    def weights(self, source: str) -> dict[str, Json]:
        """What a hub id's revision does not say of weights: the files of a folder."""
        return {path.name: self.fingerprint(str(path)) for path in local_files(source)}


def draw_plan(
    study: Study,
    catalog: Catalog,
    benchmarks: Mapping[str, BenchmarkFacts],
    fingerprint: Fingerprint = lambda _: None,
) -> Plan:
    """All steps of a study. `UnknownName` for a name that the catalogue or the benchmarks do not have."""
    maker = study.data
    make = Step("make", f"data/{maker}", f"data/{maker}", {"maker": maker, "version": VERSIONS["make"]})
    data = _Data(make if maker else None, fingerprint)
    steps = [make] if maker else []
    for family in map(catalog.family, study.families):
        mixtures = {stage.mixture: catalog.mixture(stage.mixture) for stage in family.stages.values()}
        for backbone in map(catalog.backbone, study.backbones):
            for seed in study.seeds:
                arm = _Arm(family, backbone, seed, catalog.template(backbone.chat))
                trained = arm.training(mixtures, data)
                measured = arm.measuring(trained[-1].key, benchmarks, data)
                steps += [*trained, *measured]
    return Plan(study, tuple(steps))


@dataclass(frozen=True, slots=True)
class _Arm:
    """One model of the study: a family's recipe on a backbone with a seed."""

    family: Family
    backbone: Backbone
    seed: int
    template: str

    @property
    def crew(self) -> str:
        return f"{self.family.name}/{self.backbone.name}/seed{self.seed}"

    def training(self, mixtures: Mapping[str, Mixture], data: _Data) -> list[Step]:
        steps: list[Step] = []
        for name, stage in self.family.stages.items():
            steps.append(self._train(name, stage, mixtures[stage.mixture], data, steps[-1:]))
        return steps

    def _train(self, name: str, stage: Stage, mixture: Mixture, data: _Data, before: list[Step]) -> Step:
        family = self.family.preimage()
        del family["stages"]
        weights = () if before else (self.backbone.weights, self.family.vision)
        spec: dict[str, Json] = {
            "family": family,
            "backbone": self.backbone.preimage(),
            "template": self.template,
            "weights": {source: data.weights(source) for source in weights},
            "stage": stage.preimage(),
            "mixture": mixture.preimage(),
            "data": data.of(mixture.records),
            "seed": self.seed,
            "version": VERSIONS["train"],
        }
        return Step(
            "train",
            f"{self.crew}/{name}",
            self.crew,
            spec,
            needs=(*data.needs(), *(step.key for step in before)),
            files=() if data.step else tuple(dict.fromkeys((*mixture.records, mixture.images))),
            weights=weights,
        )

    def measuring(self, model: str, benchmarks: Mapping[str, BenchmarkFacts], data: _Data) -> list[Step]:
        steps = []
        for name, benchmark in benchmarks.items():
            files = tuple(f"{name}/{file}" for file in benchmark.files)
            spec: dict[str, Json] = {
                "benchmark": name,
                "prompts": benchmark.prompts,
                "max_new_tokens": benchmark.max_new_tokens,
                "square": "pad",
                "data": data.of(files),
                "version": VERSIONS["predict"],
            }
            label = f"{self.crew}/{name}"
            reads = () if data.step else files
            answers = Step("predict", f"{label}/answers", self.crew, spec, (model, *data.needs()), reads)
            grading: dict[str, Json] = {
                "benchmark": name,
                "grading": benchmark.grading,
                "data": data.of(files),
                "version": VERSIONS["score"],
            }
            needs = (answers.key, *data.needs())
            steps += [answers, Step("score", f"{label}/score", self.crew, grading, needs, reads)]
        return steps
