"""The engine: runs what is missing of a plan, one child process per crew, and loses nothing that is finished.

    engine ─┬─ worker  tiny-llava-1.5/tiny-phi-3/seed0      pretrain, finetune, pope/answers, pope/score, ...
            └─ worker  tiny-llava-1.5/tiny-vicuna-s/seed0   ...

A crew starts when every step it needs from other crews is finished. A failed step blocks only what needs it. The first
SIGINT or SIGTERM lets the running steps save and stop, the second kills them. No model code is ever imported here.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vertebra.errors import DataError, Stopped
from vertebra.files import storing
from vertebra.plan import Plan, Step
from vertebra.runtime import Runtime, check_installed
from vertebra.spec import Stage
from vertebra.store import Store
from vertebra.worker import Job

_TICK_SECONDS = 0.2
_SECONDS_TO_SAVE = 25.0
_TAIL_LINES = 12
_TAIL_BYTES = 1 << 15
_ONE_CORE = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB", "BLIS")


@dataclass(frozen=True, slots=True)
class Started:
    """A step begins or goes on."""

    step: Step


@dataclass(frozen=True, slots=True)
class Advanced:
    """A step is `done` of `total` units far."""

    step: Step
    done: int
    total: int
    unit: str
    note: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A step says what a person should know; it goes on."""

    step: Step
    message: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A step's result is in the store."""

    step: Step
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A step did not get to its end; `tail` holds the last lines of the log after a crash."""

    step: Step
    message: str
    exit_code: int
    tail: tuple[str, ...]
    log: Path


@dataclass(frozen=True, slots=True)
class Ticked:
    """A little time has passed."""


Event = Started | Advanced | Noted | Finished | Failed | Ticked


class Outcome(NamedTuple):
    """How a run ended; `blocked` steps were not tried, because a step that they need failed."""

    finished: tuple[Step, ...]
    failed: tuple[Failed, ...]
    blocked: tuple[Step, ...]

    @property
    def exit_code(self) -> int:
        """0, or the code that all failures share, else 1."""
        codes = {failure.exit_code for failure in self.failed}
        return codes.pop() if len(codes) == 1 else int(bool(codes))


def missing_steps(plan: Plan, store: Store) -> tuple[Step, ...]:
    """The steps that a run would do, each key once, in the plan's order."""
    missing: dict[str, Step] = {}
    for step in plan.steps:
        if step.key not in missing and not store.done(step.key):
            missing[step.key] = step
    return tuple(missing.values())


def check_inputs(steps: Sequence[Step], runtime: Runtime) -> None:
    """Looks for all data files and weights that the steps read; one `DataError` lists what is absent and where.

    `ConfigError` when a stage of training, or `tracking`, needs a package that is not installed.
    """
    from vertebra.source import missing

    check_installed(runtime.tracking)
    for stage in (step.spec["stage"] for step in steps if "stage" in step.spec):
        if lora := Stage.model_validate(stage).lora:
            lora.check_installed()
    files = dict.fromkeys(file for step in steps for file in step.files)
    sources = dict.fromkeys(source for step in steps for source in step.weights)
    lacks = [line for source in sources if (line := missing(source))]
    folder = runtime.data or Path("DIR")
    lacks += [f"file {folder / file}" for file in files if runtime.data is None or not (folder / file).exists()]
    if runtime.data is None and files:
        lacks.append("DIR is the data folder: say where it is with --data DIR")
    if lacks:
        listed = "\n".join(f"  {line}" for line in lacks)
        raise DataError(f"Nothing was run, because inputs are missing:\n{listed}")


def run(plan: Plan, store: Store, runtime: Runtime, lock: int, listen: Callable[[Event], None]) -> Outcome:
    """Does every missing step of the plan; `lock` is what `Store.lock` yielded, `listen` is told what happens.

    Raises `Stopped` after a signal, once every worker has saved and gone.
    """
    engine = _Engine(plan, store, runtime, lock, listen)
    with _signals_into(engine.signals):
        try:
            engine.run()
        finally:
            engine.kill()
    if engine.signals:
        raise Stopped(engine.signals[0])
    return Outcome(tuple(engine.finished), tuple(engine.failed), tuple(engine.blocked))


@dataclass(slots=True, eq=False)
class _Worker:
    """A child process, the steps it still has to do, and where its part of the log begins."""

    process: subprocess.Popen[bytes]
    crew: str
    left: dict[str, Step]
    log: Path
    log_start: int
    current: Step | None = None
    rest: bytes = b""


