"""Where weights lie: in the package, in a folder, or in the local Hugging Face cache.

    builtin:vicuna-s                            shipped with this package
    ./checkpoints/my-model                      a folder
    lmsys/vicuna-7b-v1.5@3321f76e3f527bd14065daf69dad9344000a201d    the hub's cache, this revision

Nothing is downloaded here: a study that starts is a study that can finish.
"""

from importlib.resources import files
from pathlib import Path

from vertebra.errors import ConfigError, DataError

_BUILTIN = "builtin:"


def locate(source: str) -> Path:
    """The folder with config, weights and tokenizer. `DataError` when it is not on this machine."""
    complaint = missing(source)
    if complaint:
        raise DataError(complaint)
    return _folder(source)


def missing(source: str) -> str | None:
    """Nothing when the weights are on this machine, else one line that says where they are expected."""
    folder = _folder(source)
    if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")):
        return None
    if _is_hub(source):
        name, _, revision = source.partition("@")
        command = f"hf download {name}" + (f" --revision {revision}" if revision else "")
        return f"weights {source}: not in the Hugging Face cache ({folder}). Get them with `{command}`."
    return f"weights {source}: {folder} has no config.json with *.safetensors beside it."


def local_files(source: str) -> list[Path]:
    """The files whose contents decide what the weights are, where no revision does; none for the hub's."""
    if _is_hub(source):
        return []
    return sorted(path for path in _folder(source).glob("*") if path.suffix in (".json", ".safetensors", ".model"))


def _is_hub(source: str) -> bool:
    return not source.startswith((_BUILTIN, ".", "/", "~"))


def _folder(source: str) -> Path:
    if source.startswith(_BUILTIN):
        return Path(str(files("vertebra.miniature") / "weights" / source.removeprefix(_BUILTIN)))
    return _hub_folder(source) if _is_hub(source) else Path(source).expanduser()


def _hub_folder(source: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    name, _, revision = source.partition("@")
    if name.count("/") != 1:
        raise ConfigError(f"{source!r} is neither a hub id `owner/name@revision`, a folder nor `builtin:NAME`.")
    repository = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")
    reference = repository / "refs" / (revision or "main")
    commit = reference.read_text().strip() if reference.is_file() else revision or "main"
    return repository / "snapshots" / commit
