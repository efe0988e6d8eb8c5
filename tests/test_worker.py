"""Workers, driven as the engine drives them: a job on stdin, events on stdout, the log on stderr."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.anatomy import backbone, parts
from tests.conftest import Workshop, step
from tests.judge_server import judging, said

from vertebra.catalog import Catalog
from vertebra.plan import Kind, Step
from vertebra.runtime import Runtime
from vertebra.spec import Json
from vertebra.store import Store
from vertebra.worker import Job


class Worker:
    """A worker process that has been given a job."""

    def __init__(self, workshop: Workshop, *steps: Step, **kinds: Kind) -> None:
        with (workshop.root / "worker.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vertebra.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=dict(workshop.environment),
            )
        assert self.process.stdin
        job = Job(workshop.store, Runtime(), steps, {step.key: step.kind for step in steps} | kinds)
        self.process.stdin.write(job.to_line())
        self.process.stdin.flush()

    def event(self) -> dict[str, Any]:
        assert self.process.stdout
        event: dict[str, Any] = json.loads(self.process.stdout.readline())
        return event

    def events(self) -> list[dict[str, Any]]:
        """Everything up to the worker's end."""
        assert self.process.stdin
        assert self.process.stdout
        events = [json.loads(line) for line in self.process.stdout]
        self.process.wait(20)
        self.process.stdin.close()
        self.process.stdout.close()
        return events


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events if event["event"] != "progress"]


def test_a_job_survives_its_way_as_a_line(tmp_path: Path) -> None:
    needed = step("a")
    steps = (step("b \u2028 新", needs=(needed,), after=(step("c"),)),)
    job = Job(tmp_path, Runtime(data=tmp_path, checkpoint_seconds=0.1, launcher=("srun",)), steps, {needed.key: "make"})
    line = job.to_line()
    assert line.count(b"\n") == 1
    again = Job.from_line(line)
    assert again.steps[0].key == steps[0].key
    assert again.steps[0].awaits == steps[0].awaits
    assert again.runtime == job.runtime
    assert again.kinds == job.kinds


def test_steps_are_done_in_order_and_committed_with_their_circumstances(workshop: Workshop) -> None:
    first = step("first")
    second = step("second", "slow", needs=(first,))
    events = Worker(workshop, first, second).events()
    assert names(events) == ["started", "done", "started", "done"]
    store = Store(workshop.store)
    assert (store.out(first.key) / "made.txt").read_text() == "made"
    assert len(list(store.out(second.key).iterdir())) == 10
    run = store.record(second.key)
    assert run["python"] == sys.version.split()[0]
    assert run["resumed"] is False
    versions = run["versions"]
    assert isinstance(versions, dict)
    assert versions["vertebra"]


def test_progress_is_told_at_most_a_few_times_a_second(workshop: Workshop) -> None:
    events = Worker(workshop, step("a", "slow")).events()
    told = [event for event in events if event["event"] == "progress"]
    assert told[0]["total"] == 10
    assert len(told) <= 3


def test_an_error_for_people_keeps_its_message_and_exit_code(workshop: Workshop) -> None:
    failure = Worker(workshop, step("a", "refusing")).events()[-1]
    assert failure["message"] == "The archive is torn. Fetch it again."
    assert failure["exit_code"] == 4
    assert not failure["crashed"]


def test_a_bug_leaves_its_traceback_in_the_log_and_the_next_step_runs(workshop: Workshop) -> None:
    events = Worker(workshop, step("a", "buggy"), step("b")).events()
    assert names(events) == ["started", "failed", "started", "done"]
    assert events[1]["message"] == "ZeroDivisionError: division by zero"
    assert events[1]["crashed"]
    log = (workshop.root / "worker.log").read_text()
    assert "about to" in log
    assert "Traceback" in log


def test_a_step_that_needs_a_failed_one_is_not_tried(workshop: Workshop) -> None:
    bad = step("bad", "refusing")
    events = Worker(workshop, bad, step("worse", needs=(bad,)), step("good")).events()
    assert names(events) == ["started", "failed", "started", "done"]


