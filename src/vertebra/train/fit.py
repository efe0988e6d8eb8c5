"""One stage of training, from its step on the bench to a checkpoint in its out folder.

Each optimizer step trains exactly the samples of its global batch. They are laid out in packs without padding, as many
as fit, spread evenly over the devices; the loss is normalised by the supervised tokens of the *global* batch, so
neither the number of devices nor how a batch is cut into packs can move a result.

    log.jsonl    {"time": 1732300000.1, "step": 120, "loss": 1.93, "learning_rate": 0.0019, "supervised": 412, ...}

gets a line about once a second and one for the last step; after a resume it may hold a step twice. Its first line says
how long the samples are and how they are packed, and names the records that were left out, cut short or lost.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import NamedTuple

import torch
from torch import nn

from vertebra.bench import Bench
from vertebra.data import Content, Course, Pack
from vertebra.errors import Stopped, VertebraError
from vertebra.prefetching import prefetched
from vertebra.runtime import Runtime
from vertebra.spec import Stage, digest
from vertebra.train.checkpoints import Checkpoints
from vertebra.train.diary import Diary, Waited
from vertebra.train.distributed import Ranks, add_gradients, is_sharded, local
from vertebra.train.learner import Learner
from vertebra.train.optimizer import cosine, optimizer_for, pace


class Trained(NamedTuple):
    """What a training loop needs."""

    learner: Learner
    course: Course
    stage: Stage
    seed: int
    threads: int
    """That lay out packs ahead of the loop."""
    flops: Callable[[Content], float]
    """The model's operations for a batch, 0 where they are not known."""


def fit(bench: Bench, runtime: Runtime, trained: Trained, ranks: Ranks) -> None:
    """All optimizer steps that are left of a stage; `Stopped` after a signal, with everything saved to go on from."""
    learner, course, stage, seed, threads, flops = trained
    weights = {name: weight for name, weight in learner.network.named_parameters() if weight.requires_grad}
    optimizer = optimizer_for(weights, stage)
    checkpoints = Checkpoints(bench.folder / "checkpoints", weights, optimizer, ranks)
    steps = course.schedule.steps
    begun = checkpoints.resume()
    diary = Diary(bench, runtime, ranks, steps, begun)
    saved = time.monotonic()
    with diary, closing(prefetched(course.pack, course.tasks(begun), threads)) as laid_out:
        packs = Waited(laid_out)
        for step in range(begun, steps):
            pace(optimizer, factor := cosine(step, steps, stage.warmup))
            torch.manual_seed(int(digest([seed, step, ranks.rank])[:15], 16))  # dropout follows from the step
            due = time.monotonic() - saved > runtime.checkpoint_seconds and not checkpoints.is_writing()
            told = learn(learner, islice(packs, course.packs(step)), ranks, bench.stopping, due)
            if not math.isfinite(told.loss):
                raise VertebraError(
                    f"The loss is {told.loss} on the batch of the records {', '.join(course.names(step))}. Stopped."
                )
            optimizer.step()
            done, content = step + 1, course.content(step)
            diary.note(done, told.loss, stage.learning_rate * factor, content, flops(content), packs.seconds())
            if done < steps and (told.due or told.stopping):
                checkpoints.begin(done)
                saved = time.monotonic()
            if done < steps and told.stopping:
                checkpoints.finish()
                raise Stopped(15)
    checkpoints.finish()
    demand_finite(weights, ranks)


class Told(NamedTuple):
    """What all devices know after a backward pass."""

    loss: float
    """Of the batch, before the optimizer's step."""
    stopping: bool
    """Whether any of them was asked to stop."""
    due: bool
    """Whether any of them finds that it is time for a checkpoint."""


def learn(
    learner: Learner, packs: Iterator[Pack], ranks: Ranks, stopping: Callable[[], bool] = bool, due: bool = False
) -> Told:
    """The gradients of a batch, given as this device's packs; what is asked and told is asked when they are there."""
    for weight in learner.learnt:
        weight.grad = None
    loss = torch.zeros((), device=ranks.device)
    # A sharded gradient is the mean over devices; the loss's weights are made for the sum.
    scale = ranks.world if is_sharded(learner) else 1
    for pack in packs:
        part = learner(pack.to(ranks.device))
        torch.autograd.backward(part * scale)
        loss += part.detach()
    for weight in learner.learnt:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)  # a part that saw nothing; momentum goes on
    if not is_sharded(learner):
        add_gradients(learner, ranks)
    told = ranks.added(torch.stack([loss, loss.new_tensor(stopping()), loss.new_tensor(due)])).tolist()
    return Told(told[0], told[1] > 0, told[2] > 0)


def demand_finite(weights: Mapping[str, nn.Parameter], ranks: Ranks) -> None:
    """`VertebraError` naming a weight that is not finite on any device."""
    odd = [name for name, weight in weights.items() if not local(weight).isfinite().all()]
    if ranks.added(torch.tensor(float(len(odd)), device=ranks.device)):
        which = odd[0] if odd else "a weight on another device"
        raise VertebraError(f"After the last batch {which} is not finite. Lower the learning rate.")
