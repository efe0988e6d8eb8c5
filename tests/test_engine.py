"""The engine, with real workers: what runs, what is blocked by a failure, and what kill -9 and signals leave."""

import os
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.conftest import Workshop, plan, step

from vertebra import engine
from vertebra.engine import Event, Failed, Finished, Outcome, Started, Ticked, check_inputs, missing_steps
from vertebra.errors import ConfigError, DataError, StoreBusy
from vertebra.plan import Plan, Step
from vertebra.runtime import Runtime
from vertebra.store import Store


def run(workshop: Workshop, todo: Plan, workers: int = 1, events: list[Event] | None = None) -> Outcome:
    """Runs a plan on the workshop's store; everything but ticks is added to `events`."""
    store = Store(workshop.store)

    def listen(event: Event) -> None:
        if events is not None and not isinstance(event, Ticked):
            events.append(event)

    with store.lock("test") as lock:
        return engine.run(todo, store, Runtime(workers=workers), lock, listen)


def labels(steps: tuple[Step, ...]) -> list[str]:
    return [step.label for step in steps]


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Reads the engine's events up to one that contains the text."""
    assert process.stdout
    assert any(text in line for line in process.stdout), f"ended before {text!r}"


def end(process: subprocess.Popen[str]) -> str:
    """Waits for the end; what was written to stderr."""
    return process.communicate(timeout=60)[1]


def test_a_crews_steps_run_in_order_in_one_process(workshop: Workshop) -> None:
    first = step("m/a", crew="m")
    second = step("m/b", needs=(first,), crew="m")
    events: list[Event] = []
    outcome = run(workshop, plan(first, second), events=events)
    assert outcome == ((first, second), (), ())
    assert outcome.exit_code == 0
    kinds = [(type(event), event.step.label) for event in events if isinstance(event, Started | Finished)]
    assert kinds == [(Started, "m/a"), (Finished, "m/a"), (Started, "m/b"), (Finished, "m/b")]
    assert len(list((workshop.store / "logs").iterdir())) == 1


def test_what_is_done_does_not_run_again(workshop: Workshop) -> None:
    first = step("a")
    run(workshop, plan(first))
    store = Store(workshop.store)
    before = store.record(first.key)
    second = step("b", needs=(first,))
    assert labels(run(workshop, plan(first, second)).finished) == ["b"]
    assert store.record(first.key) == before
    assert missing_steps(plan(first, second), store) == ()


def test_a_crew_waits_for_what_it_needs_of_others(workshop: Workshop) -> None:
    data = step("data", "slow")
    arms = [step(f"arm{number}", needs=(data,)) for number in range(2)]
    events: list[Event] = []
    run(workshop, plan(data, *arms), workers=3, events=events)
    order = [event.step.label for event in events if isinstance(event, Started | Finished)]
    assert order[:2] == ["data", "data"]
    assert sorted(order[2:]) == ["arm0", "arm0", "arm1", "arm1"]


def test_a_step_waits_for_what_it_comes_after_though_it_does_not_need_it(workshop: Workshop) -> None:
    check, wrong = step("check", "slow"), step("wrong", "refusing")
    late, never = step("late", after=(check,)), step("never", after=(wrong,))
    events: list[Event] = []
    outcome = run(workshop, plan(check, wrong, late, never), workers=4, events=events)
    order = [(type(event), event.step.label) for event in events if isinstance(event, Started | Finished)]
    assert order.index((Finished, "check")) < order.index((Started, "late"))
    assert labels(outcome.blocked) == ["never"]
    assert step("late").key == late.key


def test_crews_run_side_by_side(workshop: Workshop) -> None:
    events: list[Event] = []
    run(workshop, plan(step("a", "slow"), step("b", "slow")), workers=2, events=events)
    assert [type(event) for event in events if isinstance(event, Started | Finished)] == [Started] * 2 + [Finished] * 2


