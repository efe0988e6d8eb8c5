"""A worker: one process that does the steps of one crew, one after the other.

The engine starts `python -m vertebra.worker` and sends a `Job` as one line on stdin, which stays open as a life line:
when it closes the engine is gone, and the worker goes too. Events leave on stdout as JSON lines,

    {"event": "started", "key": "9f…"}
    {"event": "progress", "key": "9f…", "done": 120, "total": 300, "unit": "questions", "note": ""}
    {"event": "noted", "key": "9f…", "message": "…"}
    {"event": "done", "key": "9f…", "seconds": 12.1}
    {"event": "failed", "key": "9f…", "message": "…", "exit_code": 4, "crashed": false}

and whatever else is printed goes to stderr, which is the crew's log. SIGTERM lets the running step save and stop.
"""

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from vertebra.bench import Bench, Progress
from vertebra.collector import uncollected
from vertebra.errors import Stopped, UnknownName, VertebraError
from vertebra.files import append_rows, storage_error, write_atomically
from vertebra.plan import Kind, Step
from vertebra.runtime import Runtime
from vertebra.source import locate
from vertebra.spec import Backbone, Json, Judge
from vertebra.store import Store

_SECONDS_BETWEEN_REPORTS = 0.2
_RECORDED = (
    *("vertebra", "torch", "transformers", "tokenizers", "safetensors", "numpy", "pillow", "scikit-learn"),
    *("peft", "bitsandbytes", "openai"),
)


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is asked to do."""

    store: Path
    runtime: Runtime
    steps: tuple[Step, ...]
    kinds: Mapping[str, Kind]
    """The kind of every step that these need, by key."""

    def to_line(self) -> bytes:
        """The job as one line of JSON."""
        steps = [asdict(step) for step in self.steps]
        for step in steps:
            del step["key"]
        job = {"store": str(self.store), "runtime": self.runtime.model_dump(mode="json"), "steps": steps}
        return json.dumps({**job, "kinds": dict(self.kinds)}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Job":
        """The job that `to_line` wrote; the steps' keys are computed anew."""
        job = json.loads(line)
        steps = tuple(
            Step(**{**step, "needs": tuple(step["needs"]), "after": tuple(step["after"])}) for step in job["steps"]
        )
        return cls(Path(job["store"]), Runtime.model_validate(job["runtime"]), steps, job["kinds"])


class Tell(Protocol):
    """Sends an event to the engine."""

    def __call__(self, event: str, key: str, **facts: Json) -> None:
        """One event about the step of this key."""


def main() -> None:
    """Does the job that stands on stdin."""
    tell = _claim_stdout()
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: signals.append(received))
    with open(0, "rb", closefd=False) as stdin:
        line = stdin.readline()
    threading.Thread(target=_leave_with_engine, daemon=True).start()
    work(Job.from_line(line), tell, lambda: bool(signals))


def work(job: Job, tell: Tell, stopping: Callable[[], bool]) -> None:
    """Does the steps in order; one that fails takes along only the steps that need it."""
    lost: set[str] = set()
    verified: set[str] = set()
    for step in job.steps:
        if stopping():
            return
        if not lost.isdisjoint(step.awaits):
            lost.add(step.key)
            continue
        tell("started", step.key)
        began = time.monotonic()
        try:
            _finish(step, job, verified, _bench(step, job, tell, stopping))
        except Stopped:
            return
        except VertebraError as error:
            lost.add(step.key)
            tell("failed", step.key, message=str(error), exit_code=error.exit_code, crashed=False)
        except Exception as error:  # noqa: BLE001  a bug in one step must not take the others along
            lost.add(step.key)
            _tell_crash(error, step, job, tell)
        else:
            tell("done", step.key, seconds=round(time.monotonic() - began, 3))


def _finish(step: Step, job: Job, verified: set[str], bench: Bench) -> None:
    """Runs a step and commits it, unless a crash had only kept its result from being moved into place."""
    store = Store(job.store)
    if store.publish(step.key):
        return
    for need in step.needs:
        if need not in verified:
            store.verify(need)
            verified.add(need)
    is_resumed = store.begun(step.key)
    store.work(step.key)
    started, began = datetime.now(UTC), time.monotonic()
    with uncollected():
        perform = _runner(step)
    perform(bench, job.runtime)
    if not job.runtime.part.is_whole:
        return  # other processes answer the rest, and whoever has it all commits
    run: dict[str, Json] = {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": _versions(),
        "commit": _commit(),
        "runtime": job.runtime.model_dump(mode="json"),
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 3),
        "resumed": is_resumed,
    }
    store.commit(step.key, step.preimage(), step.label, run)


def _bench(step: Step, job: Job, tell: Tell, stopping: Callable[[], bool]) -> Bench:
    store = Store(job.store)
    outs = {need: store.out(need) for need in step.needs}
    of_kind = {job.kinds[need]: out for need, out in outs.items()}
    folder = job.store / "work" / step.key
    return Bench(
        key=step.key,
        label=step.label,
        spec=step.spec,
        folder=folder,
        out=folder / "out",
        needs=outs,
        model=of_kind.get("train") or _adopted(step),
        data=of_kind.get("make", job.runtime.data),
        cache=job.store / "cache",
        answers=job.store / "answers" / step.crew.replace("/", "--"),
        progress=_progress(step.key, tell),
        stopping=stopping,
        beside=_beside(step, job) if step.kind == "predict" else (),
        note=lambda message: tell("noted", step.key, message=message),
    )


def _beside(step: Step, job: Job) -> tuple[Mapping[str, Json], ...]:
    """What the same model answers after this step."""
    later = job.steps[job.steps.index(step) + 1 :]
    return tuple(other.spec for other in later if (other.kind, other.crew) == ("predict", step.crew))


