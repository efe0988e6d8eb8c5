"""transformers' Trainer as its users run it: padded batches, its own loop. What ours is measured beside.

https://huggingface.co/docs/transformers/main_classes/trainer
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import LlavaForConditionalGeneration, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from vertebra.chat.template import IGNORED
from vertebra.corpus import Sample
from vertebra.data import Eyes


class Run(NamedTuple):
    """What a training did, batch by batch."""

    seconds: list[float]
    """From the end of the batch before, laying out included."""
    losses: list[float]


class _Clock(TrainerCallback):  # type: ignore[misc]
    """Notes when each batch ends, and its loss."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.times: list[float] = []
        self.losses: list[float] = []

    def on_train_begin(self, *_: object, **__: object) -> None:
        self.times.append(self._now())

    def on_step_end(self, *_: object, **__: object) -> None:
        self.times.append(self._now())

    def on_log(self, *_: object, logs: dict[str, float], **__: object) -> None:
        if "loss" in logs:
            self.losses.append(logs["loss"])


def trained(
    network: LlavaForConditionalGeneration,
    batches: Sequence[Sequence[Sample]],
    eyes: Eyes,
    now: Callable[[], float],
    learning_rate: float,
    recompute: bool,
    **options: Any,
) -> Run:
    """Trains a network on batches of one size in their order; `options` are further ones of `TrainingArguments`."""
    clock = _Clock(now)

    def padded(samples: Sequence[Sample]) -> dict[str, Tensor]:
        ids = pad_sequence([torch.from_numpy(one.ids).long() for one in samples], batch_first=True)
        labels = [torch.from_numpy(one.labels).long() for one in samples]
        lengths = torch.tensor([len(one.ids) for one in samples])
        return {
            "input_ids": ids,
            "attention_mask": (torch.arange(ids.shape[1]) < lengths[:, None]).long(),
            "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            "pixel_values": eyes.pixels([image for one in samples for image in one.images]).to(network.dtype),
        }

    with TemporaryDirectory(prefix="vertebra-bench-") as folder:
        arguments = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=len(batches[0]), max_steps=len(batches),
            learning_rate=learning_rate, lr_scheduler_type="constant", max_grad_norm=0.0, logging_steps=1,
            save_strategy="no", report_to=[], remove_unused_columns=False, disable_tqdm=True,
            train_sampling_strategy="sequential", gradient_checkpointing=recompute,
            gradient_checkpointing_kwargs={"use_reentrant": False} if recompute else None, **options,
        )  # fmt: skip
        rows = [one for samples in batches for one in samples]
        trainer = Trainer(network, arguments, data_collator=padded, train_dataset=rows, callbacks=[clock])
        trainer.remove_callback(PrinterCallback)  # which prints to stdout
        trainer.train()
    return Run([end - begin for begin, end in pairwise(clock.times)], clock.losses)
