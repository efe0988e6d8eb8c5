"""`vertebra compare`, on answers files, stored scores and studies."""

import json
import random
from pathlib import Path

import pytest
import typer
from tests.conftest import Workshop, pretend
from typer.testing import CliRunner

from vertebra.cli.compare import compare
from vertebra.errors import ConfigError, DataError, JudgeError, Refused, UnknownName, VertebraError
from vertebra.files import append_rows, write_atomically
from vertebra.store import Store

IMAGES, EACH = 40, 2
TYPES = {"structural": "verify", "semantic": "global"}

app = typer.Typer()
app.command()(compare)


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(*arguments: object):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """GQA in small, and answers of models that are right 9 times of 10, as often, and half of the time."""
    rng = random.Random(0)
    names = [str(number) for number in range(IMAGES * EACH)]
    asked = {
        name: {
            "question": "Is it?",
            "imageId": f"n{int(name) // EACH}",
            "answer": "yes",
            "isBalanced": True,
            "types": TYPES,
        }
        for name in names
    }
    (tmp_path / "testdev_balanced_questions.json").write_text(json.dumps(asked))
    for model, share in (("good", 0.9), ("alike", 0.9), ("bad", 0.5)):
        rows = [{"question_id": name, "text": "yes" if rng.random() < share else "no"} for name in names]
        (tmp_path / f"{model}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def files(folder: Path, *models: str) -> list[object]:
    return [*(folder / f"{model}.jsonl" for model in models), "--benchmark", "gqa", "--annotations", folder]


def test_two_answers_files_are_scored_and_compared(folder):
    found = told(*files(folder, "good", "bad"))
    assert list(found) == ["a", "b", "tests", "comparisons", "gates"]
    (only,) = found["comparisons"]
    assert (only["benchmark"], only["protocol"], only["n"], only["images"]) == ("gqa", "testdev_balanced", 80, 40)
    accuracy = only["metrics"]["accuracy"]
    assert accuracy["difference"] == accuracy["b"] - accuracy["a"] < -20
    low, high = accuracy["ci95"]
    assert low < accuracy["difference"] < high < 0
    assert accuracy["p"] == accuracy["p_holm"] < 0.001
    assert accuracy["test"] == "sign-flip over images"
    assert only["mcnemar"]["only_a"] - only["mcnemar"]["only_b"] == pytest.approx(-0.8 * accuracy["difference"])


def test_people_get_a_table_in_80_columns_that_says_what_would_settle_it(folder):
    lines = run(*files(folder, "good", "alike")).stdout.splitlines()
    table = "\n".join(line for line in lines if str(folder) not in line)
    assert max(map(len, table.split("\n"))) <= 80
    assert "GQA (testdev_balanced), 80 questions on 40 images" in table
    assert "Tests: sign-flip over images." in table
    assert "not shown. Were it real, it would take" in " ".join(table.split())
    assert "One training seed each" in table


def test_a_gate_that_happened_is_exit_6_and_says_by_how_much(folder):
    gate = "gqa.accuracy drop > 1 with p < .05"
    failed = run(*files(folder, "good", "bad"), "--fail-if", gate, "--json").exception
    assert isinstance(failed, VertebraError)
    assert failed.exit_code == 6
    assert "`gqa.accuracy drop > 1 with p < 0.05`: B less A is -" in str(failed)
    for passing in (files(folder, "bad", "good"), files(folder, "good", "alike"), files(folder, "good", "good")):
        assert told(*passing, "--fail-if", gate)["gates"] == [
            {"gate": "gqa.accuracy drop > 1 with p < 0.05", "passed": True}
        ]


@pytest.mark.parametrize("gate", ["gqa.acuracy drop > 1", "gqaa.accuracy drop > 1"])
def test_a_gate_on_what_is_not_compared_is_an_unknown_name(folder, gate):
    error = run(*files(folder, "good", "bad"), "--fail-if", gate).exception
    assert isinstance(error, UnknownName)
    assert "Did you mean" in str(error)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a", "b", "c"], "Give two, or one study"),
        (["miniature", "--fail-if", "pope.f1 drop > 1"], "need A and B"),
        (["a", "b", "--benchmark", "pope"], "--benchmark NAME and --annotations PATH together"),
        (["a", "b", "--fail-if", "pope.f1 dorp > 1"], "did you mean 'drop'"),
    ],
)
def test_arguments_that_do_not_go_together_are_config_errors(arguments, complaint):
    error = run(*arguments).exception
    assert isinstance(error, ConfigError)
    assert complaint in str(error)


