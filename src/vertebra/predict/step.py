"""A checkpoint on this machine answers a step's questions."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch

from vertebra.asking import Answerer
from vertebra.asking.step import answer
from vertebra.bench import Bench
from vertebra.data import Eyes
from vertebra.errors import Refused, VertebraError
from vertebra.launching import is_launched, launch
from vertebra.model.checkpoint import device_for, device_name, is_llava, read, worn
from vertebra.predict.foreign import Foreign
from vertebra.predict.likeness import as_ours
from vertebra.predict.local import Local
from vertebra.predict.memory import tokens_for
from vertebra.predict.padded import BATCH, Padded
from vertebra.predict.shared import Shared, why_not
from vertebra.runtime import Part, Runtime
from vertebra.spec import Json
from vertebra.store import file_digest

VERSION = 1
"""Raised when the same question to the same model may get another answer: all are asked again."""
_THREADS = 16
"""That read pictures ahead for an accelerator, at most."""


def predict(bench: Bench, runtime: Runtime) -> None:
    """Answers all questions of the step's benchmark into `out/answers.jsonl`; `Stopped` after a signal, resumable.

    `DataError` for files or pictures that are missing or broken, `Refused` for a checkpoint that is not what the
    study says.
    """
    if is_launched(runtime):
        launch(bench, runtime, "vertebra.predict.rank")
    answer_part(bench, runtime, runtime.part)


def answer_part(bench: Bench, runtime: Runtime, part: Part) -> None:
    """What one of several processes answers; the whole is put down too."""
    answer(bench, runtime, _identity(bench), lambda: _answerer(bench, runtime), part)


def _identity(bench: Bench) -> Json:
    """All that decides an answer beside the question: weights, processor, how they are run."""
    how: dict[str, Json] = {name: bench.spec.get(name) for name in ("square", "engine")}
    return {**how, "model": _digest(bench), "version": VERSION}


def _digest(bench: Bench) -> Json:
    """Of the checkpoint's files: what its step put down of them, else what the plan found; of a hub's, its commit."""
    assert bench.model is not None
    adopted = bench.spec.get("model")
    if isinstance(adopted, Mapping):
        return adopted.get("files") or [adopted["weights"], bench.model.resolve().name]
    return file_digest(bench.model.parent / "manifest.json")


def _answerer(bench: Bench, runtime: Runtime) -> Answerer:
    assert bench.model is not None
    device = device_for(runtime)
    bench.log(device=device_name(device))
    threads = runtime.decoders or (min(_THREADS, os.cpu_count() or 1) if device == "cuda" else 1)
    opened = _open(bench.model, device, threads)
    local = _local(opened, bench)
    if local is None:
        return _alone_or_not(opened, bench)
    if bench.spec.get("engine") == "reference":
        return Padded(local, 1)
    if int(str(bench.spec.get("beams", 1))) > 1:
        return Padded(local)
    if reason := why_not(local.model):
        bench.note(
            f"Its questions are asked in padded batches of {BATCH}, sharing nothing, which takes longer: {reason}."
        )
        return Padded(local)
    return Shared(local, runtime.pack_tokens or tokens_for(local.model.network, local.device))


@lru_cache(maxsize=1)
def _open(folder: Path, device: str, threads: int) -> Foreign:
    """The benchmarks of one model follow each other in one process; it is read once."""
    checkpoint = read(folder)
    if checkpoint.network.device.type != torch.device(device).type:
        try:
            checkpoint.network.to(device)
        except torch.OutOfMemoryError as error:
            raise VertebraError(f"{folder} does not fit into the accelerator's memory.") from error
    words = checkpoint.processor.tokenizer
    if words.pad_token is None:  # what fills a batch up is masked, so it may be any
        words.pad_token = words.eos_token
    return Foreign(checkpoint, threads=threads)


def _local(opened: Foreign, bench: Bench) -> Local | None:
    """A LLaVA in our engine's hands: as the study says, else where its own processor does what we do.

    `Refused` for a checkpoint of another family than the study adopts it as.
    """
    assert bench.model is not None
    adopted, square = bench.spec.get("model"), bench.spec.get("square")
    family = adopted.get("family") if isinstance(adopted, Mapping) else None
    if family is not None or (square is not None and is_llava(opened.checkpoint.network)):
        model = worn(opened.checkpoint, bench.model)
        if family not in (None, model.family):
            assert isinstance(adopted, Mapping)
            raise Refused(f"{adopted['weights']} is a {model.family} checkpoint, but the study adopts it as {family}.")
        return Local(model, Eyes.of(model, "crop" if square == "crop" else "pad"), opened.threads)
    opened.check()
    local = as_ours(opened)
    if local is None and is_llava(opened.checkpoint.network):
        bench.note(
            "Its own processor makes other tokens or pixels than LLaVA's published pipeline, so it is asked by plain "
            "transformers, which takes longer."
        )
    return local


def _alone_or_not(opened: Foreign, bench: Bench) -> Foreign:
    """Asked several questions at a time where it is proven that this makes no difference."""
    if bench.spec.get("engine") == "reference":
        return replace(opened, size=1)
    if reason := opened.why_alone:
        bench.note(f"Its questions are asked one by one, which takes longer: {reason}.")
        return replace(opened, size=1)
    return opened