@dataclass(slots=True)
class _Engine:
    plan: Plan
    store: Store
    runtime: Runtime
    lock: int
    listen: Callable[[Event], None]
    signals: list[int] = field(default_factory=list)
    finished: list[Step] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    blocked: list[Step] = field(default_factory=list)
    waiting: dict[str, list[Step]] = field(default_factory=dict)
    workers: list[_Worker] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    deadline: float | None = None

    def run(self) -> None:
        for step in missing_steps(self.plan, self.store):
            self.waiting.setdefault(step.crew, []).append(step)
        while True:
            if self.signals:
                self._stop()
            else:
                self._start_crews()
            if not self.workers:
                break
            for key, _ in self.selector.select(_TICK_SECONDS):
                self._read(key.data)
            self.listen(Ticked())
        assert self.signals or not self.waiting, "crews wait for each other in a circle"

    def kill(self) -> None:
        """Ends every worker that is still there, at once."""
        for worker in self.workers:
            worker.process.kill()
            _reap(worker)
        self.selector.close()

    def _stop(self) -> None:
        """Asks the workers to save and go; a second signal or too long a wait ends them."""
        if self.deadline is None:
            self.deadline = time.monotonic() + _SECONDS_TO_SAVE
            for worker in self.workers:
                worker.process.terminate()
        elif len(self.signals) > 1 or time.monotonic() > self.deadline:
            for worker in self.workers:
                worker.process.kill()

    def _start_crews(self) -> None:
        self._set_blocked_aside()
        for crew, steps in list(self.waiting.items()):
            if len(self.workers) >= self.runtime.workers:
                break
            own = {step.key for step in steps}
            if all(self.store.done(key) for step in steps for key in step.awaits if key not in own):
                del self.waiting[crew]
                self._start(crew, steps)

    def _set_blocked_aside(self) -> None:
        """Takes out what needs a failed step, however indirectly; the waiting steps stand in the plan's order."""
        lost = {failure.step.key for failure in self.failed} | {step.key for step in self.blocked}
        for crew, steps in list(self.waiting.items()):
            for step in list(steps):
                if not lost.isdisjoint(step.awaits):
                    lost.add(step.key)
                    self.blocked.append(step)
                    steps.remove(step)
            if not steps:
                del self.waiting[crew]

    def _start(self, crew: str, steps: list[Step]) -> None:
        needed = {need for step in steps for need in step.needs}
        kinds = {step.key: step.kind for step in self.plan.steps if step.key in needed}
        job = Job(self.store.root.resolve(), self.runtime, tuple(steps), kinds)
        log = self.store.root / "logs" / f"{crew.replace('/', '--')}.log"
        with storing(log):
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as stderr:
                process = subprocess.Popen(
                    [sys.executable, "-m", "vertebra.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=_environment(),
                    pass_fds=[self.lock],
                    start_new_session=True,
                )
                worker = _Worker(process, crew, {step.key: step for step in steps}, log, log.stat().st_size)
        self.workers.append(worker)
        assert process.stdin
        assert process.stdout
        with suppress(BrokenPipeError):  # it is gone already, and the end of its stdout will tell
            process.stdin.write(job.to_line())
            process.stdin.flush()
        self.selector.register(process.stdout, selectors.EVENT_READ, worker)

    def _read(self, worker: _Worker) -> None:
        assert worker.process.stdout
        chunk = os.read(worker.process.stdout.fileno(), 1 << 16)
        *lines, worker.rest = (worker.rest + chunk).split(b"\n")
        for line in lines:
            self._hear(worker, json.loads(line))
        if not chunk:
            self.selector.unregister(worker.process.stdout)
            self.workers.remove(worker)
            self._bury(worker)

    def _hear(self, worker: _Worker, event: dict[str, Any]) -> None:
        step = worker.left[event["key"]]
        match event["event"]:
            case "started":
                worker.current = step
                self.listen(Started(step))
            case "progress":
                self.listen(Advanced(step, event["done"], event["total"], event["unit"], event["note"]))
            case "noted":
                self.listen(Noted(step, event["message"]))
            case "done":
                del worker.left[step.key]
                self.finished.append(step)
                self.listen(Finished(step, event["seconds"]))
            case "failed":
                tail = _tail(worker) if event["crashed"] else ()
                self._fail(worker, step, event["message"], event["exit_code"], tail)

    def _bury(self, worker: _Worker) -> None:
        """After a worker's end: a step cut short has failed, the steps it did not come to go to another worker."""
        code = _reap(worker)
        if self.signals or not worker.left:
            return
        self.waiting[worker.crew] = list(worker.left.values())
        self._set_blocked_aside()
        untouched = self.waiting.get(worker.crew, [])
        if untouched:
            step = worker.current if worker.current in untouched else untouched[0]
            untouched.remove(step)
            self._fail(worker, step, _how_it_ended(code), 1, _tail(worker))

    def _fail(self, worker: _Worker, step: Step, message: str, exit_code: int, tail: tuple[str, ...]) -> None:
        del worker.left[step.key]
        self.failed.append(Failed(step, message, exit_code, tail, worker.log))
        self.listen(self.failed[-1])


def _reap(worker: _Worker) -> int:
    """Waits for the process and closes its pipes."""
    assert worker.process.stdin
    assert worker.process.stdout
    with suppress(BrokenPipeError):
        worker.process.stdin.close()
    worker.process.stdout.close()
    return worker.process.wait()


def _environment() -> dict[str, str]:
    """One core per worker and a fixed hash seed, so that no result depends on the machine's number of cores."""
    fixed = {f"{library}_NUM_THREADS": "1" for library in _ONE_CORE}
    fixed |= {"TOKENIZERS_PARALLELISM": "false", "PYTHONHASHSEED": "0"}
    return {**os.environ, **fixed, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}


def _how_it_ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "the worker was killed (SIGKILL), by hand or because memory ran out"
    if code < 0:
        return f"the worker was ended by {signal.Signals(-code).name}"
    return f"the worker left early (exit code {code})"


def _tail(worker: _Worker) -> tuple[str, ...]:
    """The last lines of the log since this worker's start."""
    with worker.log.open("rb") as log:
        end = log.seek(0, os.SEEK_END)
        log.seek(max(worker.log_start, end - _TAIL_BYTES))
        return tuple(log.read().decode(errors="replace").rstrip().split("\n")[-_TAIL_LINES:])


@contextmanager
def _signals_into(received: list[int]) -> Iterator[None]:
    """Notes SIGINT and SIGTERM instead of dying of them."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda got, _frame: received.append(got)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