def test_an_answers_file_that_is_missing_or_not_said_to_be_one_is_named(folder):
    missing = run(*files(folder, "good", "lost")).exception
    assert isinstance(missing, DataError)
    assert "lost.jsonl" in str(missing)
    bare = run(folder / "good.jsonl", folder / "bad.jsonl").exception
    assert isinstance(bare, ConfigError)
    assert "--benchmark NAME" in str(bare)


SUBSETS = ("random", "popular", "adversarial")


def write_score(out: Path, share: float, questions: int = 60, protocol: str = "llava", seed: int = 0) -> None:
    """A score step's result on POPE: half of the questions are to be answered by yes."""
    rng, rows = random.Random(f"{share} {seed}"), []
    for number in range(questions):
        hit, truth = rng.random() < share, number % 2
        cell = ("t" if hit else "f") + ("p" if hit == bool(truth) else "n")
        tally = {f"{SUBSETS[number % 3]} {cell}": 1.0}
        rows.append(
            {"id": f"{number}", "score": float(hit), "parsed": "yes", "cluster": f"{number // 3}.jpg", "tally": tally}
        )
    card = {"benchmark": "pope", "protocol": protocol, "n": questions, "missing": 0, "headline": "f1"}
    write_atomically(out / "scorecard.json", json.dumps(card | {"metrics": {"f1": 1.0}, "groups": {}}))
    append_rows(out / "samples.jsonl", rows)


def test_two_folders_of_score_steps_need_neither_annotations_nor_pictures(tmp_path):
    write_score(tmp_path / "a" / "out", 0.9)
    write_score(tmp_path / "b", 0.5)
    (only,) = told(tmp_path / "a", tmp_path / "b" / "scorecard.json")["comparisons"]
    assert list(only["metrics"]) == ["f1", "accuracy"]
    assert only["metrics"]["f1"]["p_holm"] < 0.001
    assert only["metrics"]["accuracy"]["p_holm"] is None
    assert only["metrics"]["f1"]["bootstrap95"] == pytest.approx(only["metrics"]["f1"]["ci95"], abs=8)


def test_questions_that_one_side_alone_has_are_counted_and_left_out(tmp_path):
    write_score(tmp_path / "a", 0.9, questions=60)
    write_score(tmp_path / "b", 0.8, questions=48)
    (only,) = told(tmp_path / "a", tmp_path / "b")["comparisons"]
    assert (only["n"], only["only_a"], only["only_b"]) == (48, 12, 0)
    assert "12 questions that only A has" in run(tmp_path / "a", tmp_path / "b").stdout


def test_unlike_protocols_are_refused(tmp_path):
    write_score(tmp_path / "a", 0.9)
    write_score(tmp_path / "b", 0.9, protocol="llava sampled=0.2")
    error = run(tmp_path / "a", tmp_path / "b").exception
    assert isinstance(error, Refused)
    assert "as `llava`" in str(error)
    assert "as `llava sampled=0.2`" in str(error)


def test_one_image_in_common_is_refused(tmp_path):
    write_score(tmp_path / "a", 0.9)
    write_score(tmp_path / "b", 0.9, questions=3)
    assert isinstance(run(tmp_path / "a", tmp_path / "b").exception, Refused)


