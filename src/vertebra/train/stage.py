"""A stage of training: its recipe, its model made ready to learn, and the checkpoint that it leaves."""

import math
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vertebra.bench import Bench
from vertebra.catalog import Catalog
from vertebra.chat.template import bound
from vertebra.corpus import Corpus, Speech, open_corpus
from vertebra.corpus.corpus import demand_answers
from vertebra.costs import GIB, Rung
from vertebra.data import Course, Eyes, Packer, Schedule
from vertebra.data.sampling import Modality
from vertebra.errors import Stopped
from vertebra.launching import is_launched, launch
from vertebra.model import VisionLanguageModel, assemble, load, save
from vertebra.model.checkpoint import device_for, device_name
from vertebra.runtime import Runtime
from vertebra.spec import Backbone, Family, Json, Lora, Mixture, Stage
from vertebra.train.budget import flops_of, pack_tokens, rung_of, training_of
from vertebra.train.distributed import Ranks, joined, settle
from vertebra.train.fit import Trained, fit
from vertebra.train.layout import ASKED, Layout, precision_of
from vertebra.train.learner import Learner

if TYPE_CHECKING:
    from vertebra.train.lora import Adapted

_NAMED = 20
"""Records that a log names of those left out, cut or lost."""
_DECODERS = 8
_MOST_WORKERS = 16
"""Processes that read a large mixture."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training step's spec, read back."""

    family: Family
    backbone: Backbone
    template: str
    stage: Stage
    mixture: Mixture
    seed: int

    @classmethod
    def of(cls, spec: Mapping[str, Json]) -> "Recipe":
        """The recipe that a plan wrote."""
        stage = Stage.model_validate(spec["stage"])
        assert isinstance(spec["family"], Mapping)
        return cls(
            Family.model_validate({**spec["family"], "stages": {"this": stage}}),
            Backbone.model_validate(spec["backbone"]),
            str(spec["template"]),
            stage,
            Mixture.model_validate({**_object(spec["mixture"]), "name": stage.mixture}),
            int(str(spec["seed"])),
        )

    @property
    def precision(self) -> torch.dtype:
        """What is computed in."""
        return precision_of(self.stage)

    def model(self, before: Path | None) -> VisionLanguageModel:
        """The model of the stage before, or a new one."""
        if before:
            return load(before)
        return assemble(self.family, self.backbone, self.template, self.seed, self.precision)

    def speech(self, model: VisionLanguageModel) -> Speech:
        """How its samples are told: as bare captions, or in the backbone's chat."""
        image, compat = model.processor.image_token, self.backbone.compat
        plain = bound(Catalog.installed().template("plain"), image, compat)
        chat = model.chat_in(plain) if self.stage.chat == "plain" else model.chat
        return Speech(chat, model.processor.image_token_id, model.image_tokens, self.stage.max_tokens)

    def schedule(self, corpus: Corpus) -> Schedule:
        """Which samples each step sees."""
        stage, modality = self.stage, None
        if stage.order == "by_modality":
            words = (corpus.words * (1 - 2 * (corpus.images == 0))).tolist()
            modality = Modality(tuple(words), stage.mean_over or stage.batch)
        return Schedule(len(corpus), stage.batch, stage.epochs, self.seed, modality)


