"""Where weights lie: in the package, in a folder, or in the local Hugging Face cache.

    builtin:vicuna-s                            shipped with this package
    ./checkpoints/my-model                      a folder
    lmsys/vicuna-7b-v1.5@3321f76e3f527bd14065daf69dad9344000a201d    the hub's cache, this revision

Weights are one file or shards with an index, safetensors or torch's pickles:

    model.safetensors.index.json   {"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors", ...}}

Nothing is downloaded here: a study that starts is a study that can finish. The cache's layout:
https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from vertebra.errors import ConfigError, DataError
from vertebra.reading import read_text
from vertebra.spec import Json

WHOLE = ("model.safetensors", "pytorch_model.bin")
"""Names a model's weights go by, alone or as `NAME.index.json` with shards; the first that is there counts."""

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
"""A tokenizer's file is one of these."""

_BUILTIN = "builtin:"
_DECIDING = (".json", ".safetensors", ".bin", ".model", ".txt", ".jinja")


def locate(source: str, weights: bool = True) -> Path:
    """The folder with config, weights and tokenizer. `DataError` when it is not on this machine.

    Without `weights` the tokenizer is enough.
    """
    complaint = missing(source, weights)
    if complaint:
        raise DataError(complaint)
    return _folder(source)


def missing(source: str, weights: bool = True) -> str | None:
    """Nothing when the weights (or the tokenizer alone) are on this machine, else one line: where they are expected."""
    folder = _folder(source)
    lacking = _lacking(folder) if weights else _lacking_words(folder)
    if lacking is None:
        return None
    if is_hub(source):
        name, _, revision = source.partition("@")
        command = f"hf download {name}" + (f" --revision {revision}" if revision else "")
        return f"weights {source}: no {lacking} in the Hugging Face cache ({folder}). Get them with `{command}`."
    return f"weights {source}: no {lacking} in {folder}."


def local_files(source: str) -> list[Path]:
    """The files whose contents decide what the weights are, where no revision does; none for the hub's."""
    if is_hub(source):
        return []
    folder = _folder(source).resolve()
    return sorted(path for path in folder.glob("*") if path.suffix in _DECIDING and path.is_file())


def folder_config(source: str) -> dict[str, Json]:
    """What the config.json of a folder says; nothing where there is none to read, or the weights are the hub's."""
    if is_hub(source) or not (_folder(source) / "config.json").is_file():
        return {}
    try:
        said = json.loads(read_text(_folder(source) / "config.json"))
    except (ValueError, RecursionError, DataError):
        return {}  # who loads the weights says what is wrong with it
    return said if isinstance(said, dict) else {}


def find_weights(folder: Path, names: Sequence[str] = WHOLE) -> Path | None:
    """The file that holds a folder's weights, or the index of their shards; None when there is neither."""
    choices = (folder / choice for name in names for choice in (f"{name}.index.json", name))
    return next((path for path in choices if path.is_file()), None)


def read_shards(found: Path) -> dict[str, set[str]]:
    """The files that an index names, each with the tensors it is to hold; a lone file promises none.

    `DataError` for an index that is none, or that leads out of its folder.
    """
    if found.suffix != ".json":
        return {found.name: set()}
    try:
        placed = {str(name): str(file) for name, file in json.loads(read_text(found))["weight_map"].items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{found} is no index of weights. Fetch it again.") from error
    shards: dict[str, set[str]] = {}
    for name, file in placed.items():
        if file in ("", ".", "..") or {"/", "\\", "\0"} & set(file):
            raise DataError(f"{found}: {name} is in {file!r}, which is no file of this folder. Fetch it again.")
        shards.setdefault(file, set()).add(name)
    return shards


def _lacking_words(folder: Path) -> str | None:
    return None if any((folder / name).is_file() for name in TOKENIZERS) else TOKENIZERS[0]


def _lacking(folder: Path) -> str | None:
    """The first file that loading would not find, None where there is all."""
    if not (folder / "config.json").is_file():
        return "config.json"
    found = find_weights(folder)
    if found is None:
        return " or ".join(WHOLE)
    return next((shard for shard in read_shards(found) if not (folder / shard).is_file()), None)


def is_hub(source: str) -> bool:
    """Whether it is named as on the hub, and no folder."""
    return not source.startswith((_BUILTIN, ".", "/", "~"))


def _folder(source: str) -> Path:
    if source.startswith(_BUILTIN):
        return Path(str(files("vertebra.miniature") / "weights" / source.removeprefix(_BUILTIN)))
    return _hub_folder(source) if is_hub(source) else Path(source).expanduser()


def _hub_folder(source: str) -> Path:
    from huggingface_hub import constants

    name, _, revision = source.partition("@")
    if name.count("/") != 1:
        raise ConfigError(f"{source!r} is neither a hub id `owner/name@revision`, a folder nor `builtin:NAME`.")
    repository = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    reference = repository / "refs" / (revision or "main")
    commit = reference.read_text().strip() if reference.is_file() else revision or "main"
    return repository / "snapshots" / commit
