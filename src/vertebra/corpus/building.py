"""Arrays in a folder, built once: written block by block, checked by their sizes, there by one rename.

    7c41…/corpus.json   {"bytes": {"ids.npy": 530128, ...}, "image_id": 32000, "image_tokens": 576, "faults": []}
          files.jsonl   ["coco/train2017", ["000000000009.jpg", ...]]
          ids.npy  spans.npy  looks.npy  ends.npy  lengths.npy  supervised.npy  images.npy  words.npy  cut.npy

The bytes are the same however many processes work side by side: blocks are of one size and are put down in order.
"""

import errno
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import numpy as np

from vertebra.corpus.reading import Block, Reader
from vertebra.corpus.survey import Progress
from vertebra.errors import VertebraError
from vertebra.files import storing, sync, write_atomically
from vertebra.spec import Json

MANIFEST = "corpus.json"
FILES = "files.jsonl"
ARRAYS: Mapping[str, tuple[type[np.generic], *tuple[int, ...]]] = {
    "lengths": (np.int32,),
    "supervised": (np.int32,),
    "images": (np.int16,),
    "words": (np.int32,),
    "ids": (np.int32,),
    "spans": (np.int32, 2),
    "looks": (np.uint8,),
    "ends": (np.int64, 3),
    "cut": (np.int64,),
}
"""Per array the type of its numbers, and how many a row has: a sample, a token, a stretch with loss, a byte.

`ends` says where in `ids`, `spans` and `looks` samples begin and end, `cut` which samples lost a part of their answers.
"""
_BLOCK = 256
"""Records that are read at a time."""
_ABANDONED = 24 * 3600
"""Seconds in which any folder is built."""
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_PATIENCE = 0.1
"""Seconds between two looks whether the work is to end."""