def test_an_unknown_maker_is_a_usage_error_with_a_hint(workshop: Workshop) -> None:
    failure = Worker(workshop, step("a", "quik")).events()[-1]
    assert failure["message"] == "no data maker is named 'quik'. Did you mean 'quick'?"
    assert failure["exit_code"] == 2


def test_a_damaged_input_is_named_before_the_step_uses_it(workshop: Workshop) -> None:
    first = step("first")
    Worker(workshop, first).events()
    (Store(workshop.store).out(first.key) / "made.txt").write_text("mode")
    failure = Worker(workshop, step("second", needs=(first,)), **{first.key: "make"}).events()[-1]
    assert failure["exit_code"] == 4
    assert "made.txt is damaged" in failure["message"]


def test_half_a_data_folder_is_made_anew(workshop: Workshop) -> None:
    half = step("a")
    (Store(workshop.store).work(half.key) / "out" / "torn.txt").write_text("half")
    Worker(workshop, half).events()
    store = Store(workshop.store)
    assert [path.name for path in store.out(half.key).iterdir()] == ["made.txt"]
    assert store.record(half.key)["resumed"] is True


def test_a_commit_that_was_cut_short_is_finished_without_working_again(workshop: Workshop) -> None:
    broken = step("a", "refusing")
    folder = Store(workshop.store).work(broken.key)
    (folder / "manifest.json").write_text("{}")
    assert names(Worker(workshop, broken).events()) == ["started", "done"]
    assert Store(workshop.store).done(broken.key)


def test_sigterm_stops_the_running_step_and_starts_no_other(workshop: Workshop) -> None:
    worker = Worker(workshop, step("a", "endless"), step("b"))
    while worker.event()["event"] != "progress":
        pass
    worker.process.send_signal(signal.SIGTERM)
    assert names(worker.events()) == []
    assert worker.process.returncode == 0


def test_a_worker_goes_when_its_engine_is_gone(workshop: Workshop) -> None:
    worker = Worker(workshop, step("a", "stubborn"))
    assert worker.event()["event"] == "started"
    assert worker.process.stdin
    began = time.monotonic()
    worker.process.stdin.close()
    worker.process.wait(10)
    assert time.monotonic() - began < 5
    assert worker.process.stdout
    worker.process.stdout.close()


def test_neither_worker_nor_engine_imports_torch_by_itself() -> None:
    code = "import sys, vertebra.worker, vertebra.engine; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("answers", ["right", "wrong"])
def test_scoring_grades_the_answers_of_the_step_that_it_needs(workshop: Workshop, answers: str) -> None:
    made = Step("make", "data/pope", "data/pope", {"maker": "pope", "version": 1})
    predicted = Step("predict", "m/pope/answers", "m", {"benchmark": "pope"}, ("0" * 64, made.key))
    scored = Step("score", "m/pope/score", "m", {"benchmark": "pope", "grading": 1}, (predicted.key, made.key))
    store = Store(workshop.store)
    said = {"right": ("Yes", "No"), "wrong": ("No", "Yes")}[answers]
    rows = [{"question_id": number, "text": said[number % 2]} for number in range(6)]
    out = store.work(predicted.key) / "out" / "answers.jsonl"
    out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store.commit(predicted.key, predicted.preimage(), predicted.label, {})
    Worker(workshop, made).events()
    kinds: dict[str, Kind] = {predicted.key: "predict", made.key: "make"}
    assert names(Worker(workshop, scored, **kinds).events()) == ["started", "done"]
    card = json.loads((store.out(scored.key) / "scorecard.json").read_text())
    assert card["metrics"]["accuracy"] == {"right": 100.0, "wrong": 0.0}[answers]
    assert len((store.out(scored.key) / "samples.jsonl").read_text().splitlines()) == 6


