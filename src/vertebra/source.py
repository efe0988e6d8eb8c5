"""Where weights lie: in the package, in a folder, or in the local Hugging Face cache.

    builtin:vicuna-s                            shipped with this package
    ./checkpoints/my-model                      a folder
    lmsys/vicuna-7b-v1.5@3321f76e3f527bd14065daf69dad9344000a201d    the hub's cache, this revision

Nothing is downloaded here: a study that starts is a study that can finish. The cache's layout:
https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

import json
from importlib.resources import files
from pathlib import Path

from vertebra.errors import ConfigError, DataError
from vertebra.spec import read_text

_BUILTIN = "builtin:"
_DECIDING = (".json", ".safetensors", ".model", ".txt", ".jinja")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


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
    if _is_hub(source):
        name, _, revision = source.partition("@")
        command = f"hf download {name}" + (f" --revision {revision}" if revision else "")
        return f"weights {source}: no {lacking} in the Hugging Face cache ({folder}). Get them with `{command}`."
    return f"weights {source}: no {lacking} in {folder}."


def local_files(source: str) -> list[Path]:
    """The files whose contents decide what the weights are, where no revision does; none for the hub's."""
    if _is_hub(source):
        return []
    folder = _folder(source).resolve()
    return sorted(path for path in folder.glob("*") if path.suffix in _DECIDING and path.is_file())


def _lacking_words(folder: Path) -> str | None:
    return None if any((folder / name).is_file() for name in _TOKENIZERS) else _TOKENIZERS[0]


def _lacking(folder: Path) -> str | None:
    """The first file that loading would not find, None where there is all."""
    if not (folder / "config.json").is_file():
        return "config.json"
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        return next((shard for shard in _shards(index) if not (folder / shard).is_file()), None)
    return None if any(path.is_file() for path in folder.glob("*.safetensors")) else "*.safetensors"


def _shards(index: Path) -> list[str]:
    """The files that a checkpoint is split into."""
    try:
        return sorted({str(shard) for shard in json.loads(read_text(index))["weight_map"].values()})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{index} is no index of weights. Fetch it again.") from error


def _is_hub(source: str) -> bool:
    return not source.startswith((_BUILTIN, ".", "/", "~"))


def _folder(source: str) -> Path:
    if source.startswith(_BUILTIN):
        return Path(str(files("vertebra.miniature") / "weights" / source.removeprefix(_BUILTIN)))
    return _hub_folder(source) if _is_hub(source) else Path(source).expanduser()


def _hub_folder(source: str) -> Path:
    from huggingface_hub import constants

    name, _, revision = source.partition("@")
    if name.count("/") != 1:
        raise ConfigError(f"{source!r} is neither a hub id `owner/name@revision`, a folder nor `builtin:NAME`.")
    repository = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    reference = repository / "refs" / (revision or "main")
    commit = reference.read_text().strip() if reference.is_file() else revision or "main"
    return repository / "snapshots" / commit
