"""Training seen from outside while it goes on, by the services that `tracking:` names, beside the step's log.jsonl.

    with open_trackers(bench, runtime.tracking, resumed=120) as trackers:
        trackers.log(121, {"loss": 1.93, "learning_rate": 0.0019, "tokens_per_second": 21350.0})

A step of the study is one run there, named by its label and known by its key, so that a resumed step goes on in the
same run. Each service works in a thread of its own: training waits for none, and one that fails or falls far behind is
told once, on stderr and in log.jsonl, and left out. What a service gets is the values, the label, key and spec of the
step; what it would gather by itself (source code, packages, the machine's load) is turned off.

    tensorboard   work/KEY/tensorboard, later steps/KEY/tensorboard: `tensorboard --logdir STORE`
    wandb         $WANDB_MODE, $WANDB_PROJECT (else vertebra), ...: https://docs.wandb.ai/models/track/environment-variables
    trackio       $TRACKIO_SPACE_ID, $TRACKIO_DIR, ...: https://huggingface.co/docs/trackio
    mlflow        $MLFLOW_TRACKING_URI; experiment vertebra: https://mlflow.org/docs/latest/ml/tracking
"""

import json
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from vertebra.bench import Bench
from vertebra.runtime import Service, check_installed
from vertebra.spec import canonical

_PROJECT = "vertebra"
_BEHIND = 10_000
"""Reports that a service may be behind before it is left out."""
_PATIENCE = 30.0
"""Seconds that the end of a stage waits for the services."""


class Tracker(Protocol):
    """One run, shown by one service. Whatever it raises ends the tracking, never the training."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Shows named values at an optimizer step, counted from 1."""

    def close(self) -> None:
        """Brings what was logged to its end."""


Open = Callable[[Bench, int], Tracker]
"""Opens the run of the step on a bench, with how many optimizer steps were done before."""


def open_trackers(
    bench: Bench, services: Sequence[Service], resumed: int = 0, patience: float = _PATIENCE
) -> "Trackers":
    """Trackers of the step on a bench, which goes on after `resumed` optimizer steps.

    On several processes one of them tracks. Raises `ConfigError` when a service's package is not installed.
    """
    check_installed(services)
    return Trackers(bench, {service: _SERVICES[service] for service in services}, resumed, patience)


class Trackers:
    """Any number of trackers, as one that never fails and never waits but at its end."""

    def __init__(self, bench: Bench, services: Mapping[str, Open], resumed: int, patience: float) -> None:
        """Opens each in the background; at the end they get `patience` seconds together."""
        self._bench = bench
        self._patience = patience
        self._lanes = [_Lane(name, open_run, bench, resumed) for name, open_run in services.items()]

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Shows named values at an optimizer step, counted from 1."""
        for lane in self._lanes:
            lane.put(_Report(step, dict(values)))
        self._leave_out_failed()

    def close(self) -> None:
        """Waits until all is shown, or patience is at its end."""
        deadline = time.monotonic() + self._patience
        for lane in self._lanes:
            lane.put(None)
        for lane in self._lanes:
            lane.wait(max(0.0, deadline - time.monotonic()))
        self._leave_out_failed()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def _leave_out_failed(self) -> None:
        for lane in [lane for lane in self._lanes if lane.failure]:
            self._lanes.remove(lane)
            sys.stderr.write(f"{lane.service} is left out of tracking: {lane.failure}\n")
            self._bench.log(untracked=lane.service, why=lane.failure)


class _Report(NamedTuple):
    step: int
    values: dict[str, float]


class _Lane:
    """One service at work in a thread; a daemon, so that one that hangs does not keep the process."""

    def __init__(self, service: str, open_run: Open, bench: Bench, resumed: int) -> None:
        self.service = service
        self.failure = ""
        self._reports: queue.Queue[_Report | None] = queue.Queue(_BEHIND)
        self._thread = threading.Thread(target=self._work, args=(open_run, bench, resumed), daemon=True)
        self._thread.start()

    def put(self, report: _Report | None) -> None:
        """Queues a report, or the end."""
        try:
            self._reports.put_nowait(report)
        except queue.Full:
            self.failure = self.failure or f"it is {_BEHIND} reports behind"

    def wait(self, seconds: float) -> None:
        """Until it has done all, or failed, or the time is up."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.failure = self.failure or "it did not come to its end in time"

    def _work(self, open_run: Open, bench: Bench, resumed: int) -> None:
        try:
            tracker = open_run(bench, resumed)
            while (report := self._reports.get()) is not None:
                tracker.log(*report)
            tracker.close()
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it is, training goes on
            self.failure = _SECRET.sub("…", f"{type(error).__name__}: {error}")


_SECRET = re.compile(r"(?<=//)[^/\s@]*(?=@)|(?<=\?)[^\s'\"]+")
"""The parts of a URL that may be one: `https://name:password@host/path?token=…`."""


class _TensorBoard:
    def __init__(self, bench: Bench, resumed: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # What an interrupted run showed behind its last checkpoint is purged: those steps are done again.
        self._writer = SummaryWriter(str(bench.folder / "tensorboard"), purge_step=resumed + 1, flush_secs=10)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    def __init__(self, bench: Bench, _resumed: int) -> None:
        import wandb

        quiet = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        self._run = wandb.init(
            project=wandb.setup().settings.project or _PROJECT,
            name=bench.label,
            id=bench.key,
            resume="allow",
            reinit="create_new",
            dir=bench.folder,
            config=_plain(bench),
            settings=quiet,
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


class _Trackio:
    def __init__(self, bench: Bench, _resumed: int) -> None:
        import trackio

        self._run = trackio.init(
            project=_PROJECT,
            name=f"{bench.label} {bench.key[:8]}",
            config=_plain(bench),
            resume="allow",
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


class _Mlflow:
    def __init__(self, bench: Bench, _resumed: int) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._client = MlflowClient()
        known = self._client.get_experiment_by_name(_PROJECT)
        experiment = known.experiment_id if known else self._client.create_experiment(_PROJECT)
        found = self._client.search_runs([experiment], f"tags.`vertebra.key` = '{bench.key}'", max_results=1)
        if found:
            self._run = found[0].info.run_id
            self._client.update_run(self._run, "RUNNING")
            return
        tags = {"vertebra.key": bench.key}
        self._run = self._client.create_run(experiment, tags=tags, run_name=bench.label).info.run_id
        params = [Param(name, canonical(value)[:_PARAM]) for name, value in bench.spec.items()]
        self._client.log_batch(self._run, params=params)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = round(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def close(self) -> None:
        self._client.set_terminated(self._run)


_PARAM = 6000
"""Characters that a parameter's value may have in mlflow."""


def _plain(bench: Bench) -> dict[str, object]:
    """The step's spec as dicts and lists of its own."""
    plain: dict[str, object] = json.loads(canonical(bench.spec))
    return plain


_SERVICES: Mapping[Service, Open] = {
    "tensorboard": _TensorBoard,
    "wandb": _Wandb,
    "trackio": _Trackio,
    "mlflow": _Mlflow,
}
