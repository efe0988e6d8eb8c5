"""One stage of training, from its step on the bench to a checkpoint in its out folder.

The loss is the mean cross-entropy over the supervised tokens of the *global* batch, and batches are defined globally,
so neither the number of devices nor how a batch is cut into pieces can move a result. The language model's head is
applied to supervised positions alone.

    log.jsonl    {"time": 1732300000.1, "step": 120, "loss": 1.93, "learning_rate": 0.0019, "supervised": 412}

gets a line about once a second and one for the last step; after a resume it may hold a step twice. A batch with
samples that are too long gets a line with their names, {"cut": ["17"], "lost": []}. Where the mixture lets records be
left out that cannot be used, the first line says how many and what is wrong with the first twenty,
{"left_out": 2, "faults": ["mine.json: record 4 (id 12): ...", ...]}.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from vertebra.bench import Bench
from vertebra.catalog import Catalog
from vertebra.chat.template import IGNORED, bound
from vertebra.data import Batch, Collator, Dataset, Eyes, Schedule, open_mixture
from vertebra.errors import Stopped, VertebraError
from vertebra.model import VisionLanguageModel, assemble, load, save
from vertebra.model.checkpoint import device_of
from vertebra.spec import Backbone, Family, Json, Mixture, Runtime, Stage, digest
from vertebra.train.lora import Adapted
from vertebra.train.optimizer import cosine, optimizer_for, pace
from vertebra.train.resume import Checkpoints
from vertebra.train.shortened import Shortened

_NAMED = 20
"""Records that a log names of those left out."""


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

    def save(self, folder: Path) -> None:
        """Writes the checkpoint."""
        save(self.model, folder)


def train(bench: Bench, runtime: Runtime) -> None:
    """Runs or resumes a stage; `Stopped` after a signal, with everything saved to go on from."""
    recipe = Recipe.of(bench.spec)
    assert bench.data is not None
    dataset = open_mixture(recipe.mixture, bench.data, recipe.seed)
    if dataset.faults:
        bench.log(left_out=len(dataset.faults), faults=list(dataset.faults[:_NAMED]))
    fresh = (recipe.family, recipe.backbone, recipe.template, recipe.seed)
    model = load(bench.model) if bench.model else assemble(*fresh)
    lora = recipe.stage.lora
    learner = Adapted.of(model, lora, recipe.seed) if lora else Whole.of(model, recipe.stage)
    _fit(bench, runtime, recipe, model, dataset)
    learner.save(bench.out)


def _fit(bench: Bench, runtime: Runtime, recipe: Recipe, model: VisionLanguageModel, dataset: Dataset) -> None:
    stage = recipe.stage
    schedule = Schedule(len(dataset), stage.batch, stage.epochs, recipe.seed)
    trained = _open_for_training(model)
    optimizer = optimizer_for(trained, stage)
    checkpoints = Checkpoints(bench.folder / "checkpoints", trained, optimizer)
    collator = collator_for(model, recipe)
    shortened = Shortened(bench, len(dataset))
    step, saved, logged = checkpoints.resume(), time.monotonic(), -math.inf
    while step < schedule.steps:
        epoch, indices = schedule.at(step)
        batch = collator([dataset.sample(index, epoch) for index in indices])
        shortened.note(batch)
        pace(optimizer, factor := cosine(step, schedule.steps, stage.warmup))
        torch.manual_seed(int(digest([recipe.seed, step])[:15], 16))  # a backbone's dropout follows from the step
        loss = learn(model, batch, optimizer)
        step += 1
        bench.progress(step, schedule.steps, "batches", f"loss {loss:.3f}")
        if time.monotonic() - logged > 1 or step == schedule.steps:
            bench.log(step=step, loss=loss, learning_rate=stage.learning_rate * factor, supervised=batch.supervised)
            logged = time.monotonic()
        due = time.monotonic() - saved > runtime.checkpoint_seconds
        if step < schedule.steps and (due or bench.stopping()):
            checkpoints.save(step)
            saved = time.monotonic()
            if bench.stopping():
                raise Stopped(15)
    for name, weight in trained.items():
        if not weight.isfinite().all():
            raise VertebraError(f"After the last batch {name} is not finite. Lower the learning rate.")


def learn(model: VisionLanguageModel, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
    """One optimizer step; the batch's mean loss before it. `VertebraError` naming the samples if it is not finite."""
    loss = loss_of(model, batch)
    value = loss.item()
    if not math.isfinite(value):
        raise VertebraError(f"The loss is {value} on the batch of the records {', '.join(batch.samples)}. Stopped.")
    optimizer.zero_grad()
    if loss.requires_grad:  # text alone teaches a projector nothing
        torch.autograd.backward(loss)
    for weight in (weight for group in optimizer.param_groups for weight in group["params"]):
        if weight.grad is None:
            # As in the published training: there text comes with a blank picture, and momentum goes on.
            weight.grad = torch.zeros_like(weight)
    optimizer.step()
    return value


def loss_of(model: VisionLanguageModel, batch: Batch) -> Tensor:
    """Mean cross-entropy over the batch's supervised tokens."""
    network, device = model.network, device_of(model.network)
    pixels = None if batch.pixels is None else batch.pixels.to(device, network.dtype)
    # No attention mask: samples are padded on the right, where causal attention never looks.
    states = network.model(input_ids=batch.ids.to(device), pixel_values=pixels, use_cache=False).last_hidden_state
    wanted = batch.labels[:, 1:].to(device)
    supervised = wanted != IGNORED
    logits = network.lm_head(states[:, :-1][supervised])
    return functional.cross_entropy(logits.float(), wanted[supervised])


def collator_for(model: VisionLanguageModel, recipe: Recipe) -> Collator:
    """Speaks and looks as the stage wants it: bare captions or the backbone's chat, padded or cropped images."""
    plain, image, compat = recipe.stage.chat == "plain", model.processor.image_token, recipe.backbone.compat
    return Collator(
        model.chat_in(bound(Catalog.installed().template("plain"), image, compat)) if plain else model.chat,
        model.processor.image_token_id,
        model.image_tokens,
        Eyes.of(model, recipe.stage.square),
        recipe.stage.max_tokens,
    )


def _open_for_training(model: VisionLanguageModel) -> dict[str, torch.nn.Parameter]:
    """What is not frozen, by name."""
    network = model.network.train()
    network.model.vision_tower.eval()
    return {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
