"""The tensors of a checkpoint folder, shard by shard: mapped from disk, or read one by one when they are asked for.

    model.safetensors    tensors and nothing else
    pytorch_model.bin    a pickle: only its tensors are ever built, other objects are refused

Layouts: https://huggingface.co/docs/safetensors, https://docs.pytorch.org/docs/stable/generated/torch.load.html
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import EllipsisType
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vertebra.errors import DataError
from vertebra.source import WHOLE, find_weights, read_shards

_PAGES = 1 << 28
"""Bytes of a mapped pickle that may stay in memory while its tensors are read one by one."""


class Stored(NamedTuple):
    """A tensor that stays in its file until it is asked for by `[...]`, as safetensors' own slices are.

    What was mapped for it is let go, so whoever casts it does not hold the pages of two precisions for long.
    """

    file: "_File"
    name: str

    def __getitem__(self, whole: EllipsisType) -> Tensor:  # type: ignore[override]
        """The tensor as it is stored."""
        return self.file.read(self.name)


def stored(folder: Path, names: Sequence[str] = WHOLE) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor of everything that a folder's weights hold, one shard after the other.

    `DataError` when there are none, a shard is missing or torn, or an index promises what no shard holds.
    """
    for _, name, tensor in _placed(folder, names):
        yield name, tensor


def deferred(folder: Path, precision: torch.dtype) -> dict[str, Stored | Tensor]:
    """What `stored` gives, by name, for one who casts it: mapped where it has the precision already, else `Stored`.

    Every file is opened and checked here. Pickles from before torch 1.6 cannot be read in parts: their tensors are in
    memory from the start.
    """
    files: dict[Path, _File] = {}
    return {
        name: Stored(files.setdefault(path, _File(path)), name)
        if tensor.dtype != precision and (path.suffix == ".safetensors" or zipfile.is_zipfile(path))
        else tensor
        for path, name, tensor in _placed(folder, WHOLE)
    }


def has_weights(folder: Path, names: Sequence[str] = WHOLE) -> bool:
    """Whether a folder holds weights under one of the names."""
    return find_weights(folder, names) is not None


def _placed(folder: Path, names: Sequence[str]) -> Iterator[tuple[Path, str, Tensor]]:
    found = find_weights(folder, names)
    if found is None:
        raise DataError(f"{folder} holds no weights: none of {', '.join(names)}, nor an index of shards.")
    shards = read_shards(found)
    for shard in shards:
        if not (folder / shard).is_file():
            raise DataError(f"{folder / shard} is missing, which {found.name} names. Fetch the checkpoint again.")
    origin: dict[str, str] = {}
    for shard, promised in shards.items():
        here = set()
        for name, tensor in tensors(folder / shard):
            if name in origin:
                raise DataError(f"{folder}: {name} is in {origin[name]} and in {shard}. Fetch the checkpoint again.")
            origin[name] = shard
            here.add(name)
            yield folder / shard, name, tensor
        if lacking := sorted(promised - here):
            raise DataError(f"{folder / shard} lacks {lacking[0]}, which {found.name} promises. Fetch it again.")


def tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor of everything in one file. `DataError` when it is missing, torn or holds more than tensors."""
    if not path.is_file():
        raise DataError(f"{path} is missing. Fetch the checkpoint again.")
    yield from _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)


def _safetensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  the file is no mapping
                yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise _torn(path) from error


def _pickled(path: Path) -> Iterator[tuple[str, Tensor]]:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # torn files raise whatever their bytes lead torch's reader to
        told = str(error)
        # An unsupported operand is a byte that no pickle has, payload or not.
        if "Weights only load failed" in told and "Unsupported operand" not in told:
            raise DataError(
                f"{path} holds pickled objects besides tensors. Reading them would run code of whoever wrote it, so it "
                "is not read. Get the weights as safetensors."
            ) from error
        raise _torn(path) from error
    if not isinstance(held, Mapping):
        raise DataError(f"{path} holds no tensors by name, but one {type(held).__name__}.")
    for name, tensor in held.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise DataError(f"{path}: {str(name)[:80]!r} is no tensor, but {type(tensor).__name__}.")
        yield name, tensor


class _File:
    """Gives single tensors. A pickle is mapped for that, and mapped anew now and then, which lets its pages go."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()
        self._held: dict[str, Tensor] = {}
        self._read = 0

    def read(self, name: str) -> Tensor:
        if self._path.suffix == ".safetensors":
            with safe_open(self._path, framework="pt", backend="pread") as file:
                tensor: Tensor = file.get_tensor(name)
                return tensor
        with self._lock:
            if not self._held or self._read > _PAGES:
                self._held, self._read = dict(_pickled(self._path)), 0
            self._read += self._held[name].nbytes
            return self._held[name]


def _torn(path: Path) -> DataError:
    return DataError(f"{path} is torn or is no checkpoint: it cannot be read to its end. Fetch it again.")