def _object(value: Json) -> Mapping[str, Json]:
    assert isinstance(value, Mapping)
    return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A model whose own weights are trained."""

    model: VisionLanguageModel

    @classmethod
    def of(cls, model: VisionLanguageModel, stage: Stage) -> "Whole":
        """Freezes all but what the stage trains; the tower is always frozen."""
        network = model.network.requires_grad_(False)
        network.model.multi_modal_projector.requires_grad_(True)
        if stage.trains == "projector+language":
            network.model.language_model.requires_grad_(True)
            network.lm_head.requires_grad_(True)
        return cls(model)

    def save(self, folder: Path, precision: torch.dtype, ranks: Ranks) -> None:
        """Writes the checkpoint, what was learnt in a precision; all devices take part."""
        settle(self.model.network, precision, ranks)
        if ranks.is_first:
            save(self.model, folder)


def train(bench: Bench, runtime: Runtime) -> None:
    """Runs or resumes a stage; `Stopped` after a signal, with everything saved to go on from."""
    if is_launched(runtime):
        launch(bench, runtime, "vertebra.train.rank")
        return
    with joined(device_for(runtime)) as ranks:
        run_stage(bench, runtime, ranks)


def run_stage(bench: Bench, runtime: Runtime, ranks: Ranks) -> None:
    """This process's part of a stage."""
    recipe = Recipe.of(bench.spec)
    model = recipe.model(bench.model)
    corpora = _corpora(bench, recipe, model, ranks)
    training = training_of(model.network, recipe.stage, ranks.world)
    rung = rung_of(training, recipe.stage, corpora(0), runtime, ranks.device)
    lora = recipe.stage.lora
    kind = _adapted(model, lora, recipe.seed) if lora else Whole.of(model, recipe.stage)
    eyes = Eyes.of(model, recipe.stage.square)
    learner = Learner(model.network, eyes, recipe.precision)
    layout = Layout.of(recipe.stage, runtime, rung, ranks)
    apart = layout.lay_out(learner, ranks)
    schedule, packer = recipe.schedule(corpora(0)), Packer(eyes, apart is None, layout.grain)
    tokens = pack_tokens(runtime, rung)
    course = Course(corpora, schedule, packer, ranks.world, ranks.rank, tokens, recipe.stage.mean_over)
    if ranks.is_first:
        _log_data(bench, corpora(0), course, apart)
        _log_layout(bench, layout, tokens, rung, device_name(ranks.device))
    threads = runtime.decoders or (min(_DECODERS, cpu_count() or 1) if ranks.device.type == "cuda" else 1)
    fit(bench, runtime, Trained(learner, course, recipe.stage, recipe.seed, threads, flops_of(training)), ranks)
    learner.restore()
    kind.save(bench.out, recipe.precision, ranks)


def _adapted(model: VisionLanguageModel, lora: Lora, seed: int) -> "Adapted":
    """A model with adapters; peft takes a second to import, which only stages with adapters spend."""
    from vertebra.train.lora import Adapted

    return Adapted.of(model, lora, seed)


def _corpora(bench: Bench, recipe: Recipe, model: VisionLanguageModel, ranks: Ranks) -> Callable[[int], Corpus]:
    """Opens the corpus of an epoch; the first device has built all of them when this returns."""
    assert bench.data is not None
    data, speech = bench.data, recipe.speech(model)
    workers = min(_MOST_WORKERS, len(os.sched_getaffinity(0)))

    def progress(done: int, total: int) -> None:
        if bench.stopping():
            raise Stopped(signal.SIGTERM)
        if ranks.is_first:
            bench.progress(done, total, "records", "reading")

    def opened(epoch: int) -> Corpus:
        corpus = open_corpus(recipe.mixture, data, recipe.seed, epoch, speech, bench.cache, workers, progress)
        demand_answers(corpus)
        return corpus

    if ranks.is_first:
        for epoch in range(math.ceil(recipe.stage.epochs)):
            opened(epoch)
    ranks.meet()
    return lru_cache(maxsize=2)(opened)


def _log_data(bench: Bench, corpus: Corpus, course: Course, apart: str | None) -> None:
    """What there is to learn from, how it is laid out, and what was left out, named."""
    records = {"faults": corpus.faults, "excluded": corpus.excluded, "cut": corpus.cut, "lost": corpus.lost}
    left_out: dict[str, Json] = {
        kind: {"number": len(names), "first": list(names[:_NAMED])} for kind, names in records.items() if names
    }
    if left_out:
        said = ", ".join(f"{kind}: {len(names):,}" for kind, names in records.items() if names)
        bench.note(f"Not every record is learnt from as it is ({said}): log.jsonl names them.")
    if apart not in (None, ASKED):
        bench.note(f"Samples are padded and not packed, which takes longer: {apart}.")
    bench.log(
        samples=len(corpus),
        tokens=int(corpus.lengths.sum()),
        supervised=int(corpus.supervised.sum()),
        steps=course.schedule.steps,
        packing="packed" if apart is None else f"padded: {apart}",
        efficiency=round(course.placement().efficiency, 4),
        **left_out,
    )


def _log_layout(bench: Bench, layout: Layout, tokens: int, rung: Rung | None, device: str) -> None:
    """How the model is laid out, and the memory that this is estimated to take of each device."""
    memory: dict[str, Json] = {}
    if rung:
        parts = {**rung.memory._asdict(), "total": rung.memory.total}
        memory["estimated_gib"] = {name: round(size / GIB, 2) for name, size in parts.items()}
        bench.note(
            f"Estimated to take {rung.memory.total / GIB:.1f} GiB of each device: up to {tokens:,} tokens at a time, "
            f"recomputed: {layout.recompute}."
        )
    bench.log(
        device=device,
        precision=str(layout.precision).removeprefix("torch."),
        sharded=layout.sharded,
        recompute=layout.recompute,
        compiled=layout.compiles,
        pack_tokens=tokens,
        **memory,
    )
