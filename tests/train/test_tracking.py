"""Training seen from outside: by services that work, fail, hang or are not there."""

import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from vertebra.bench import Bench
from vertebra.errors import ConfigError
from vertebra.files import read_rows
from vertebra.train.tracking import Trackers, open_trackers

KEY = "9f" * 32


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench of a training step."""
    spec = {"seed": 0, "stage": {"batch": 8, "learning_rate": 1e-3}}
    label = "eyes/ada/seed0/pretrain"
    folder = tmp_path / "work" / KEY
    folder.mkdir(parents=True)
    cache = tmp_path / "cache"
    places = (folder, folder / "out", {}, None, None)
    return Bench(KEY, label, spec, *places, lambda *_: None, cache, folder / "answers", lambda: False)


class Kept:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, dict[str, float]]] = []
        self.closed = False

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.told.append((step, dict(values)))

    def close(self) -> None:
        self.closed = True


class Faulty(Kept):
    """Fails at the second step."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        super().log(step, values)
        if step == 2:
            raise OSError(28, "No space left on device")


class Hung(Kept):
    """Never comes back, until the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.over.wait()


def refusing(_bench: Bench, _resumed: int) -> Kept:
    raise ConnectionError("https://ada:pa55@host/api?token=t0p at https://host/x")


def untracked(bench: Bench) -> list[tuple[object, object]]:
    return [(row["untracked"], row["why"]) for row in read_rows(bench.folder / "log.jsonl")]


def test_every_service_is_told_every_step_and_closed(bench: Bench) -> None:
    one, two = Kept(), Kept()
    with Trackers(bench, {"one": lambda *_: one, "two": lambda *_: two}, 0, 10.0) as trackers:
        trackers.log(1, {"loss": 2.0})
        trackers.log(2, {"loss": 1.0})
    for kept in (one, two):
        assert kept.told == [(1, {"loss": 2.0}), (2, {"loss": 1.0})]
        assert kept.closed


def test_a_service_is_told_from_where_a_step_goes_on(bench: Bench) -> None:
    seen: list[object] = []

    def opening(on: Bench, resumed: int) -> Kept:
        seen.extend((on.key, resumed))
        return Kept()

    with Trackers(bench, {"one": opening}, 120, 10.0):
        pass
    assert seen == [KEY, 120]


def test_values_are_shown_as_they_were_when_logged(bench: Bench) -> None:
    kept, values = Kept(), {"loss": 2.0}
    with Trackers(bench, {"one": lambda *_: kept}, 0, 10.0) as trackers:
        trackers.log(1, values)
        values["loss"] = 9.0
    assert kept.told == [(1, {"loss": 2.0})]


def test_a_service_that_fails_is_told_once_and_left_out(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    faulty, kept = Faulty(), Kept()
    with Trackers(bench, {"faulty": lambda *_: faulty, "kept": lambda *_: kept}, 0, 10.0) as trackers:
        for step in range(1, 6):
            trackers.log(step, {"loss": 1.0})
    assert [step for step, _ in faulty.told] == [1, 2]
    assert [step for step, _ in kept.told] == [1, 2, 3, 4, 5]
    assert untracked(bench) == [("faulty", "OSError: [Errno 28] No space left on device")]
    assert capsys.readouterr().err == "faulty is left out of tracking: OSError: [Errno 28] No space left on device\n"


def test_a_service_that_cannot_be_opened_is_told_without_secrets(bench: Bench) -> None:
    with Trackers(bench, {"refusing": refusing}, 0, 10.0) as trackers:
        trackers.log(1, {"loss": 1.0})
    assert untracked(bench) == [("refusing", "ConnectionError: https://…@host/api?… at https://host/x")]


@pytest.mark.parametrize(
    ("behind", "patience", "steps", "why"),
    [(10_000, 0.05, 1000, "it did not come to its end in time"), (3, 60.0, 5, "it is 3 reports behind")],
)
def test_training_waits_for_no_service_and_its_end_only_so_long(
    bench: Bench, monkeypatch, behind, patience, steps, why
):
    monkeypatch.setattr("vertebra.train.tracking._BEHIND", behind)
    hung = Hung()
    with Trackers(bench, {"hung": lambda *_: hung}, 0, patience) as trackers:
        for step in range(steps):
            trackers.log(step + 1, {"loss": 1.0})
    assert untracked(bench) == [("hung", why)]
    hung.over.set()


def test_a_service_that_is_not_installed_is_an_error_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vertebra.spec.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'vertebra\[mlflow\]'"):
        open_trackers(bench, ["mlflow"])
    assert list(bench.folder.iterdir()) == []


def test_without_services_nothing_is_written(bench: Bench) -> None:
    with open_trackers(bench, ()) as trackers:
        trackers.log(1, {"loss": 1.0})
    assert list(bench.folder.iterdir()) == []


def curve(bench: Bench, name: str) -> list[tuple[int, float]]:
    """What tensorboard itself reads."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(bench.folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_tensorboard_shows_curves(bench: Bench) -> None:
    with open_trackers(bench, ["tensorboard"]) as trackers:
        trackers.log(1, {"loss": 2.5, "learning_rate": 0.5})
        trackers.log(3, {"loss": 1.25, "learning_rate": 0.25})
    assert curve(bench, "loss") == [(1, 2.5), (3, 1.25)]
    assert curve(bench, "learning_rate") == [(1, 0.5), (3, 0.25)]
    assert not (bench.folder / "log.jsonl").exists()


