"""The tensors of a checkpoint folder, shard by shard and mapped from disk, so that reading costs no memory.

    model.safetensors.index.json   {"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors", ...}}
    pytorch_model.bin              a pickle: only its tensors are ever built, other objects are refused

Layouts: https://huggingface.co/docs/safetensors, https://docs.pytorch.org/docs/stable/generated/torch.load.html
"""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vertebra.errors import DataError
from vertebra.spec import read_text

WHOLE = ("model.safetensors", "pytorch_model.bin")
"""Names a model's weights go by, alone or as `NAME.index.json` with shards; the first that is there counts."""


def stored(folder: Path, names: Sequence[str] = WHOLE) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor of everything that a folder's weights hold, one shard after the other.

    `DataError` when there are none, a shard is missing or torn, or an index promises what no shard holds.
    """
    found = _found(folder, names)
    if found is None:
        raise DataError(f"{folder} holds no weights: none of {', '.join(names)}, nor an index of shards.")
    shards = _shards(found) if found.suffix == ".json" else {found.name: set()}
    origin: dict[str, str] = {}
    for shard, promised in shards.items():
        here = set()
        for name, tensor in tensors(folder / shard):
            if name in origin:
                raise DataError(f"{folder}: {name} is in {origin[name]} and in {shard}. Fetch the checkpoint again.")
            origin[name] = shard
            here.add(name)
            yield name, tensor
        if lacking := sorted(promised - here):
            raise DataError(f"{folder / shard} lacks {lacking[0]}, which {found.name} promises. Fetch it again.")


def has_weights(folder: Path, names: Sequence[str] = WHOLE) -> bool:
    """Whether a folder holds weights under one of the names."""
    return _found(folder, names) is not None


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
        if (
            "Weights only load failed" in told and "Unsupported operand" not in told
        ):  # the latter is no such file at all
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


def _found(folder: Path, names: Sequence[str]) -> Path | None:
    choices = (folder / choice for name in names for choice in (f"{name}.index.json", name))
    return next((path for path in choices if path.is_file()), None)


def _shards(index: Path) -> dict[str, set[str]]:
    """The files that an index names, and the tensors that each is to hold."""
    try:
        placed = {str(name): str(file) for name, file in json.loads(read_text(index))["weight_map"].items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{index} is no index of weights. Fetch it again.") from error
    shards: dict[str, set[str]] = {}
    for name, file in placed.items():
        if file in ("", ".", "..") or {"/", "\\", "\0"} & set(file):
            raise DataError(f"{index}: {name} is in {file!r}, which is no file of this folder. Fetch it again.")
        shards.setdefault(file, set()).add(name)
    for file in shards:
        if not (index.parent / file).is_file():
            raise DataError(f"{index.parent / file} is missing, which {index.name} names. Fetch the checkpoint again.")
    return shards


def _torn(path: Path) -> DataError:
    return DataError(f"{path} is torn or is no checkpoint: it cannot be read to its end. Fetch it again.")