def test_steps_of_the_same_key_run_once(workshop: Workshop) -> None:
    one = step("same", crew="one")
    other = Step("make", "other name", "other", one.spec)
    late = step("late", needs=(other,), crew="other")
    outcome = run(workshop, plan(one, other, late), workers=2)
    assert labels(outcome.finished) == ["same", "late"]


def test_a_failed_step_blocks_only_what_needs_it(workshop: Workshop) -> None:
    bad = step("m/bad", "refusing", crew="m")
    worse = step("m/worse", needs=(bad,), crew="m")
    good = step("m/good", crew="m")
    far = step("far", needs=(worse,))
    other = step("other")
    outcome = run(workshop, plan(bad, worse, good, far, other))
    assert labels(outcome.finished) == ["m/good", "other"]
    assert [failure.step.label for failure in outcome.failed] == ["m/bad"]
    assert labels(outcome.blocked) == ["m/worse", "far"]


@pytest.mark.parametrize(
    ("makers", "code"), [(("refusing", "refusing"), 4), (("refusing", "buggy"), 1), (("quick",), 0), (("unheard",), 2)]
)
def test_the_exit_code_is_the_failures_own_where_they_agree(
    workshop: Workshop, makers: tuple[str, ...], code: int
) -> None:
    steps = [step(f"{number}", maker) for number, maker in enumerate(makers)]
    assert run(workshop, plan(*steps)).exit_code == code


def test_a_crash_shows_the_end_of_its_own_log(workshop: Workshop) -> None:
    run(workshop, plan(step("m/a", "dying", crew="m")))
    failure = run(workshop, plan(step("m/b", "buggy", crew="m"))).failed[0]
    assert failure.message == "ZeroDivisionError: division by zero"
    assert failure.tail[0].startswith("about to")
    assert failure.tail[-1] == "ZeroDivisionError: division by zero"
    assert "last words" in failure.log.read_text()


def test_a_killed_worker_fails_its_step_and_another_does_the_rest(workshop: Workshop) -> None:
    before, dying, after = (step(f"m/{name}", name, crew="m") for name in ("quick", "dying", "slow"))
    events: list[Event] = []
    outcome = run(workshop, plan(before, dying, after), events=events)
    assert labels(outcome.finished) == ["m/quick", "m/slow"]
    (failure,) = (event for event in events if isinstance(event, Failed))
    assert failure.message == "the worker was killed (SIGKILL), by hand or because memory ran out"
    assert failure.tail == ("last words",)
    assert failure.exit_code == 1


def test_a_worker_that_someone_stops_fails_its_step(workshop: Workshop) -> None:
    process = workshop.start_engine([step("a", "endless")])
    wait_for(process, "Advanced")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    wait_for(process, "Failed a the worker left early (exit code 0)")
    end(process)
    assert process.returncode == 1


def test_the_workers_have_one_core_each_whatever_the_shell_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    environment = engine._environment()
    assert {environment[f"{library}_NUM_THREADS"] for library in ("OMP", "MKL", "OPENBLAS")} == {"1"}


def chain(length: int) -> list[Step]:
    """Crews of two steps, each needing the one before."""
    steps: list[Step] = []
    for number in range(length):
        steps.append(step(f"{number // 2}/{number}", "slow", tuple(steps[-1:]), crew=f"{number // 2}"))
    return steps


def test_no_kill_of_the_engine_loses_a_finished_step(workshop: Workshop) -> None:
    """Killed at random moments until everything is done; each finished step keeps its record, and none is damaged."""
    steps, store = chain(8), Store(workshop.store)
    rng = random.Random(0)
    records: dict[str, object] = {}
    kills, patience = 0, 0.4  # seconds, until machines of any speed get a step done
    while missing_steps(plan(*steps), store):
        process = workshop.start_engine(steps, workers=2)
        try:
            process.wait(rng.uniform(0.2, patience))
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        process.communicate()
        now = {step.key: store.record(step.key) for step in steps if store.done(step.key)}
        assert records.items() <= now.items()
        patience *= 1.0 if len(now) > len(records) else 1.3
        records = dict(now)
    assert kills > 1
    with store.lock("after"):
        for one in steps:
            store.verify(one.key)
        assert not list((workshop.store / "work").iterdir())