def test_results_without_tallies_are_to_be_scored_again(tmp_path):
    for name in "ab":
        write_score(tmp_path / name, 0.9)
    (tmp_path / "b" / "samples.jsonl").write_text('{"id": "1", "score": 1.0, "parsed": null, "cluster": "1.jpg"}\n')
    error = run(tmp_path / "a", tmp_path / "b").exception
    assert isinstance(error, DataError)
    assert "`tally`: field required" in str(error)
    (tmp_path / "b" / "samples.jsonl").unlink()
    assert isinstance(run(tmp_path / "a", tmp_path / "b").exception, DataError)


def test_pairs_of_questions_count_only_where_both_are_there(tmp_path):
    """MME's tally of a second question tells of the first one too."""
    for name, questions in (("a", 20), ("b", 19)):
        rows = []
        for number in range(questions):
            both = {"OCR both": 1.0, "OCR pairs": 1.0} if number % 2 else {}
            hit = float(name == "a" or number % 4 < 2)
            tally = {"OCR right": hit, "OCR all": 1.0, **both}
            rows.append(
                {"id": f"{number}", "score": hit, "parsed": "yes", "cluster": f"OCR/{number // 2}", "tally": tally}
            )
        card = {"benchmark": "mme", "protocol": "llava", "n": questions, "missing": 0, "headline": "perception"}
        write_atomically(tmp_path / name / "scorecard.json", json.dumps(card))
        append_rows(tmp_path / name / "samples.jsonl", rows)
    (only,) = told(tmp_path / "a", tmp_path / "b")["comparisons"]
    assert (only["n"], only["images"], only["only_a"], only["only_b"]) == (18, 9, 2, 1)


def test_answers_that_were_judged_more_often_on_one_side_are_refused(tmp_path):
    for name, runs in (("a", 1), ("b", 2)):
        tally = {f"{what} {run}": 1.0 for run in range(runs) for what in ("score", "judged")}
        row = {"score": 1.0, "parsed": "1", "tally": tally}
        card = {"benchmark": "mm_vet", "protocol": "judge=rules", "n": 2, "missing": 0, "headline": "total"}
        write_atomically(tmp_path / name / "scorecard.json", json.dumps(card))
        append_rows(tmp_path / name / "samples.jsonl", [{"id": at, "cluster": at, **row} for at in ("1.png", "2.png")])
    error = run(tmp_path / "a", tmp_path / "b").exception
    assert isinstance(error, Refused)
    assert "different numbers of times" in str(error)


STUDY = "families: [eyes]\nbackbones: [ada, bob]\nbenchmarks: [pope]\ndata: pope\nseeds: [0, 1]\n"


@pytest.fixture
def studied(workshop: Workshop) -> Workshop:
    """A store with a study's scores: ada is right 9 times of 10, bob 6 times."""
    plan = pretend(workshop, workshop.study(STUDY))
    store = Store(workshop.store)
    for step in plan.steps:
        if step.kind == "score":
            seed = int("seed1" in step.label)
            write_score(store.work(step.key) / "out", 0.9 if "ada" in step.label else 0.6, 300, seed=seed)
            store.commit(step.key, step.preimage(), step.label, {"seconds": 1.0})
    return workshop


def test_a_study_is_compared_pair_by_pair_with_holm_over_all(studied):
    done = studied.vertebra("compare", "small.yaml", "--store", "store", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["study"], found["tests"]) == ("small", 1)
    assert [(arm["arm"], arm["seeds"]) for arm in found["arms"]] == [("eyes/ada", 2), ("eyes/bob", 2)]
    assert all(arm["error_seeds"] is not None and arm["error_questions"] > 0 for arm in found["arms"])
    (pair,) = found["comparisons"]
    assert (pair["a"], pair["b"], list(pair["metrics"])) == ("eyes/ada", "eyes/bob", ["f1"])
    assert pair["metrics"]["f1"]["p_holm"] == pair["metrics"]["f1"]["p"] < 0.05
    assert pair["metrics"]["f1"]["test"] == "t over questions and seeds"


