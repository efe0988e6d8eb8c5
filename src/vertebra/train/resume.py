"""Checkpoints inside a stage: trained weights and the optimizer's moments, safetensors only.

    checkpoints/00000120/weights.safetensors  moments.safetensors  complete.json {"step": 120}

A folder counts once `complete.json` is in it, which is written last. Since batches, wording and learning rate follow
from the step's number, nothing else is needed to go on as if never stopped.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vertebra.errors import DataError, VertebraError
from vertebra.files import storing, sync, write_atomically

_MOMENTS = ("exp_avg", "exp_avg_sq")


class Checkpoints:
    """The newest resumable state of some trained weights and their optimizer."""

    def __init__(
        self, folder: Path, trained: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer
    ) -> None:
        """`trained` are the named weights that the optimizer owns; they are read and written in place."""
        self._folder = folder
        self._trained = trained
        self._optimizer = optimizer

    def save(self, step: int) -> None:
        """Keeps the state after `step` optimizer steps; older ones go when it is complete.

        Raises `VertebraError` when the disk is full; the older one then stays.
        """
        folder = self._folder / f"{step:08}"
        weights = {name: weight.detach().contiguous() for name, weight in self._trained.items()}
        with storing(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write(weights, folder / "weights.safetensors")
            write(self._moments(), folder / "moments.safetensors")
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
        try:
            weights, moments = load_file(folder / "weights.safetensors"), load_file(folder / "moments.safetensors")
        except (SafetensorError, OSError) as error:
            raise DataError(f"{folder} is damaged: {error}. Delete it to go on from before it.") from error
        step = int(folder.name)
        with torch.no_grad():
            for name, weight in self._trained.items():
                weight.copy_(weights[name])
                kept = {moment: moments[f"{name}.{moment}"].to(weight.device) for moment in _MOMENTS}
                self._optimizer.state[weight] = {"step": torch.tensor(float(step)), **kept}
        return step

    def _moments(self) -> dict[str, Tensor]:
        return {
            f"{name}.{moment}": self._optimizer.state[weight][moment].contiguous()
            for name, weight in self._trained.items()
            for moment in _MOMENTS
        }


def write(tensors: Mapping[str, Tensor], path: Path) -> None:
    """A safetensors file that survives a power cut. `VertebraError` when the disk is full."""
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        raise VertebraError(f"{path} cannot be written: {error}. Free space and give the command again.") from error
    sync(path)
