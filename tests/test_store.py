"""The store: commits that are all or nothing, manifests that find damage, a lock that outlives a killed holder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vertebra.errors import DataError, StoreBusy, VertebraError
from vertebra.store import Fingerprints, Store

KEY = "ab" * 32

HOLD = """
import subprocess, sys, time
from pathlib import Path
from vertebra.store import Store
with Store(Path(sys.argv[1])).lock("vertebra run holding") as lock:
    if sys.argv[2:]:
        child = subprocess.Popen(["sleep", sys.argv[2]], pass_fds=[lock])
        print(child.pid, flush=True)
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(root: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the store's lock."""
    command = [sys.executable, "-c", HOLD, str(root), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def in_work(store: Store, **files: str) -> None:
    folder = store.work(KEY)
    for name, text in files.items():
        (folder / "out" / name).write_text(text)


def finish(store: Store, **files: str) -> None:
    in_work(store, **files)
    store.commit(KEY, {"kind": "make", "spec": {"maker": "quick"}, "needs": []}, "data/quick", {"seconds": 1.5})


def test_asking_a_store_that_is_not_there_creates_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert not store.done(KEY)
    assert not store.begun(KEY)
    assert list(store.finished()) == []
    assert store.holder() is None
    assert Fingerprints.of(store, None)("few.json") is None
    assert not store.root.exists()


def test_a_step_is_visible_only_when_it_is_committed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    in_work(store, a="1")
    assert store.begun(KEY)
    assert not store.done(KEY)
    finish(store)
    assert store.done(KEY)
    assert not store.begun(KEY)
    assert (store.out(KEY) / "a").read_text() == "1"


def test_a_finished_step_holds_its_preimage_run_manifest_and_curves_and_nothing_of_the_work(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.work(KEY)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "step-100").write_text("big")
    (folder / "half.jsonl").write_text("{}")
    (folder / "log.jsonl").write_text("{}\n")
    (folder / "tensorboard").mkdir()
    finish(store, a="1")
    assert sorted(path.name for path in (tmp_path / "steps" / KEY).iterdir()) == [
        "log.jsonl",
        "manifest.json",
        "out",
        "run.json",
        "step.json",
        "tensorboard",
    ]
    record = {"label": "data/quick", "kind": "make", "spec": {"maker": "quick"}, "needs": []}
    assert list(store.finished()) == [(KEY, record)]
    assert store.record(KEY) == {"seconds": 1.5}


def test_the_log_of_a_finished_step_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.log(KEY) == []
    (store.work(KEY) / "log.jsonl").write_text('{"seconds": 2}\n{"seco')
    assert store.log(KEY) == []
    finish(store)
    assert store.log(KEY) == [{"seconds": 2}]
    (tmp_path / "steps" / KEY / "log.jsonl").write_bytes(b"\xff\n")
    assert store.log(KEY) == []


def test_work_that_a_crash_interrupted_is_still_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.work(KEY) / "checkpoint").write_text("half way")
    assert (Store(tmp_path).work(KEY) / "checkpoint").read_text() == "half way"


def commit_until(store: Store, fatal: int) -> int:
    """Commits in a process that ends without any farewell just before its `fatal`-th file operation."""
    child = os.fork()
    if not child:
        calls = 0

        def count(event: str, _arguments: object) -> None:
            nonlocal calls
            calls += event in ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")
            if calls == fatal:
                os._exit(9)

        sys.addaudithook(count)
        store.commit(KEY, {"kind": "make", "spec": {}, "needs": []}, "label", {"seconds": 1})
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_commit_that_dies_at_any_point_is_all_or_nothing(tmp_path: Path) -> None:
    states = []
    code = 9
    while code == 9:
        store = Store(tmp_path / str(len(states)))
        folder = store.work(KEY)
        (folder / "checkpoint").write_text("half way")
        in_work(store, a="1", b="2")
        code = commit_until(store, len(states) + 1)
        states.append(store.done(KEY))
        if not store.done(KEY) and not store.publish(KEY):
            assert (folder / "checkpoint").exists(), "the way back must be open until the result is safe"
            finish(store)
        store.verify(KEY)
        assert {path.name for path in store.out(KEY).iterdir()} == {"a", "b"}
    assert code == 0
    assert states == sorted(states), "once visible it stays so"
    assert len(states) > 10


def test_foreign_files_in_a_store_are_passed_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store, a="1")
    (tmp_path / "steps" / "notes.txt").write_text("mine")
    (tmp_path / "steps" / "empty").mkdir()
    (tmp_path / "steps" / "odd").mkdir()
    (tmp_path / "steps" / "odd" / "step.json").write_text("[1")
    assert [key for key, _ in store.finished()] == [KEY]