def _adopted(step: Step) -> Path | None:
    """The folder of the checkpoint that a step names, where it is none of the study's own."""
    model = step.spec.get("model")
    return locate(str(model["weights"])) if isinstance(model, Mapping) and "weights" in model else None


def _is_remote(step: Step) -> bool:
    """Whether the model that a step names is behind an endpoint."""
    model = step.spec.get("model")
    return isinstance(model, Mapping) and "endpoint" in model


def _runner(step: Step) -> Callable[[Bench, Runtime], None]:
    """The code behind a kind of step, imported only when a step of this kind runs."""
    match step.kind:
        case "make":
            return _make
        case "check":
            return _check
        case "train":
            from vertebra.train import train

            return train
        case "predict" if _is_remote(step):
            return _ask
        case "predict":
            from vertebra.predict import predict

            return predict
        case "score":
            return _score


def _make(bench: Bench, _runtime: Runtime) -> None:
    """Lets a maker, found by name among the entry points `vertebra.makers`, write the data folder."""
    name = str(bench.spec["maker"])
    makers = {point.name: point for point in entry_points(group="vertebra.makers")}
    if name not in makers:
        raise UnknownName("data maker", name, makers)

    def progress(done: int, total: int) -> None:
        if bench.stopping():
            raise Stopped(signal.SIGTERM)
        bench.progress(done, total, "files")

    shutil.rmtree(bench.out)  # half a data folder is no start for another
    bench.out.mkdir()
    makers[name].load()(bench.out, progress)


def _check(bench: Bench, _runtime: Runtime) -> None:
    """Proves that a backbone fits: out/report.json. `Refused` when it does not."""
    with uncollected():
        from vertebra.model.contract import examine

    backbone = Backbone.model_validate(bench.spec["backbone"]).model_copy(update={"name": bench.label.split("/")[-1]})
    example = bench.spec["example"]
    report = examine(backbone, str(bench.spec["template"]), None if example is None else str(example))
    report.demand()
    write_atomically(bench.out / "report.json", json.dumps(report.document(), indent=1) + "\n")


def _ask(bench: Bench, runtime: Runtime) -> None:
    """Has a model behind an endpoint answer; torch stays out."""
    from vertebra.asking.endpoint import predict

    predict(bench, runtime, SecretStr(os.environ.get("OPENAI_API_KEY", "")))


def _score(bench: Bench, _runtime: Runtime) -> None:
    """Grades the answers of the predict step that it needs: out/scorecard.json and out/samples.jsonl.

    What a judge wrote about them is kept as out/judgments.jsonl.
    """
    from vertebra.benchmarks import benchmark
    from vertebra.scoring.judge import appoint
    from vertebra.scoring.scorecard import as_decoded, by, score_folder

    assert bench.data, "the engine looks for the data folder before it starts anything"
    name, spec = str(bench.spec["benchmark"]), bench.spec.get("judge")
    answers = next(iter(bench.needs.values())) / "answers.jsonl"
    if spec is None:
        scored = score_folder(benchmark(name), bench.data / name, answers)
    else:
        judge = Judge.model_validate(spec)
        # Beside the steps and not in one, so that a new grading rule pays for no reply again.
        cache = bench.folder.parents[1] / "judgments" / f"{bench.label.replace('/', '--')}.jsonl"
        asked = appoint(judge.name, judge.endpoint, os.environ, cache)

        def tell(done: int, total: int) -> None:
            if bench.stopping():
                raise Stopped(signal.SIGTERM)
            bench.progress(done, total, "judgments")

        scored = score_folder(benchmark(name), bench.data / name, answers, by(asked, judge.runs, tell))
        if cache.exists():
            shutil.copyfile(cache, bench.out / "judgments.jsonl")
    scorecard, rows = as_decoded(scored, bench.spec)
    write_atomically(bench.out / "scorecard.json", json.dumps(scorecard, indent=1) + "\n")
    (bench.out / "samples.jsonl").unlink(missing_ok=True)
    append_rows(bench.out / "samples.jsonl", rows)


def _progress(key: str, tell: Tell) -> Progress:
    last = -_SECONDS_BETWEEN_REPORTS

    def progress(done: int, total: int, unit: str, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_REPORTS or done == total:
            last = now
            tell("progress", key, done=done, total=total, unit=unit, note=note)

    return progress


def _tell_crash(error: Exception, step: Step, job: Job, tell: Tell) -> None:
    """A full disk is told in its own words, anything else is a bug; the traceback goes to the log."""
    traceback.print_exception(error)
    full = storage_error(error, job.store) if isinstance(error, OSError) else None
    message = str(full) if full else f"{type(error).__name__}: {error}"
    tell("failed", step.key, message=message, exit_code=1, crashed=full is None)


def _claim_stdout() -> Tell:
    """Keeps stdout for events; what libraries print goes to the log."""
    channel = os.dup(1)
    os.dup2(2, 1)

    def tell(event: str, key: str, **facts: Json) -> None:
        line = json.dumps({"event": event, "key": key, **facts}).encode() + b"\n"
        try:
            while line:
                line = line[os.write(channel, line) :]
        except BrokenPipeError:
            os._exit(1)

    return tell


def _leave_with_engine() -> None:
    """Waits for the end of stdin, which comes when the engine is gone, however it went."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _versions() -> dict[str, Json]:
    found: dict[str, Json] = {}
    for package in _RECORDED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _commit() -> str | None:
    """The last commit that touched this package, where it runs from a checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    here = Path(__file__).parent
    answer = subprocess.run([git, "log", "-1", "--format=%H", "--", "."], cwd=here, capture_output=True, check=False)
    return answer.stdout.decode().strip() or None


if __name__ == "__main__":
    main()