def test_a_resumed_curve_forgets_what_is_trained_again(bench: Bench) -> None:
    with open_trackers(bench, ["tensorboard"]) as trackers:
        for step in range(1, 6):
            trackers.log(step, {"loss": 1.0})
    with open_trackers(bench, ["tensorboard"], resumed=3) as trackers:
        trackers.log(5, {"loss": 0.5})
        trackers.log(6, {"loss": 0.25})
    assert curve(bench, "loss") == [(1, 1.0), (2, 1.0), (3, 1.0), (5, 0.5), (6, 0.25)]


def test_a_folder_that_tensorboard_cannot_write_stops_no_training(bench: Bench) -> None:
    (bench.folder / "tensorboard").write_text("no folder")
    with open_trackers(bench, ["tensorboard"]) as trackers:
        trackers.log(1, {"loss": 1.0})
    [(service, why)] = untracked(bench)
    assert service == "tensorboard"
    assert "FileExistsError" in str(why)


def test_wandb_offline_keeps_the_run_under_the_steps_key(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    for resumed in (0, 1):
        with open_trackers(bench, ["wandb"], resumed) as trackers:
            trackers.log(resumed + 1, {"loss": 1.5})
    assert not (bench.folder / "log.jsonl").exists()
    runs = sorted((bench.folder / "wandb").glob(f"offline-run-*-{KEY}/run-{KEY}.wandb"))
    assert runs
    written = b"".join(run.read_bytes() for run in runs)
    assert bench.label.encode() in written
    assert b"loss" in written
    assert b"learning_rate" in written
    assert not any(name in written for name in (b"WANDB_MODE", b"WANDB_API_KEY", b"0" * 40))


def test_mlflow_goes_on_in_the_run_of_the_step(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (bench.folder / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    for resumed in (0, 2):
        with open_trackers(bench, ["mlflow"], resumed) as trackers:
            trackers.log(resumed + 1, {"loss": 1.0})
            trackers.log(resumed + 2, {"loss": 0.5})
    assert not (bench.folder / "log.jsonl").exists()
    client = mlflow.MlflowClient()
    [run] = client.search_runs([client.get_experiment_by_name("vertebra").experiment_id])
    assert (run.info.run_name, run.info.status) == (bench.label, "FINISHED")
    assert run.data.params["stage"] == '{"batch":8,"learning_rate":0.001}'
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1.0), (2, 0.5), (3, 1.0), (4, 0.5)]


def test_trackio_goes_on_in_the_run_of_the_step(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(bench.folder / "trackio"))  # read when it is imported
    pytest.importorskip("trackio")
    for resumed in (0, 1):
        with open_trackers(bench, ["trackio"], resumed) as trackers:
            trackers.log(resumed + 1, {"loss": 1.0})
    assert not (bench.folder / "log.jsonl").exists()
    with closing(sqlite3.connect(bench.folder / "trackio" / "vertebra.db")) as kept:
        rows = kept.execute("SELECT run_name, step FROM metrics ORDER BY step").fetchall()
    name = f"{bench.label} {KEY[:8]}"
    assert rows == [(name, 1), (name, 2)]