def test_the_score_of_answers_drawn_at_a_temperature_says_so(workshop: Workshop) -> None:
    store, judge = Store(workshop.store), {"name": "rules", "endpoint": "scripted", "runs": 1}
    greedy = scoring_mm_vet(store, judge)
    drawn = Step("score", greedy.label, "m", {**greedy.spec, "temperature": 0.2}, greedy.needs)
    kinds: tuple[Kind, Kind] = ("predict", "make")
    for scored in (greedy, drawn):
        Worker(workshop, scored, **dict(zip(scored.needs, kinds, strict=True))).events()
    cards = [json.loads((store.out(scored.key) / "scorecard.json").read_text()) for scored in (greedy, drawn)]
    assert cards[1].pop("protocol") == cards[0].pop("protocol") + " sampled=0.2"
    assert cards[0] == cards[1]


def scoring_mm_vet(store: Store, judge: Json) -> Step:
    """A score step on two answers to MM-Vet, with what it needs in the store."""
    made = Step("make", "data/pope", "data/pope", {"maker": "pope", "version": 1})
    predicted = Step("predict", "m/mm_vet/answers", "m", {"benchmark": "mm_vet"}, ("0" * 64, made.key))
    question = {"imagename": "a.png", "question": "What?", "answer": "a dog", "capability": ["rec"]}
    for done, file, text in (
        (made, "mm_vet/mm-vet.json", json.dumps({"v1_0": question, "v1_1": question})),
        (predicted, "answers.jsonl", '{"question_id": 0, "text": "A dog."}\n{"question_id": 1, "text": "A cat."}\n'),
    ):
        if not store.done(done.key):
            path = store.work(done.key) / "out" / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            store.commit(done.key, done.preimage(), done.label, {})
    spec: dict[str, Json] = {"benchmark": "mm_vet", "grading": 1, "judge": judge}
    return Step("score", "m/mm_vet/score", "m", spec, (predicted.key, made.key))


def judged(workshop: Workshop, judge: Json) -> tuple[Step, dict[str, Any]]:
    """The step that asks this judge, and the last thing that its worker told."""
    scored = scoring_mm_vet(Store(workshop.store), judge)
    kinds: tuple[Kind, Kind] = ("predict", "make")
    return scored, Worker(workshop, scored, **dict(zip(scored.needs, kinds, strict=True))).events()[-1]


def test_a_study_s_judge_grades_and_its_replies_outlive_a_new_grading(workshop: Workshop) -> None:
    key = "sk-canary-31"
    with judging(lambda _: said("0.5")) as server:
        environment = {**workshop.environment, "OPENAI_API_KEY": key, "OPENAI_BASE_URL": server.url}
        known = replace(workshop, environment=environment)
        scored, told = judged(known, {"name": "judge-1", "endpoint": "openai", "runs": 2})
        assert told["event"] == "done", told
        again, told = judged(known, {"name": "judge-1", "endpoint": server.url, "runs": 2})
        assert (told["event"], len(server.asked)) == ("done", 4)
    store = Store(workshop.store)
    card = json.loads((store.out(scored.key) / "scorecard.json").read_text())
    assert (card["protocol"], card["metrics"]["total"]) == ("v1 judge=judge-1", 50)
    assert len((store.out(again.key) / "judgments.jsonl").read_text().splitlines()) == 4
    everything = [path.read_bytes() for path in workshop.root.rglob("*") if path.is_file()]
    assert key.encode() not in b"".join(everything)


def test_rules_may_judge_a_study(workshop: Workshop) -> None:
    scored, told = judged(workshop, {"name": "rules", "endpoint": "scripted", "runs": 1})
    assert told["event"] == "done", told
    card = json.loads((Store(workshop.store).out(scored.key) / "scorecard.json").read_text())
    assert (card["protocol"], card["metrics"]["total"]) == ("v1 judge=rules (scripted)", 50)


def test_a_study_without_a_judge_has_no_judged_score(workshop: Workshop) -> None:
    _, failure = judged(workshop, None)
    assert (failure["exit_code"], failure["crashed"]) == (5, False)
    assert "In a study: `judge:" in failure["message"]


