"""What a running study, or a long look at files, shows on stderr: bars on a terminal, else a plain line now and then.

miniature                              ━━━━━━━╸━━━━━━━━━━━━   42/113 steps 0:03:12
  …-llava-1.5/tiny-phi-3/seed0/stage3  ━━━━━╸━━━━━━━━━━━━━━ 40/120 samples 0:00:21

[43/113] done tiny-llava-1.5/tiny-phi-3/seed0/pretrain (3.2 s)
[43/113] tiny-llava-1.5/tiny-phi-3/seed0/finetune: 40/120 samples, loss 2.31, 0:00:21 left
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from vertebra.cli.text import paragraph, printable
from vertebra.engine import Advanced, Event, Failed, Finished, Noted, Started, Ticked

_SECONDS_BETWEEN_LINES = 10.0
_LABEL = 36
_NOTE = 16


@contextmanager
def showing(title: str, total: int, stream: TextIO) -> Iterator[Callable[[Event], None]]:
    """Shows a run of `total` steps while the block lasts; what it yields is to be told every event."""
    if not stream.isatty():
        yield _Lines(total, stream).listen
        return
    with _bars(stream) as progress:
        yield _Bars(total, progress, progress.add_task(title, total=total, count="")).listen


@contextmanager
def counting(title: str, stream: TextIO) -> Iterator[Callable[[int, int, str], None]]:
    """Shows one thing that takes long while the block lasts; what it yields is told how many of how many are done."""
    if not stream.isatty():
        yield _Count(title, stream).tell
        return
    with _bars(stream) as progress:
        task = progress.add_task(title, total=None, count="")

        def tell(done: int, total: int, unit: str) -> None:
            progress.update(task, completed=done, total=total, count=f"{done:,}/{total:,} {unit}")

        yield tell


@dataclass(slots=True)
class _Count:
    """For logs: a line each ten seconds."""

    title: str
    stream: TextIO
    unit: str = ""
    since: float = 0.0
    last: float = field(default_factory=time.monotonic)

    def tell(self, done: int, total: int, unit: str) -> None:
        now = time.monotonic()
        if unit != self.unit:
            self.unit, self.since = unit, now
        if now - self.last > _SECONDS_BETWEEN_LINES:
            self.last = now
            left = _left(self.since, done, total - done)
            print(printable(f"{self.title}: {done:,}/{total:,} {unit}{left}"), file=self.stream, flush=True)


@dataclass(slots=True)
class _Lines:
    """For logs: a line per finished step, and one for every running step each ten seconds."""

    total: int
    stream: TextIO
    done: int = 0
    last: float = field(default_factory=time.monotonic)
    running: dict[str, "_Pace"] = field(default_factory=dict)

    def listen(self, event: Event) -> None:
        match event:
            case Started(step):
                self.running[step.key] = _Pace(step.label)
            case Advanced(step):
                self.running[step.key].advance(event)
            case Noted():
                print(_remark(event), file=self.stream, flush=True)
            case Finished(step, seconds):
                del self.running[step.key]
                self.done += 1
                self._say(f"done {step.label} ({seconds:.1f} s)")
            case Failed(step):
                self.running.pop(step.key, None)
                print(_story(event), file=self.stream, flush=True)
            case Ticked() if time.monotonic() - self.last > _SECONDS_BETWEEN_LINES:
                for pace in self.running.values():
                    self._say(pace.line())

    def _say(self, text: str) -> None:
        self.last = time.monotonic()
        print(f"[{self.done}/{self.total}] {printable(text)}", file=self.stream, flush=True)


@dataclass(slots=True)
class _Pace:
    """How far a step is and, from what it did since it was first heard of, how long it will take."""

    label: str
    first: tuple[float, int] | None = None
    latest: Advanced | None = None

    def advance(self, event: Advanced) -> None:
        self.first = self.first or (time.monotonic(), event.done)
        self.latest = event

    def line(self) -> str:
        if self.first is None or self.latest is None:
            return f"{self.label}: starting"
        (since, start), now = self.first, self.latest
        note = f", {now.note}" if now.note else ""
        note += _left(since, now.done - start, now.total - now.done)
        return f"{self.label}: {now.done}/{now.total} {now.unit}{note}"


@dataclass(slots=True)
class _Bars:
    """For terminals: the whole run and below it every running step."""

    total: int
    progress: Progress
    whole: TaskID
    ended: int = 0
    tasks: dict[str, TaskID] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)

    def listen(self, event: Event) -> None:
        match event:
            case Started(step):
                self.tasks[step.key] = self.progress.add_task(f"  {_shortened(step.label)}", total=None, count="")
            case Advanced(step, done, total, unit, note):
                self.parts[step.key] = done / max(total, 1)
                count = f"{printable(note)[:_NOTE]} {done}/{total} {printable(unit)}".lstrip()
                self.progress.update(self.tasks[step.key], completed=done, total=total, count=count)
            case Noted():
                self.progress.console.print(_remark(event), markup=False, highlight=False, soft_wrap=True)
            case Finished(step):
                self._end(step.key)
            case Failed(step):
                self._end(step.key)
                self.progress.console.print(_story(event), markup=False, highlight=False, soft_wrap=True)
        count = f"{self.ended}/{self.total} steps"
        self.progress.update(self.whole, completed=self.ended + sum(self.parts.values()), count=count)

    def _end(self, key: str) -> None:
        self.ended += 1
        self.parts.pop(key, None)
        if key in self.tasks:
            self.progress.remove_task(self.tasks.pop(key))


def _left(since: float, done: int, more: int) -> str:
    """How long `more` will take, where `done` took the time since then."""
    return f", {timedelta(seconds=round((time.monotonic() - since) / done * more))} left" if done else ""


def _bars(stream: TextIO) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        TextColumn("{task.fields[count]}", markup=False, table_column=Column(no_wrap=True, justify="right")),
        TimeRemainingColumn(),
        console=Console(file=stream),
        expand=True,
        transient=True,
        speed_estimate_period=600,
    )


def _remark(noted: Noted) -> str:
    return paragraph(f"note: {noted.step.label}: {noted.message}", hang=2)


def _story(failure: Failed) -> str:
    """What failed and why, the end of its log and where the rest is."""
    lines = [paragraph(f"failed: {failure.step.label}: {failure.message}", hang=2)]
    if failure.tail:
        lines += [f"  | {printable(line)}" for line in failure.tail]
        lines.append(f"  The whole log: {failure.log}")
    return "\n".join(lines)


def _shortened(label: str) -> str:
    """The label's end, which tells steps apart best."""
    return label if len(label) <= _LABEL else f"…{label[1 - _LABEL :]}"
