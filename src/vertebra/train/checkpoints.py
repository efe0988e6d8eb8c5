"""Checkpoints inside a stage: trained weights and the optimizer's moments, each device's share in its own file.

    checkpoints/00000120/shard-00001-model-00001-of-00001.safetensors   complete.json {"step": 120}

They are written while training goes on, by torch.distributed.checkpoint and as safetensors only; a folder counts once
`complete.json` is in it, which is written last. Since batches, wording and learning rate follow from the step's number,
nothing else is needed to go on as if never stopped, on another number of devices too.
https://docs.pytorch.org/docs/stable/distributed.checkpoint.html
"""

import json
import shutil
import warnings
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save

from vertebra.errors import DataError
from vertebra.files import storing, sync, write_atomically
from vertebra.train.distributed import Ranks

_MOMENTS = ("exp_avg", "exp_avg_sq")
_FILE_BYTES = 1 << 30
"""Of tensors that go into one file, which is put together in memory."""


class Checkpoints:
    """The newest resumable state of some trained weights and their optimizer."""

    def __init__(
        self, folder: Path, trained: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer, ranks: Ranks
    ) -> None:
        """`trained` are the named weights that the optimizer owns; they are read and written in place."""
        self._folder = folder
        self._trained = trained
        self._optimizer = optimizer
        self._ranks = ranks
        self._group = ranks.aside
        # What one process alone is told about each time it writes or reads.
        warnings.filterwarnings("ignore", "torch.distributed is disabled, unavailable or uninitialized")
        self._writing: tuple[int, Future[object]] | None = None

    def begin(self, step: int) -> None:
        """Copies the state after `step` optimizer steps and begins to write it; waits for an earlier one first.

        Raises `VertebraError` when an earlier one could not be written; the one before it then stays.
        """
        self.finish()
        folder = self._folder / f"{step:08}"
        with storing(folder):
            if self._ranks.is_first:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
            self._ranks.meet()
            state = self._state()
            writer = HuggingFaceStorageWriter(str(folder), _files(state), save_distributed=True)
            begun = async_save(state, storage_writer=writer, process_group=self._group, no_dist=self._group is None)
        assert isinstance(begun, Future)
        self._writing = step, begun

    def is_writing(self) -> bool:
        """Whether what was begun is still on its way; what has arrived counts from now on, as after `finish`."""
        if self._writing and self._writing[1].done():
            self.finish()
        return self._writing is not None

    def finish(self) -> None:
        """Waits until what was begun is complete; older ones go then. `VertebraError` when it could not be written."""
        if self._writing is None:
            return
        (step, begun), self._writing = self._writing, None
        folder = self._folder / f"{step:08}"
        with storing(folder):
            try:
                begun.result()
            except CheckpointException as error:
                raise _cause(error) from error
            if self._ranks.is_first:
                write_atomically(folder / "complete.json", json.dumps({"step": step}))
                sync(self._folder)
                for other in self._folder.iterdir():
                    if other != folder:
                        shutil.rmtree(other)

    def resume(self) -> int:
        """Puts the newest complete state in place; the number of steps it holds, 0 where there is none.

        Raises `DataError` when its files are damaged.
        """
        complete = sorted(self._folder.glob("*/complete.json"))
        if not complete:
            return 0
        folder = complete[-1].parent
        step = int(folder.name)
        for weight in self._trained.values():
            moments = {moment: torch.zeros_like(weight) for moment in _MOMENTS}
            self._optimizer.state[weight] = {"step": torch.tensor(float(step), device=weight.device), **moments}
        state = self._state()
        try:
            reader = HuggingFaceStorageReader(str(folder))
            load(state, storage_reader=reader, process_group=self._group, no_dist=self._group is None)
        except CheckpointException as error:
            raise DataError(f"{folder} is damaged: {_cause(error)}. Delete it to go on from before it.") from error
        return step

    def _state(self) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {}
        for name, weight in self._trained.items():
            state[f"weight.{name}"] = weight.detach()
            for moment in _MOMENTS:
                state[f"{moment}.{name}"] = self._optimizer.state[weight][moment]
        return state


def _files(state: Mapping[str, Tensor]) -> dict[str, int]:
    """The number of the file that each tensor goes into."""
    filled, files = 0, {}
    for name, tensor in state.items():
        files[name] = 1 + filled // _FILE_BYTES
        filled += tensor.nbytes
    return files


def _cause(error: CheckpointException) -> BaseException:
    """What went wrong on the first of the devices that failed."""
    first, _ = next(iter(error.failures.values()))
    return first
