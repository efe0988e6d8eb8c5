"""Getting data onto a machine with internet, so that compute nodes run offline.

    fetch_benchmark(benchmark("gqa"), Path("data"))    data/gqa/ in the official layout, and data/gqa/source.json

Everything is gathered in a hidden folder beside the target (`.gqa.hub.part`), which the next attempt goes on with, and
appears by one rename when it is whole: half a download is never taken for a whole.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vertebra.errors import DataError, UnknownName
from vertebra.fetch import hub
from vertebra.fetch.archives import unzip
from vertebra.fetch.web import download
from vertebra.files import storing, sync, write_atomically
from vertebra.scoring.benchmark import Benchmark
from vertebra.scoring.inspection import SOURCE
from vertebra.scoring.sources import Files, Part, Rows, Web
from vertebra.spec import Json
from vertebra.store import file_digest

Tell = Callable[[str], None]
"""Hears what is being fetched, a line at a time."""


def fetch_benchmark(benchmark: Benchmark, data: Path, source: str | None = None, tell: Tell = lambda _: None) -> Path:
    """A benchmark's folder under the data folder, fetched whole; `source` is one of its sources, else the best.

    `UnknownName` for another source, `DataError` when the folder is there already, when the network or a server fails,
    and when what arrives is not what was promised.
    """
    known = list(benchmark.sources)
    if not known:
        raise DataError(f"No source of {benchmark.name} is known. Put its files into {data / benchmark.name} by hand.")
    chosen = source or known[0]
    if chosen not in known:
        raise UnknownName(f"source of {benchmark.name}", chosen, known)
    home = data / benchmark.name
    if home.exists():
        raise DataError(f"{home} is there already. Move it away to have the benchmark fetched anew.")
    growing = data / f".{benchmark.name}.{chosen}.part"
    with storing(growing), _alone(growing):
        notes: list[Json] = [_part(part, growing, tell) for part in benchmark.sources[chosen].parts]
        if benchmark.unpack:
            benchmark.unpack(growing)
        lacking = [name for name in benchmark.files if not (growing / name).is_file()]
        if lacking:
            raise DataError(f"{chosen} has no {', '.join(lacking)} of {benchmark.name}. Has it been rearranged?")
        benchmark.load(growing)
        digests: dict[str, Json] = {name: file_digest(growing / name) for name in benchmark.files}
        note = {"benchmark": benchmark.name, "source": chosen, "parts": notes, "files": digests}
        write_atomically(growing / SOURCE, json.dumps(note, indent=1) + "\n")
        shutil.rmtree(growing / ".cache", ignore_errors=True)
        growing.rename(home)
        sync(data)
    return home


def _part(part: Part, folder: Path, tell: Tell) -> dict[str, Json]:
    """Fetches one part into the folder; where it was from."""
    if isinstance(part, Web):
        tell(part.url)
        return {"url": part.url, "sha256": download(part.url, folder / part.path, part.sha256)}
    if isinstance(part, Files):
        tell(f"{part.names[0]}: {', '.join(part.patterns)}")
        name = hub.files(part.names, part.patterns, folder)
        for archive, target in (part.unzip or {}).items():
            if (folder / archive).is_file():
                unzip(folder / archive, folder / target)
                (folder / archive).unlink()
        return {"dataset": name}
    return _rows(part, folder, tell)


def _rows(part: Rows, folder: Path, tell: Tell) -> dict[str, Json]:
    tell(f"{part.names[0]}: {', '.join('/'.join(filter(None, (each.config, each.split))) for each in part.tables)}")
    opened = [hub.open_table(part.names, table) for table in part.tables]
    part.lay_out(folder, *(table.rows for table in opened))
    return {"dataset": opened[0].name, "files": [file for table in opened for file in table.files]}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One fetch at a time works on a folder. `DataError` for the second."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"Another `vertebra fetch` is at work on {folder}. Wait for it.") from error
        try:
            yield
        finally:
            with suppress(OSError):  # it stays where something is in it, or has been renamed
                folder.rmdir()
    finally:
        os.close(handle)