def test_an_untouched_result_passes_its_manifest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store, a="1", b="")
    store.verify(KEY)


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "swap"])
def test_a_damaged_file_is_named_together_with_the_cure(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    finish(store, **{"model-1.safetensors": "weights", "model-2.safetensors": "WEIGHTS"})
    path = store.out(KEY) / "model-1.safetensors"
    match damage:
        case "flip":
            path.write_text("weighTs")
        case "truncate":
            path.write_text("weig")
        case "delete":
            path.unlink()
        case "swap":
            (store.out(KEY) / "model-2.safetensors").rename(path)
    with pytest.raises(
        DataError, match=r"model-1\.safetensors is (damaged|missing).*Delete the folder .*and run again"
    ):
        store.verify(KEY)


def test_a_step_whose_manifest_is_gone_is_not_done_and_may_be_written_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store, a="1")
    (tmp_path / "steps" / KEY / "manifest.json").unlink()
    assert not store.done(KEY)
    with pytest.raises(DataError, match=r"manifest\.json is missing"):
        store.verify(KEY)
    finish(store, a="2")
    assert (store.out(KEY) / "a").read_text() == "2"


def test_a_second_process_is_told_who_holds_the_store(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        began = time.monotonic()
        told = rf"process {process.pid} on .* since 20.*: vertebra run holding"
        with pytest.raises(StoreBusy, match=told), Store(tmp_path).lock("me too"):
            pass
        assert time.monotonic() - began < 2
        known = Store(tmp_path).holder()
        assert known
        assert known["pid"] == process.pid


def test_of_four_processes_that_want_the_store_at_once_exactly_one_gets_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(4)
    ]
    deadline = time.monotonic() + 20
    while sum(process.poll() is not None for process in processes) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    held = [process for process in processes if process.poll() is None]
    for process in processes:
        process.kill()
    output = [process.communicate()[0] for process in processes]
    assert len(held) == 1
    assert sorted(output) == ["", "", "", "held\n"]


def test_the_lock_of_a_killed_holder_is_taken_over_at_once(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        began = time.monotonic()
        with Store(tmp_path).lock("next"):
            assert time.monotonic() - began < 1


def test_the_lock_waits_for_the_children_of_a_killed_holder(tmp_path: Path) -> None:
    with holder(tmp_path, "1.5") as process:  # killed, but not reaped: a zombie holds nothing
        assert process.stdout
        child = int(process.stdout.readline())
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        with Store(tmp_path).lock("next"):
            assert not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes()


def test_the_lock_is_free_when_its_block_ends_even_by_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ZeroDivisionError), store.lock("one"):
        1 / 0  # noqa: B018
    assert store.holder() is None
    with store.lock("two"):
        assert store.holder() == json.loads((tmp_path / "lock").read_text())


def test_a_store_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(VertebraError, match="cannot be written"), Store(tmp_path / "store").lock("me"):
        pass


def test_a_fingerprint_follows_the_content(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "few.json").write_text("[1]")
    prints = Fingerprints.of(Store(tmp_path / "store"), data)
    before = prints("few.json")
    (data / "few.json").write_text("[2]")
    assert before != prints("few.json")
    assert prints("absent.json") is None


def test_a_folders_fingerprint_follows_its_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mme"
    folder.mkdir(parents=True)
    (folder / "count.txt").write_text("1")
    prints = Fingerprints.of(Store(tmp_path / "store"), tmp_path / "data")
    seen = {prints("mme")}
    (folder / "count.txt").write_text("2")
    seen.add(prints("mme"))
    (folder / "count.txt").rename(folder / "color.txt")
    seen.add(prints("mme"))
    assert len(seen) == 3


def test_a_remembered_fingerprint_spares_the_reading(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "store"), tmp_path / "few.json"
    path.write_text("[1]")
    os.utime(path, ns=(10**18, 10**18))
    prints = Fingerprints.of(store, tmp_path)
    before = prints("few.json")
    prints.save()
    path.write_text("[2]")
    os.utime(path, ns=(10**18, 10**18))  # size and time unchanged: the content is not looked at again
    assert Fingerprints.of(store, tmp_path)("few.json") == before


def test_a_file_changed_a_moment_ago_is_read_again(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "store"), tmp_path / "few.json"
    path.write_text("[1]")
    now = path.stat().st_mtime_ns
    prints = Fingerprints.of(store, tmp_path)
    before = prints("few.json")
    path.write_text("[2]")
    os.utime(path, ns=(now, now))  # two writes within one tick of the clock
    assert prints("few.json") != before


def test_a_file_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "store"), tmp_path / "few.excluded.json"
    path.write_text("{}")
    prints = Fingerprints.of(store, tmp_path)
    assert prints("few.excluded.json")
    path.unlink()
    assert prints("few.excluded.json") is None
    prints.save()
    assert Fingerprints.of(store, None)("few.excluded.json") is None


def test_without_the_data_the_store_answers_what_the_last_run_saw(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "few.json").write_text("[1]")
    prints = Fingerprints.of(store, tmp_path)
    seen = prints("few.json")
    prints.save()
    assert Fingerprints.of(store, None)("few.json") == seen
