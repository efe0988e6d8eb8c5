"""The Hugging Face hub: files of repositories and rows of datasets, through its own clients.

Their cache is shared with other tools, goes on with half a file and is moved by HF_HOME. A dataset's rows are read
from its Parquet files one by one, pictures as the bytes they are: https://huggingface.co/docs/datasets
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from vertebra.errors import DataError
from vertebra.fetch.web import Unreachable
from vertebra.files import storing
from vertebra.scoring.sources import Row, Table

Found = TypeVar("Found")
_HUB = "hf://datasets/"


class HubUnreachable(Unreachable):
    """The hub itself, so that there is no use in asking it for anything else."""


class Opened(NamedTuple):
    """A table of a dataset."""

    name: str
    files: list[str]
    """Its Parquet files, with the revision."""
    rows: Iterator[Row]


def files(names: Sequence[str], patterns: Sequence[str], folder: Path) -> str:
    """Puts the files of a dataset repository that match into a folder; the repository's name. `DataError` for none."""
    from huggingface_hub import snapshot_download

    def get(name: str) -> str:
        snapshot_download(name, repo_type="dataset", allow_patterns=list(patterns), local_dir=folder)
        return name

    return _first(names, get)


def file_of(name: str, file: str, target: Path) -> None:
    """Puts one file of a dataset repository into place, whole."""
    from huggingface_hub import hf_hub_download

    def get(name: str) -> Path:
        found = Path(hf_hub_download(name, file, repo_type="dataset"))
        target.parent.mkdir(parents=True, exist_ok=True)
        growing = target.with_name(f".{target.name}.part")
        shutil.copyfile(found, growing)
        return growing.replace(target)

    with storing(target):
        _first([name], get)


def weights(source: str) -> None:
    """Brings weights named `owner/name@revision` into the hub's cache. `DataError` when they cannot be had."""
    from huggingface_hub import HfApi, snapshot_download

    name, _, version = source.partition("@")
    revision = version or None

    def get(name: str) -> str:
        there = HfApi().list_repo_files(name, revision=revision)
        # Many repositories hold everything twice; pickles are for those that have nothing else.
        kind = "*.safetensors" if any(file.endswith(".safetensors") for file in there) else "*.bin"
        kinds = [kind, "*.json", "*.model", "*.txt", "*.jinja"]
        return snapshot_download(name, revision=revision, allow_patterns=kinds)

    _first([name], get)


def open_table(names: Sequence[str], table: Table) -> Opened:
    """A table of the first of these datasets that exists (or of a folder laid out like one), its files on this machine.

    `DataError` when none can be reached, the split is not there, or the dataset is not in Parquet.
    """
    from datasets import load_dataset, load_dataset_builder

    def look(name: str) -> tuple[str, list[str]]:
        found = load_dataset_builder(name, table.config).config.data_files or {}
        return name, [str(file) for file in found.get(table.split, ())]

    name, remote = _first(names, look)
    if not remote or not all(file.endswith(".parquet") for file in remote):
        raise DataError(
            f"The dataset {name} has no Parquet files of the split {table.split!r}. Has it been rearranged?"
        )
    local = [_first([name], lambda _, file=file: _local(file)) for file in remote]  # type: ignore[misc]
    rows = load_dataset("parquet", data_files=local, split="train", streaming=True).decode(False)
    return Opened(name, [Path(file).name if "://" not in file else file for file in remote], iter(rows))


def _local(file: str) -> str:
    """Where a file of a dataset lies on this machine, downloaded if it has to be."""
    from huggingface_hub import hf_hub_download

    if not file.startswith(_HUB):
        return file
    owner, name, path = file.removeprefix(_HUB).split("/", 2)
    name, _, revision = name.partition("@")
    return hf_hub_download(f"{owner}/{name}", path, repo_type="dataset", revision=revision or None)


def _first(names: Sequence[str], get: Callable[[str], Found]) -> Found:
    """What there is under the first name that exists. `DataError` in place of what the hub's clients raise."""
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    absent: Exception | None = None
    for name in names:
        try:
            return get(name)
        except GatedRepoError as error:
            raise DataError(
                f"{name} is gated: accept its terms on its page and log in with `hf auth login`."
            ) from error
        except LocalEntryNotFoundError as error:  # what the hub's client says of a file that it cannot ask for
            raise HubUnreachable(f"{name} on the Hugging Face hub", error) from error
        except (RepositoryNotFoundError, FileNotFoundError, DatasetsError) as error:
            absent = error
        except (HfHubHTTPError, OSError) as error:
            raise HubUnreachable(f"{name} on the Hugging Face hub", error) from error
    raise DataError(f"The hub has no {' or '.join(names)}: {str(absent).splitlines()[0][:200]}") from absent
