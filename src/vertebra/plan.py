"""A study as steps, each under a key that its inputs decide: to make, check, train, predict and score.

    make     data/miniature
    check    check/tiny-phi-3
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
from vertebra.errors import UnknownName
from vertebra.source import local_files
from vertebra.spec import Adopted, Backbone, Family, Json, Mixture, Stage, Study, digest

Kind = Literal["make", "check", "train", "predict", "score"]

ADOPTED = "adopted"
"""Stands where a family does for models that are of none."""

VERSIONS: Mapping[Kind, int] = {"make": 5, "check": 1, "train": 3, "predict": 2, "score": 4}
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

    @property
    def judged(self) -> bool:
        """Whether a judge grades the answers, so that it decides the score."""


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
    after: tuple[str, ...] = ()
    """Keys of the steps that have to be finished before it begins, though it reads nothing of them."""
    files: tuple[str, ...] = ()
    """Files under the data folder that it reads, where no step makes them."""
    weights: tuple[str, ...] = ()
    """Sources of the weights that it reads."""
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", digest(self.preimage()))

    @property
    def awaits(self) -> tuple[str, ...]:
        """Keys of all steps that have to be finished before it begins."""
        return (*self.needs, *self.after)

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

    def of_mixture(self, mixture: Mixture) -> dict[str, Json]:
        """Its records' files and, where there is one, the list of those that are left out."""
        listed = self.of([mixture.exclusion_file])
        return self.of(mixture.records) | {file: digest for file, digest in listed.items() if digest is not None}

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
    for option, names in (("temperature", study.temperature), ("beams", study.beams)):
        for name in names:
            if name not in benchmarks:
                raise UnknownName("benchmark of this study", name, benchmarks, f"`{option}`")
    maker = study.data
    make = Step("make", f"data/{maker}", f"data/{maker}", {"maker": maker, "version": VERSIONS["make"]})
    data = _Data(make if maker else None, fingerprint)
    backbones = [catalog.backbone(name) for name in study.backbones]
    checks = [_check(backbone, catalog, data) for backbone in backbones]
    steps = [*([make] if maker else []), *checks]
    adopting = study.adopting()
    for family in map(catalog.family, dict.fromkeys((*study.families, *filter(None, adopting)))):
        mixtures = {stage.mixture: catalog.mixture(stage.mixture) for stage in family.stages.values()}
        for backbone, check in zip(backbones, checks, strict=True) if family.name in study.families else ():
            for seed in study.seeds:
                arm = _Arm(family, backbone, seed, catalog.template(backbone.chat), check.key)
                trained = arm.training(mixtures, data)
                model = _Model(arm.crew, (trained[-1].key,), seed=seed)
                steps += [*trained, *model.measuring(benchmarks, data, study)]
        for name, adopted in adopting.get(family.name, {}).items():
            steps += _adopted(family, name, adopted, data).measuring(benchmarks, data, study)
    for name, adopted in adopting.get("", {}).items():
        steps += _adopted(None, name, adopted, data).measuring(benchmarks, data, study)
    return Plan(study, tuple(steps))


def _check(backbone: Backbone, catalog: Catalog, data: _Data) -> Step:
    """Proves that a backbone fits; no training begins before, and none depends on what the proof looked like."""
    spec: dict[str, Json] = {
        "backbone": {**backbone.preimage(), "config": backbone.config},
        "template": catalog.template(backbone.chat),
        "example": catalog.example(backbone.chat),
        "weights": {backbone.weights: data.weights(backbone.weights)},
        "version": VERSIONS["check"],
    }
    return Step("check", f"check/{backbone.name}", "check", spec, weights=(backbone.weights,))


@dataclass(frozen=True, slots=True)
class _Arm:
    """One model of the study: a family's recipe on a backbone with a seed."""

    family: Family
    backbone: Backbone
    seed: int
    template: str
    check: str

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
            "data": data.of_mixture(mixture),
            "seed": self.seed,
            "version": VERSIONS["train"],
        }
        return Step(
            "train",
            f"{self.crew}/{name}",
            self.crew,
            spec,
            needs=(*data.needs(), *(step.key for step in before)),
            after=(self.check,),
            files=() if data.step else tuple(dict.fromkeys((*mixture.records, mixture.images))),
            weights=weights,
        )


def _adopted(family: Family | None, name: str, adopted: Adopted, data: _Data) -> "_Model":
    """A model that was trained elsewhere; it counts as seed 0."""
    if adopted.endpoint:
        spec: dict[str, Json] = {"endpoint": adopted.endpoint, "name": adopted.model}
        return _Model(f"{ADOPTED}/{name}/seed0", spec={"model": spec}, square=None)
    source = adopted.weights
    spec = {"weights": source, "files": data.weights(source), "family": family.model if family else None}
    crew = f"{family.name if family else ADOPTED}/{name}/seed0"
    return _Model(crew, spec={"model": spec}, weights=(source,), square="pad" if family else None)


@dataclass(frozen=True, slots=True)
class _Model:
    """What is measured: the model of a training step, or one that `spec` names."""

    crew: str
    needs: tuple[str, ...] = ()
    spec: Mapping[str, Json] = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    seed: int = 0
    square: str | None = "pad"
    """How its pictures become square; None is as its own processor says."""

    def measuring(self, benchmarks: Mapping[str, BenchmarkFacts], data: _Data, study: Study) -> list[Step]:
        steps = []
        for name, benchmark in benchmarks.items():
            files = tuple(f"{name}/{file}" for file in benchmark.files)
            label, reads = f"{self.crew}/{name}", () if data.step else files
            needs = (*self.needs, *data.needs())
            asking = self._asking(benchmark, data.of(files), study)
            answers = Step("predict", f"{label}/answers", self.crew, asking, needs, files=reads, weights=self.weights)
            grading = _grading(benchmark, data.of(files), study)
            needs = (answers.key, *data.needs())
            steps += [answers, Step("score", f"{label}/score", self.crew, grading, needs, files=reads)]
        return steps

    def _asking(self, benchmark: BenchmarkFacts, files: Mapping[str, Json], study: Study) -> dict[str, Json]:
        how = _decoding(benchmark.name, study)
        if "temperature" in how:
            how["seed"] = self.seed
        if self.square:
            how["square"] = self.square
        if study.engine:
            how["engine"] = study.engine
        return {
            **self.spec,
            "benchmark": benchmark.name,
            "prompts": benchmark.prompts,
            "max_new_tokens": benchmark.max_new_tokens,
            "data": files,
            "version": VERSIONS["predict"],
            **how,
        }


def _grading(benchmark: BenchmarkFacts, files: Mapping[str, Json], study: Study) -> dict[str, Json]:
    grading: dict[str, Json] = {
        "benchmark": benchmark.name,
        "grading": benchmark.grading,
        "data": files,
        "version": VERSIONS["score"],
        **_decoding(benchmark.name, study),
    }
    if benchmark.judged:  # its name decides the score here
        grading["judge"] = study.judge.model_dump(mode="json") if study.judge else None
    return grading


def _decoding(name: str, study: Study) -> dict[str, Json]:
    """How a benchmark's answers are found where that is not greedily."""
    chosen: dict[str, Mapping[str, Json]] = {"temperature": study.temperature, "beams": study.beams}
    return {option: values[name] for option, values in chosen.items() if name in values}