def test_a_backbone_that_does_not_fit_is_refused_and_leaves_no_report(workshop: Workshop) -> None:
    fitting, wrong = (
        Step("check", f"check/{name}", "check", {
            "backbone": {**backbone("llama-3").preimage(), **changes, "config": {}},
            "template": Catalog.installed().template("llama_3"),
            "example": Catalog.installed().example("llama_3"),
        })
        for name, changes in (("fitting", {}), ("wrong", {"pad": "<|eot_id|>"}))
    )  # fmt: skip
    events = Worker(workshop, fitting, wrong).events()
    assert names(events) == ["started", "done", "started", "failed"]
    assert events[-1]["exit_code"] == 3
    assert events[-1]["message"].startswith("wrong does not fit: ")
    store = Store(workshop.store)
    report = json.loads((store.out(fitting.key) / "report.json").read_text())
    assert (report["backbone"], report["fits"]) == ("fitting", True)
    assert not store.done(wrong.key)


def two_questions(store: Store) -> Step:
    """A finished step with ScienceQA's files: a question without a picture and one with."""
    made = Step("make", "data/tiny", "data/tiny", {"maker": "tiny", "version": 1})
    folder = store.work(made.key) / "out" / "scienceqa"
    picture = folder / "images" / "test" / "1" / "image.png"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(picture)
    problem = {"question": "What?", "choices": ["two", "red"], "answer": 0, "subject": "s"}
    (folder / "problems.json").write_text(json.dumps({"0": problem, "1": {**problem, "image": "image.png"}}))
    (folder / "pid_splits.json").write_text('{"test": ["0", "1"]}')
    store.commit(made.key, made.preimage(), made.label, {})
    return made


def test_an_adopted_checkpoint_is_the_model_that_answers(workshop: Workshop) -> None:
    spec: dict[str, Json] = {"benchmark": "scienceqa", "max_new_tokens": 4}
    made = two_questions(Store(workshop.store))
    for source, told in ((str(parts() / "llama-3"), "loadable checkpoint"), (str(workshop.root / "no"), "no config")):
        adopting: dict[str, Json] = {**spec, "model": {"weights": source, "family": "llava"}}
        predicted = Step("predict", "m/scienceqa/answers", "m", adopting, (made.key,))
        failure = Worker(workshop, predicted, **{made.key: "make"}).events()[-1]
        assert failure["exit_code"] == 4, failure
        assert source in failure["message"]
        assert told in failure["message"]


def test_a_model_behind_an_endpoint_answers_without_torch_and_its_key_is_nowhere(workshop: Workshop) -> None:
    for package in ("torch", "transformers"):  # found before the real ones
        (workshop.root / "plugin" / f"{package}.py").write_text("raise SystemExit('imported')")
    store, key = Store(workshop.store), "sk-canary-32"
    made = two_questions(store)
    with judging(lambda _: said(f"A {key}")) as server:
        known = replace(workshop, environment={**workshop.environment, "OPENAI_API_KEY": key})
        spec: dict[str, Json] = {"benchmark": "scienceqa", "max_new_tokens": 4}
        asking: dict[str, Json] = {**spec, "model": {"endpoint": server.url, "name": "m"}}
        predicted = Step("predict", "endpoint/m/scienceqa/answers", "m", asking, (made.key,))
        told = Worker(known, predicted, **{made.key: "make"}).events()
    assert told[-1]["event"] == "done", told
    assert server.authorizations == [f"Bearer {key}"] * 2
    rows = [json.loads(line) for line in (store.out(predicted.key) / "answers.jsonl").read_text().splitlines()]
    assert [(row["question_id"], row["text"], row["model_id"]) for row in rows] == [
        ("0", "A [key]", "endpoint/m"),
        ("1", "A [key]", "endpoint/m"),
    ]
    everything = [path.read_bytes() for path in workshop.root.rglob("*") if path.is_file()]
    assert key.encode() not in b"".join([*everything, json.dumps(told).encode()])
