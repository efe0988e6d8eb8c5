"""The tiny vision tower: CLIP's architecture, taught to see scenes before any language model looks through it.

Each of the 4×4 patches learns to tell, at the layer that LLaVA-1.5 reads, which digit it holds, in which color, and the
color of a mark that points it out: mostly a rectangle, else any kind. Only training scans are shown. Like
CLIP it is frozen afterwards.
"""

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPVisionConfig, CLIPVisionModel

from vertebra.miniature.scenes import CELL, COLORS, Scene, draw_scene, paint
from vertebra.visual.images import square
from vertebra.visual.kinds import KINDS
from vertebra.visual.marks import COLOURS, draw, random_mark
from vertebra.visual.regions import Region

SIDE = 4 * CELL
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
READ = -2
"""The layer whose patches are taught."""


class Batch(NamedTuple):
    """`pixels` float[B, 3, 112, 112], normalised; what each patch holds, int[B, 16], 0 for nothing."""

    pixels: Tensor
    digits: Tensor
    colors: Tensor
    marks: Tensor


def config() -> CLIPVisionConfig:
    """CLIP ViT in small: six layers, 16 patches."""
    return CLIPVisionConfig(
        hidden_size=128, intermediate_size=384, num_hidden_layers=6, num_attention_heads=4,
        image_size=SIDE, patch_size=CELL,
    )  # fmt: skip


def batches(rng: random.Random, size: int) -> Iterator[Batch]:
    """Endless batches of random training scenes, some of their things marked."""
    names = list(COLOURS)
    while True:
        pixels = np.empty((size, SIDE, SIDE, 3), np.uint8)
        labels = np.zeros((3, size, 16), np.int64)
        for row in range(size):
            scene = draw_scene(rng, "train", things=(2, 3, 4, 4))
            marked = [index for index in range(len(scene.things)) if rng.random() < 0.5]
            colors = dict(zip(marked, rng.sample(range(len(names)), len(marked)), strict=True))
            image = paint(scene)
            drawn = [
                random_mark(_kind(rng), Region(scene.box(scene.things[index])), names[color], rng)
                for index, color in colors.items()
            ]
            pixels[row] = np.asarray(square(draw(image, drawn), "pad", SIDE))
            for index, thing in enumerate(scene.things):
                patch = _patch(scene, thing.cell)
                labels[:, row, patch] = (
                    thing.digit + 1, list(COLORS).index(thing.color) + 1, colors.get(index, -1) + 1
                )  # fmt: skip
        yield Batch(normalised(torch.from_numpy(pixels)), *torch.from_numpy(labels))


def _kind(rng: random.Random) -> str:
    return "rectangle" if rng.random() < 0.65 else rng.choice([*KINDS])


def normalised(pixels: Tensor) -> Tensor:
    """uint8[B, H, W, 3] to float[B, 3, H, W] as CLIP wants it."""
    return ((pixels / 255 - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)


def _patch(scene: Scene, cell: int) -> int:
    """The patch of the padded board that shows a cell."""
    column, row = cell % scene.columns, cell // scene.columns
    return (row + (4 - scene.rows) // 2) * 4 + column + (4 - scene.columns) // 2


def teach(steps: int, seed: int, report: Callable[[int, str], None], size: int = 64) -> CLIPVisionModel:
    """A tower after `steps` batches; the same seed gives the same weights."""
    torch.manual_seed(seed)
    tower = CLIPVisionModel(config())
    heads = nn.ModuleList([nn.Linear(128, 11), nn.Linear(128, 7), nn.Linear(128, 10)])
    optimizer = torch.optim.AdamW([*tower.parameters(), *heads.parameters()], lr=1.5e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.5e-3, total_steps=steps, pct_start=0.1)
    source = batches(random.Random(seed), size)
    for step in range(steps):
        batch = next(source)
        patches = tower(batch.pixels, output_hidden_states=True).hidden_states[READ][:, 1:]
        guesses = [head(patches) for head in heads]
        truths = [batch.digits, batch.colors, batch.marks]
        loss = torch.stack(
            [
                functional.cross_entropy(guess.flatten(0, 1), truth.flatten())
                for guess, truth in zip(guesses, truths, strict=True)
            ]
        ).sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % 50 == 49 or step == steps - 1:
            there = batch.digits > 0
            right = [(g.argmax(-1) == t)[there].float().mean().item() for g, t in zip(guesses, truths, strict=True)]
            report(step + 1, "digit {:.3f} color {:.3f} mark {:.3f}".format(*right))
    return tower.eval()
