"""`vertebra plan|run|status|report`, as a person runs them."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import SMALL
from tests.conftest import Workshop, pretend

from vertebra.files import append_rows
from vertebra.store import Fingerprints, Store

ENDLESS = SMALL.replace("data: pope", "data: endless")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def start_and_wait(workshop: Workshop, *more: str) -> subprocess.Popen[str]:
    """A run of an endless study that has come to work."""
    pretend(workshop, workshop.study(ENDLESS, "endless"), ("check",))
    process = workshop.start("run", "endless.yaml", "--store", "store", *more)
    deadline = time.monotonic() + 20
    while not list(workshop.store.glob("work/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def test_plan_lists_every_step_with_what_it_waits_for(workshop: Workshop) -> None:
    workshop.study(SMALL)
    done = workshop.vertebra("plan", "small.yaml")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "small: 0 of 11 steps are done, 11 would run."
    assert "  run     data/pope: nothing like it in the store" in lines
    assert lines[lines.index("eyes/ada/seed0") + 1 :][:4] == [
        "  run     pretrain: needs check/ada",
        "  run     finetune: needs pretrain",
        "  run     pope/answers: needs finetune",
        "  run     pope/score: needs pope/answers",
    ]
    assert max(map(len, lines)) <= 80


def test_plan_changes_nothing(workshop: Workshop) -> None:
    workshop.study(SMALL)
    before = contents(workshop.root)
    workshop.vertebra("plan", "small.yaml", "--store", "store")
    workshop.vertebra("status", "small.yaml", "--store", "store")
    assert contents(workshop.root) == before
    assert not workshop.store.exists()


def test_plan_of_a_hundred_steps_takes_well_under_a_second(workshop: Workshop) -> None:
    workshop.study(SMALL + f"seeds: {list(range(13))}\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)  # processor time: the machine may be busy
    assert len(json.loads(workshop.vertebra("plan", "small.yaml", "--json").stdout)["steps"]) == 107
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


def test_a_changed_recipe_is_named_with_its_old_and_new_value(finished: Workshop) -> None:
    family = finished.root / "catalog" / "families" / "eyes.yaml"
    family.write_text(family.read_text().replace("learning_rate: 2e-05", "learning_rate: 5e-5"))
    steps = {step["label"]: step for step in json.loads(plan_json(finished))["steps"]}
    assert steps["eyes/ada/seed0/pretrain"]["state"] == "done"
    assert steps["eyes/ada/seed0/finetune"]["why"] == (
        "stage.learning_rate differs from finished step eyes/ada/seed0/finetune: 2e-05 -> 5e-05"
    )
    assert steps["eyes/ada/seed0/pope/answers"]["why"] == "needs eyes/ada/seed0/finetune"
    text = finished.vertebra("plan", "small.yaml", "--store", "store").stdout
    assert "stage.learning_rate differs from finished step finetune:\n          2e-05 -> 5e-05" in text


def plan_json(workshop: Workshop) -> str:
    return workshop.vertebra("plan", "small.yaml", "--store", "store", "--json").stdout


def test_an_added_backbone_leaves_all_other_steps_done(finished: Workshop) -> None:
    folder = finished.root / "catalog" / "backbones"
    (folder / "eve.yaml").write_text((folder / "ada.yaml").read_text().replace("<pad>", "<eve>"))
    finished.study(SMALL.replace("[ada, bob]", "[ada, eve, bob]"))
    steps = json.loads(plan_json(finished))["steps"]
    assert {step["label"].split("/")[1] for step in steps if step["state"] == "run"} == {"eve"}
    waiting = next(step for step in steps if step["label"] == "eyes/eve/seed0/pretrain")
    assert waiting["why"] == "needs check/eve"


def test_run_prints_the_table_and_where_the_report_is(finished: Workshop) -> None:
    done = finished.vertebra("run", "small.yaml", "--store", "store")
    assert done.returncode == 0, done.stderr
    assert "100" in done.stdout
    paths = [line for line in done.stdout.splitlines() if line.startswith("store/reports/small/")]
    assert {Path(path).suffix for path in paths} == {".html", ".png", ".json"}
    assert all((finished.root / path).is_file() for path in paths)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_second_run_does_nothing_and_ends_with_the_same_report(finished: Workshop) -> None:
    before = contents(finished.store / "steps") | contents(finished.store / "reports")
    done = finished.vertebra("run", "small.yaml", "--store", "store")
    assert done.stderr == ""
    assert contents(finished.store / "steps") | contents(finished.store / "reports") == before


def test_run_and_report_print_the_same_json(finished: Workshop) -> None:
    run = finished.vertebra("run", "small.yaml", "--store", "store", "--json")
    report = finished.vertebra("report", "small.yaml", "--store", "store", "--json")
    document = json.loads(run.stdout)
    assert run.stdout == report.stdout
    assert document["study"] == "small"
    row = next(row for row in document["rows"] if (row["backbone"], row["metric"]) == ("bob", "accuracy"))
    assert (row["family"], row["seed"], row["benchmark"], row["value"], row["n"]) == ("eyes", 0, "pope", 100.0, 6)


def test_a_run_without_a_terminal_says_a_plain_line_per_finished_step(workshop: Workshop) -> None:
    pretend(workshop, workshop.study(SMALL))
    lines = workshop.vertebra("run", "small.yaml", "--store", "store").stderr.splitlines()
    assert [line.split(" (")[0] for line in lines[:1]] == ["[1/3] done data/pope"]
    assert sorted(line.split(" (")[0][6:] for line in lines[1:]) == [
        "done eyes/ada/seed0/pope/score",
        "done eyes/bob/seed0/pope/score",
    ]


def test_report_writes_where_it_is_told(finished: Workshop) -> None:
    done = finished.vertebra("report", "small.yaml", "--store", "store", "--out", "elsewhere")
    assert done.returncode == 0, done.stderr
    assert (finished.root / "elsewhere" / "index.html").is_file()


def test_report_tells_the_stored_answering_times_in_the_page_and_not_in_the_table(finished: Workshop) -> None:
    plain = finished.vertebra("report", "small.yaml", "--store", "store")
    page = finished.store / "reports" / "small" / "index.html"
    assert "Answering time" not in page.read_text()
    steps = {record["label"]: key for key, record in Store(finished.store).finished()}
    told = {"questions": 6, "asked": 5, "seconds": 2.5}
    append_rows(finished.store / "steps" / steps["eyes/bob/seed0/pope/answers"] / "log.jsonl", [{"time": 1.0, **told}])
    timed = finished.vertebra("report", "small.yaml", "--store", "store")
    table, told_table = (done.stdout.partition("store/reports/")[0] for done in (plain, timed))
    assert told_table == table
    assert "2.50 s<small>2.00/s</small>" in page.read_text()
    document = json.loads(finished.vertebra("report", "small.yaml", "--store", "store", "--json").stdout)
    assert document["answering"] == [{"family": "eyes", "backbone": "bob", "seed": 0, "benchmark": "pope", **told}]


def test_report_on_an_empty_store_says_how_to_start(workshop: Workshop) -> None:
    workshop.study(SMALL)
    done = workshop.vertebra("report", "small.yaml", "--store", "store")
    assert done.returncode == 4
    assert "error: Nothing of small is scored in store yet." in done.stderr
    assert not workshop.store.exists()


def test_report_names_a_damaged_scorecard(finished: Workshop) -> None:
    card = next(finished.store.glob("steps/*/out/scorecard.json"))
    card.write_text(card.read_text().replace("100", "101"))
    done = finished.vertebra("report", "small.yaml", "--store", "store")
    assert done.returncode == 4
    assert "scorecard.json is damaged" in " ".join(done.stderr.split())


def test_the_data_folder_is_not_needed_to_report(workshop: Workshop) -> None:
    """Fingerprints of the data are kept in the store: a reviewer needs no data to find the steps again."""
    study = workshop.study(SMALL.replace("data: pope\n", ""))
    data = workshop.root / "data"
    data.mkdir()
    (data / "few.json").write_text("[]")
    found = workshop.vertebra("plan", "small.yaml", "--data", "data", "--json")
    keys = {step["label"]: step["key"] for step in json.loads(found.stdout)["steps"]}
    missing = workshop.vertebra("run", study, "--store", "store", "--data", "data")
    assert "llava_pope_test.jsonl" in missing.stderr
    workshop.store.mkdir()
    prints = Fingerprints.of(Store(workshop.store), data)
    prints("few.json")
    prints.save()
    again = workshop.vertebra("plan", "small.yaml", "--store", "store", "--json")
    assert {step["label"]: step["key"] for step in json.loads(again.stdout)["steps"]} == keys


def test_run_lists_all_that_is_missing_before_it_writes_anything(workshop: Workshop) -> None:
    (workshop.root / "weights" / "model.safetensors").unlink()
    (workshop.root / "data").mkdir()
    workshop.study(SMALL.replace("data: pope\n", ""))
    before = contents(workshop.root)
    done = workshop.vertebra("run", "small.yaml", "--store", "store", "--data", "data")
    assert done.returncode == 4
    assert done.stdout == ""
    for absent in ("data/few.json", "data/pope/coco_pope_random.json", "weights ./weights"):
        assert absent in done.stderr
    assert done.stderr.startswith("error: Nothing was run, because inputs are missing:")
    assert contents(workshop.root) == before


def test_run_without_the_data_folder_asks_for_it(workshop: Workshop) -> None:
    workshop.study(SMALL.replace("data: pope\n", ""))
    done = workshop.vertebra("run", "small.yaml", "--store", "store")
    assert done.returncode == 4
    assert "say where it is with --data DIR" in " ".join(done.stderr.split())


def test_a_data_folder_that_does_not_exist_is_told(workshop: Workshop) -> None:
    workshop.study(SMALL)
    done = workshop.vertebra("plan", "small.yaml", "--data", "nowhere")
    assert done.returncode == 4
    assert "The data folder nowhere does not exist" in done.stderr


def test_the_environment_may_say_where_the_store_is(finished: Workshop) -> None:
    environment = {**finished.environment, "VERTEBRA_STORE": "store"}
    done = Workshop(finished.root, environment).vertebra("plan", "small.yaml")
    assert done.stdout.startswith("small: 11 of 11 steps are done, 0 would run.")


def test_status_tells_done_begun_and_missing(finished: Workshop) -> None:
    finished.study(SMALL + "seeds: [0, 1]\n")
    steps = {step["label"]: step for step in json.loads(plan_json(finished))["steps"]}
    (finished.store / "work" / steps["eyes/ada/seed1/pretrain"]["key"]).mkdir()
    done = finished.vertebra("status", "small.yaml", "--store", "store")
    assert done.stdout.startswith("small: 11 of 19 steps are done.")
    assert "  done    pretrain: 1.0 s\n" in done.stdout
    assert "  begun   pretrain\n" in done.stdout
    assert "  missing finetune\n" in done.stdout


def test_status_knows_who_is_at_work(workshop: Workshop) -> None:
    process = start_and_wait(workshop)
    done = workshop.vertebra("status", "endless.yaml", "--store", "store")
    assert f"At work: process {process.pid} on " in done.stdout
    assert "  running data/endless" in done.stdout
    process.terminate()
    process.communicate()


def test_status_why_shows_each_field_that_differs(finished: Workshop) -> None:
    family = finished.root / "catalog" / "families" / "eyes.yaml"
    family.write_text(family.read_text().replace("2e-05, batch: 4", "5e-5, batch: 8"))
    done = finished.vertebra("status", "small.yaml", "--store", "store", "--why", "eyes/bob/seed0/finetune")
    assert "nearest kin is finished step eyes/bob/seed0/finetune" in done.stdout
    assert "  stage.batch: 4 -> 8\n  stage.learning_rate: 2e-05 -> 5e-05\n" in done.stdout
    more = finished.vertebra("status", "small.yaml", "--store", "store", "--why", "eyes/bob/seed0/finetune", "--json")
    assert json.loads(more.stdout)["differs"][0] == {"field": "stage.batch", "old": "4", "new": "8"}


def test_status_why_of_an_unknown_step_has_a_hint(workshop: Workshop) -> None:
    workshop.study(SMALL)
    done = workshop.vertebra("status", "small.yaml", "--why", "eyes/ada/seed0/pretrian")
    assert done.returncode == 2
    assert "Did you mean 'eyes/ada/seed0/pretrain'?" in " ".join(done.stderr.split())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_that_it_resumes(workshop: Workshop, number: int, code: int) -> None:
    process = start_and_wait(workshop)
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == ""
    assert err.endswith("Stopped. Everything finished so far is kept; the same command resumes.\n")
    assert "Traceback" not in err


def test_two_runs_on_one_store_do_not_meet(workshop: Workshop) -> None:
    process = start_and_wait(workshop)
    second = workshop.vertebra("run", "endless.yaml", "--store", "store")
    assert second.returncode == 1
    said = " ".join(second.stderr.split())
    assert f"error: The store store is in use by process {process.pid} on " in said
    assert "vertebra run endless.yaml. Wait for it" in said
    process.terminate()
    process.communicate()


def test_a_failed_step_is_told_with_its_log_and_the_exit_code_is_one(workshop: Workshop) -> None:
    pretend(workshop, workshop.study(SMALL.replace("data: pope", "data: buggy")), ("check",))
    done = workshop.vertebra("run", "small.yaml", "--store", "store")
    assert done.returncode == 1
    assert "failed: data/buggy: ZeroDivisionError: division by zero\n  | about to divide\n" in done.stderr
    assert "The whole log: store/logs/data--buggy.log" in done.stderr
    assert "error: 1 step failed; 8 more that build on what failed did not run." in " ".join(done.stderr.split())
    assert "\x1b" not in done.stderr


def test_a_failure_keeps_its_own_exit_code(workshop: Workshop) -> None:
    workshop.study(SMALL.replace("data: pope", "data: refusing"))
    assert workshop.vertebra("run", "small.yaml", "--store", "store").returncode == 4


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (SMALL.replace("ada,", "adda,"), "no backbone is named 'adda'. Did you mean 'ada'?"),
        (SMALL.replace("eyes", "eyess"), "no family is named 'eyess'. Did you mean 'eyes'?"),
        (SMALL.replace("pope]", "popo]"), "no benchmark is named 'popo'. Did you mean 'pope'?"),
        (
            SMALL.replace("backbones", "backbone"),
            "small.yaml:4: no field is named 'backbone'. Did you mean 'backbones'?",
        ),
    ],
)
def test_a_misspelt_name_ends_with_two_and_a_hint(workshop: Workshop, text: str, hint: str) -> None:
    workshop.study(text)
    done = workshop.vertebra("plan", "small.yaml")
    assert done.returncode == 2
    assert hint in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["frob"], ["plan"], ["run", "x", "--workers", "0"], ["plan", "x", "--frob"]])
def test_a_usage_error_ends_with_two(workshop: Workshop, arguments: list[str]) -> None:
    done = workshop.vertebra(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_full_or_forbidden_disk_is_no_traceback(workshop: Workshop) -> None:
    workshop.study(SMALL)
    workshop.store.write_text("not a folder")
    done = workshop.vertebra("run", "small.yaml", "--store", "store")
    assert done.returncode == 1
    assert "cannot be written" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_nobody_reading_is_no_traceback(workshop: Workshop) -> None:
    workshop.study(SMALL + f"seeds: {list(range(300))}\n")
    process = workshop.start("plan", "small.yaml")
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait()


def test_help_needs_neither_models_nor_pictures() -> None:
    code = (
        "import sys\nsys.argv = ['vertebra', 'plan', '--help']\nfrom vertebra.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print({'torch', 'transformers', 'matplotlib', 'numpy', 'rich', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.splitlines()[-1] == "set()"