def test_people_get_a_matrix_in_80_columns(studied):
    done = studied.vertebra("compare", "small.yaml", "--store", "store")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[:4] == [" 1  eyes/ada", " 2  eyes/bob", "", "POPE (llava), 300 questions on 100 images: f1"]
    row = next(line for line in lines[4:] if line.startswith("2 "))
    assert row.rstrip().endswith("*")
    assert "1 of 1 differences" in " ".join(lines)


def test_models_of_a_store_are_named_by_label_with_all_their_seeds_or_one(studied):
    both = studied.vertebra("compare", "eyes/ada", "eyes/bob", "--store", "store", "--json")
    (pair,) = json.loads(both.stdout)["comparisons"]
    assert (pair["seeds_a"], pair["seeds_b"]) == (2, 2)
    one = studied.vertebra("compare", "eyes/ada/seed0/pope", "eyes/ada/seed1", "--store", "store", "--json")
    (pair,) = json.loads(one.stdout)["comparisons"]
    assert (pair["seeds_a"], pair["seeds_b"]) == (1, 1)
    assert pair["metrics"]["f1"]["error_seeds"] is None
    lost = studied.vertebra("compare", "eyes/ada", "eyes/bobb", "--store", "store")
    assert lost.returncode == 2
    assert "Did you mean 'eyes/bob'?" in " ".join(lost.stderr.split())


def test_a_damaged_result_is_a_data_error(studied):
    path = next(studied.store.glob("steps/*/out/samples.jsonl"))
    path.write_text(path.read_text().replace("1.0", "0.0", 1))
    assert studied.vertebra("compare", "small.yaml", "--store", "store").returncode == 4


def test_a_study_without_two_scored_models_is_a_data_error(workshop):
    workshop.study(STUDY)
    done = workshop.vertebra("compare", "small.yaml", "--store", "store")
    assert done.returncode == 4
    assert "Start with `vertebra run`" in " ".join(done.stderr.split())


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    """MM-Vet in small, and two models' answers with a judge's grades in the official layout."""
    names = [f"v1_{number}" for number in range(30)]
    asked = {
        name: {"imagename": f"{name}.png", "question": "What?", "answer": "-1", "capability": ["math"]}
        for name in names
    }
    (tmp_path / "mm-vet.json").write_text(json.dumps(asked))
    for model, points in (("good", 0.9), ("bad", 0.2)):
        (tmp_path / f"{model}.json").write_text(json.dumps(dict.fromkeys(names, "x")))
        grades = {name: {"model": ["gpt-4-0613"], "content": [str(points)], "score": [points]} for name in names}
        (tmp_path / f"{model}-grades.json").write_text(json.dumps(grades))
    return tmp_path


def test_judged_answers_are_compared_by_their_judgments(graded):
    of_mm_vet = ("--benchmark", "mm_vet", "--annotations", graded / "mm-vet.json")
    answers = (graded / "good.json", graded / "bad.json")
    judgments = ("--judgments-a", graded / "good-grades.json", "--judgments-b", graded / "bad-grades.json")
    (only,) = told(*answers, *of_mm_vet, *judgments)["comparisons"]
    assert only["protocol"] == "v1 judge=gpt-4-0613"
    total = only["metrics"]["total"]
    assert (total["a"], total["b"], total["difference"]) == pytest.approx((90, 20, -70))
    assert total["p"] < 0.001
    assert isinstance(run(*answers, *of_mm_vet).exception, JudgeError)


def test_judgments_have_no_place_beside_a_rule_or_stored_scores(folder, graded):
    judged = ("--judgments-a", graded / "good-grades.json")
    assert "graded by a rule" in str(run(*files(folder, "good", "bad"), *judged).exception)
    assert "Answers files need --benchmark" in str(run(folder, folder, *judged).exception)
