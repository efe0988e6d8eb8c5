"""The store: finished steps as folders named by their keys, visible all at once or not at all.

    vertebra-store/
    ├── lock                   who works here, held by flock
    ├── fingerprints.json      SHA-256 of the data files that runs have read
    ├── work/<key>/            a step in progress; survives crashes and is where the next run goes on
    └── steps/<key>/           a finished step
        ├── step.json          what its key is the digest of, and its label
        ├── run.json           host, versions, seconds
        ├── log.jsonl          what it had to say
        ├── manifest.json      {"model.safetensors": {"bytes": 812, "sha256": "9f…"}}
        ├── tensorboard/       and wandb/: its training, where it was tracked
        └── out/               the result

A commit syncs everything, writes the manifest last and then renames work/<key> to steps/<key>. The store knows keys
and folders, not what a step is.
"""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, cast

from vertebra.errors import DataError, StoreBusy
from vertebra.files import read_rows, storing, sync, write_atomically
from vertebra.spec import Json

_CLOCK_TICK = 2_000_000_000
"""Nanoseconds after which a file that changes again surely gets another time of change."""
_KEPT = {"step.json", "run.json", "log.jsonl", "manifest.json", "out", "tensorboard", "wandb"}
_DYING_TAKES = 0.5
"""Seconds for which a process that was just killed may still look alive."""
_ORPHANS_GO_WITHIN = 10.0
"""Seconds after which the workers of a killed run must have noticed its end."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of finished steps. Asking it anything creates nothing."""

    root: Path

    def done(self, key: str) -> bool:
        """Whether the step is finished."""
        return (self._step(key) / "manifest.json").is_file()

    def begun(self, key: str) -> bool:
        """Whether an earlier run left something to go on from."""
        return (self.root / "work" / key).is_dir()

    def out(self, key: str) -> Path:
        """The result folder of a finished step."""
        return self._step(key) / "out"

    def finished(self) -> Iterator[tuple[str, dict[str, Json]]]:
        """Key and step.json of every finished step; folders that are no steps are passed over."""
        steps = self.root / "steps"
        for folder in sorted(steps.iterdir()) if steps.is_dir() else ():
            record = _read_json(folder / "step.json")
            if record is not None and self.done(folder.name):
                yield folder.name, record

    def record(self, key: str) -> dict[str, Json]:
        """The run.json of a finished step: host, versions, seconds; empty where it cannot be read."""
        return _read_json(self._step(key) / "run.json") or {}

    def log(self, key: str) -> list[dict[str, Json]]:
        """The log.jsonl of a finished step; empty where there is none or it cannot be read."""
        try:
            return read_rows(self._step(key) / "log.jsonl")
        except DataError:
            return []

    def verify(self, key: str) -> None:
        """Compares a result with its manifest. `DataError` names the file that is missing or damaged."""
        manifest = _read_json(self._step(key) / "manifest.json")
        cure = f"Delete the folder {self._step(key)} and run again; only this step and what builds on it is repeated."
        if manifest is None:
            raise DataError(f"{self._step(key) / 'manifest.json'} is missing or damaged. {cure}")
        for name, facts in manifest.items():
            path = self.out(key) / name
            if not path.is_file():
                raise DataError(f"{path} is missing. {cure}")
            if _facts(path) != facts:
                raise DataError(f"{path} is damaged: it is not what the step wrote. {cure}")

    def work(self, key: str) -> Path:
        """The folder a step works in, with an out/ inside; what an earlier attempt left there is kept."""
        folder = self.root / "work" / key
        with storing(folder):
            (folder / "out").mkdir(parents=True, exist_ok=True)
        return folder

    def commit(self, key: str, preimage: Mapping[str, Json], label: str, run: Mapping[str, Json]) -> None:
        """Makes work/<key> a finished step. After a crash inside it `publish` brings it to its end."""
        folder = self.root / "work" / key
        out = folder / "out"
        with storing(folder):
            result = sorted(out.rglob("*"))
            for path in (out, *result):
                sync(path)
            manifest: dict[str, Json] = {str(path.relative_to(out)): _facts(path) for path in result if path.is_file()}
            write_atomically(folder / "step.json", _pretty({"label": label, **preimage}))
            write_atomically(folder / "run.json", _pretty(run))
            write_atomically(folder / "manifest.json", _pretty(manifest))
        self.publish(key)

    def publish(self, key: str) -> bool:
        """Moves a complete work folder among the finished steps; False where it is not complete."""
        folder, step = self.root / "work" / key, self._step(key)
        if not (folder / "manifest.json").is_file():
            return False
        with storing(folder):
            for path in folder.iterdir():
                if path.name not in _KEPT:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            sync(folder)
            step.parent.mkdir(parents=True, exist_ok=True)
            if step.is_dir():  # a step someone damaged by hand: it has no manifest, else it would not run again
                shutil.rmtree(step)
            folder.rename(step)
            sync(step.parent)
            sync(folder.parent)
        return True

    @contextmanager
    def lock(self, command: str, file: str = "lock") -> Iterator[int]:
        """Owns the store, or a part of the work, for a while; yields the file descriptor that child processes inherit.

        The lock goes with the last process that has the descriptor open, so a killed run's workers keep it until they
        are gone. Raises `StoreBusy` naming the holder: soon where it lives, else after some seconds.
        """
        path = self.root / file
        with storing(path):
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._acquire(handle, path)
            since = datetime.now(UTC).isoformat(timespec="seconds")
            holder: dict[str, Json] = {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "since": since,
                "command": command,
            }
            os.ftruncate(handle, 0)
            os.pwrite(handle, _pretty(holder).encode(), 0)
            yield handle
            os.ftruncate(handle, 0)
        finally:
            os.close(handle)

    def holder(self) -> dict[str, Json] | None:
        """Who works on the store right now: pid, host, since, command. None where nobody does."""
        try:
            handle = os.open(self.root / "lock", os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return None if _flock(handle, fcntl.LOCK_SH) else _read_json(self.root / "lock") or {}
        finally:
            os.close(handle)

    def _acquire(self, handle: int, path: Path) -> None:
        began = time.monotonic()
        while not _flock(handle, fcntl.LOCK_EX):
            holder = _read_json(path) or {}
            if time.monotonic() - began > (_DYING_TAKES if _lives(holder) else _ORPHANS_GO_WITHIN):
                raise StoreBusy(
                    f"The store {self.root} is in use by process {holder.get('pid', 'unknown')} on "
                    f"{holder.get('host', 'an unknown host')} since {holder.get('since', 'an unknown time')}: "
                    f"{holder.get('command', 'unknown command')}. Wait for it, or give another --store."
                )
            time.sleep(0.05)

    def _step(self, key: str) -> Path:
        return self.root / "steps" / key


class _Seen(TypedDict):
    folder: str
    bytes: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """SHA-256 of the files under a data folder, remembered by size and time of change.

    Without a data folder it answers what the last run saw, so a store can be reported on where the data is not.
    """

    path: Path
    data: Path | None
    seen: "dict[str, _Seen]"

    @classmethod
    def of(cls, store: Store, data: Path | None) -> "Fingerprints":
        """The fingerprints that a store remembers."""
        return cls.at(store.root / "fingerprints.json", data)

    @classmethod
    def at(cls, path: Path, data: Path | None) -> "Fingerprints":
        """The fingerprints that a file remembers."""
        return cls(path, data and data.resolve(), cast("dict[str, _Seen]", _read_json(path) or {}))

    def __call__(self, name: str) -> str | None:
        """The digest of a file, or of a folder's names and files; None where there is nothing of this name."""
        if self.data is None and not Path(name).is_absolute():
            return self.seen[name]["sha256"] if name in self.seen else None
        path = (self.data or Path()) / name  # a whole path stays what it is
        if path.is_dir():
            inside = sorted(str(Path(name, file.relative_to(path))) for file in path.rglob("*") if file.is_file())
            lines = "\n".join(f"{file} {self(file)}" for file in inside)
            self.seen[name] = _Seen(
                folder=str(self.data), bytes=0, mtime_ns=0, sha256=hashlib.sha256(lines.encode()).hexdigest()
            )
        elif path.is_file():
            self.seen[name] = self._look(path, self.seen.get(name))
        else:
            self.seen.pop(name, None)  # else a file that is gone would still be in what the last run saw
            return None
        return self.seen[name]["sha256"]

    def save(self) -> None:
        """Remembers everything asked so far."""
        write_atomically(self.path, _pretty(cast("Json", self.seen)))

    def _look(self, path: Path, known: "_Seen | None") -> "_Seen":
        stat = path.stat()
        folder = str(self.data)
        if known and (known["folder"], known["bytes"], known["mtime_ns"]) == (folder, stat.st_size, stat.st_mtime_ns):
            return known
        is_settled = time.time_ns() - stat.st_mtime_ns > _CLOCK_TICK  # else a change could keep the time of change
        mtime = stat.st_mtime_ns if is_settled else 0
        return _Seen(folder=folder, bytes=stat.st_size, mtime_ns=mtime, sha256=file_digest(path))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(path: Path) -> dict[str, Json]:
    return {"bytes": path.stat().st_size, "sha256": file_digest(path)}


def _pretty(value: Json) -> str:
    return json.dumps(value, indent=1, ensure_ascii=True) + "\n"


def _read_json(path: Path) -> dict[str, Json] | None:
    """A file's JSON object; None for anything else, because foreign files may lie in a store."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _flock(handle: int, mode: int) -> bool:
    try:
        fcntl.flock(handle, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(holder: Mapping[str, Json]) -> bool:
    """Whether the holder is a process of this host that runs; a killed one that nobody has reaped does not."""
    if holder.get("host") != socket.gethostname():
        return False
    try:
        stat = Path(f"/proc/{holder.get('pid')}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