def test_engine_and_worker_killed_together_leave_a_store_that_goes_on(workshop: Workshop) -> None:
    steps = [step("a"), step("b", "slow"), step("c", "endless")]
    process = workshop.start_engine(steps)
    wait_for(process, "Advanced c")
    worker = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    for victim in (worker, process.pid):
        os.kill(victim, signal.SIGKILL)
    end(process)
    store = Store(workshop.store)
    assert [store.done(one.key) for one in steps] == [True, True, False]
    assert labels(run(workshop, plan(*steps[:2], step("d"))).finished) == ["d"]


def test_the_next_run_waits_for_the_workers_of_a_killed_engine(workshop: Workshop) -> None:
    process = workshop.start_engine([step("a", "leaving")])
    end(process)
    assert process.returncode == -signal.SIGKILL
    assert labels(run(workshop, plan(step("b"))).finished) == ["b"]


def test_a_second_engine_is_refused_while_the_first_works_on(workshop: Workshop) -> None:
    first = workshop.start_engine([step("a", "endless")])
    wait_for(first, "Advanced")
    with pytest.raises(StoreBusy, match=f"process {first.pid} "):
        run(workshop, plan(step("b")))
    assert first.poll() is None
    first.terminate()
    end(first)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_resumably(workshop: Workshop, number: int, code: int) -> None:
    process = workshop.start_engine([step("a"), step("b", "endless")])
    wait_for(process, "Advanced b")
    process.send_signal(number)
    assert "the same command resumes" in end(process)
    assert process.returncode == code
    store = Store(workshop.store)
    assert store.done(step("a").key)
    assert store.begun(step("b", "endless").key)
    assert store.holder() is None


def test_a_second_signal_ends_even_a_worker_that_does_not_listen(workshop: Workshop) -> None:
    process = workshop.start_engine([step("a", "stubborn")])
    wait_for(process, "Advanced a")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    end(process)
    assert time.monotonic() - began < 5
    assert process.returncode == 130


def test_a_full_disk_fails_the_step_in_plain_words_and_keeps_what_was_there(workshop: Workshop) -> None:
    small, big = step("small"), step("big", "big")
    run(workshop, plan(small))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        outcome = run(workshop, plan(small, big))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot be written: File too large. Free space" in outcome.failed[0].message
    assert outcome.exit_code == 1
    Store(workshop.store).verify(small.key)
    assert labels(run(workshop, plan(small, big)).finished) == ["big"]


def test_an_engine_that_raises_takes_its_workers_along(workshop: Workshop) -> None:
    store = Store(workshop.store)

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), store.lock("test") as lock:
        engine.run(plan(step("a", "stubborn")), store, Runtime(), lock, listen)
    assert store.holder() is None


def test_all_missing_inputs_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "here.json").write_text("")
    reading = Step("train", "m/a", "m", {}, files=("here.json", "few.json"), weights=(f"{tmp_path}/nowhere",))
    answering = Step("predict", "m/b", "m", {}, files=("pope/questions.jsonl", "few.json"))
    with pytest.raises(DataError) as caught:
        check_inputs([reading, answering], Runtime(data=tmp_path))
    text = str(caught.value)
    assert text.startswith("Nothing was run, because inputs are missing:")
    assert f"{tmp_path}/nowhere" in text
    assert text.count(f"{tmp_path / 'few.json'}") == 1
    assert f"{tmp_path / 'pope/questions.jsonl'}" in text
    assert str(tmp_path / "here.json") not in text


def test_a_forgotten_data_folder_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)file DIR/few\.json.*say where it is with --data DIR"):
        check_inputs([Step("train", "m/a", "m", {}, files=("few.json", "more.json"))], Runtime())


def test_a_study_that_makes_its_data_lacks_nothing() -> None:
    check_inputs([step("a")], Runtime())


def test_a_service_that_is_missing_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vertebra.spec.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"vertebra\[trackio\]"):
        check_inputs([step("a")], Runtime(tracking=("trackio",)))