def build(reader: Reader, target: Path, facts: Mapping[str, Json], workers: int, progress: Progress) -> None:
    """Writes the arrays of all records into a folder `target`, and `facts` beside them.

    Where another process was faster, its folder stays. `DataError` for a record that cannot be read, `VertebraError`
    for a full disk; nothing is left then.
    """
    with storing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear(target.parent)
        part = _beside(target)
        try:
            part.mkdir()
            _write(reader, part, facts, workers, progress)
            _install(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def is_whole(folder: Path) -> bool:
    """Whether a folder has every file, each of its size."""
    try:
        sizes = json.loads((folder / MANIFEST).read_bytes())["bytes"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


class Growing:
    """A .npy file that rows are added to; https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html."""

    def __init__(self, file: BinaryIO, kind: type[np.generic], *row: int) -> None:
        """`row` is the shape of one row, none for a number."""
        self._file, self._kind, self._row = file, np.dtype(kind), row
        self._rows = 0
        self._head()

    def add(self, rows: np.ndarray) -> None:
        """Puts rows behind those that are there."""
        assert rows.shape[1:] == self._row, (rows.shape, self._row)
        self._file.write(np.ascontiguousarray(rows, self._kind).data)
        self._rows += len(rows)

    def finish(self) -> None:
        """Says in the file how many there are, and syncs it."""
        self._file.seek(0)
        self._head()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _head(self) -> None:
        """Numpy leaves room in it for any number of rows."""
        shape = {"descr": np.lib.format.dtype_to_descr(self._kind), "fortran_order": False}
        np.lib.format.write_array_header_1_0(self._file, {**shape, "shape": (self._rows, *self._row)})


def _write(reader: Reader, part: Path, facts: Mapping[str, Json], workers: int, progress: Progress) -> None:
    with ExitStack() as open_files:
        arrays = {
            name: Growing(open_files.enter_context((part / f"{name}.npy").open("wb")), *row)
            for name, row in ARRAYS.items()
        }
        _fill(arrays, reader, workers, progress)
        for array in arrays.values():
            array.finish()
    with (part / FILES).open("w", encoding="utf-8") as file:
        for folder, names in sorted(reader.survey.files.items()):
            file.write(json.dumps([folder, sorted(names)]) + "\n")
        file.flush()
        os.fsync(file.fileno())
    sizes = {path.name: path.stat().st_size for path in sorted(part.iterdir())}
    write_atomically(part / MANIFEST, json.dumps({"bytes": sizes, **facts}))


def _fill(arrays: Mapping[str, Growing], reader: Reader, workers: int, progress: Progress) -> None:
    total, done, sizes = len(reader.survey), 0, np.zeros((1, 3), np.int64)

    def tick() -> None:
        progress(done, total)

    arrays["ends"].add(sizes)
    tick()
    for block in blocks(reader, workers, tick):
        for name in arrays.keys() & {*block._fields} - {"cut"}:
            arrays[name].add(getattr(block, name))
        ends = sizes + np.cumsum(block.sizes, axis=0)
        arrays["ends"].add(ends)
        arrays["cut"].add(done + np.flatnonzero(block.cut))
        sizes, done = ends[-1:], done + len(ends)
        tick()


def _clear(cache: Path) -> None:
    """Takes away what a killed process has left."""
    for part in cache.glob(".*-*"):
        with suppress(OSError):  # another process has taken it away
            if time.time() - part.stat().st_mtime > _ABANDONED:
                shutil.rmtree(part)


def _install(part: Path, target: Path) -> None:
    """Gives a finished folder its name; what has the name already and is damaged goes."""
    sync(part)
    while True:
        try:
            part.rename(target)
            break
        except OSError as error:
            if is_whole(target):
                return
            if error.errno not in _TAKEN:
                raise
        damaged = _beside(target)
        with suppress(FileNotFoundError):  # another process has moved it, and may have put its own there
            target.rename(damaged)
            shutil.rmtree(damaged)
    sync(target.parent)


def _beside(target: Path) -> Path:
    """A name for a folder that is none yet, or none any more."""
    return target.with_name(f".{target.name[:16]}-{uuid4().hex[:12]}")


def blocks(reader: Reader, workers: int, tick: Callable[[], None], size: int = _BLOCK) -> Iterator[Block]:
    """All records in blocks of one size, in order; `tick` is called every now and then and may raise."""
    ranges = [(start, min(start + size, len(reader.survey))) for start in range(0, len(reader.survey), size)]
    if workers == 1:
        for start, stop in ranges:
            yield reader.block(start, stop)
        return
    yield from _side_by_side(reader, ranges, workers, tick)


def _side_by_side(
    reader: Reader, ranges: Sequence[tuple[int, int]], workers: int, tick: Callable[[], None]
) -> Iterator[Block]:
    """Dealt out in turn, and collected in turn: a process that is ahead waits until its block is wanted."""
    context = get_context("spawn")  # a fork would copy the locks of threads that it does not copy
    crew = []
    try:
        for place in range(min(workers, len(ranges))):
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(reader, ranges[place::workers], sender), daemon=True)
            process.start()
            sender.close()  # so that the end of the process is the end of the pipe
            crew.append((process, receiver))
        for turn in range(len(ranges)):
            process, receiver = crew[turn % workers]
            while not receiver.poll(_PATIENCE):
                tick()
            try:
                block = receiver.recv()
            except EOFError as error:
                process.join()
                tick()  # which may know why: torchrun hands a signal on to everyone
                raise VertebraError(
                    f"A process that reads records has ended with {process.exitcode}. If memory is short, give fewer "
                    "workers; everything finished before is kept."
                ) from error
            if isinstance(block, VertebraError):
                raise block
            yield block
    finally:
        for process, receiver in crew:
            process.terminate()
            process.join()
            receiver.close()


def _work(reader: Reader, ranges: Sequence[tuple[int, int]], sender: Connection) -> None:
    """What one of the processes does; when nobody wants its blocks any more, the pipe breaks and it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to everyone; here the parent answers it
    try:
        for start, stop in ranges:
            sender.send(reader.block(start, stop))
    except BrokenPipeError:
        return
    except VertebraError as error:
        sender.send(error)
