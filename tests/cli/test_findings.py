"""`vertebra findings` and `vertebra compare --published`."""

import json

import pytest
import typer
from tests.cli.test_compare import STUDY, write_score
from tests.conftest import Workshop, pretend
from typer.testing import CliRunner

from vertebra.cli.compare import compare
from vertebra.cli.findings import findings
from vertebra.errors import ConfigError, UnknownName
from vertebra.store import Store

app = typer.Typer()
app.command()(findings)
app.command("compare")(compare)
TABLE = "study-llm-backbones"
PAIR = ("llava-1.5/vicuna-13b", "llava-1.5/llama-3-8b")


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def studied(workshop: Workshop) -> Workshop:
    """A store with a study's scores: ada is right 9 times of 10, the others 6 times."""
    text = STUDY.replace("[ada, bob]", "[ada, bob, tiny-phi-3]").replace("seeds: [0, 1]", "seeds: [0]")
    plan = pretend(workshop, workshop.study(text))
    store = Store(workshop.store)
    for step in plan.steps:
        if step.kind == "score":
            write_score(store.work(step.key) / "out", 0.9 if "ada" in step.label else 0.6, 300)
            store.commit(step.key, step.preimage(), step.label, {"seconds": 1.0})
    return workshop


def test_a_study_s_findings_are_told_with_their_evidence(studied):
    done = studied.vertebra("findings", "small.yaml", "--store", "store", "--evidence")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    told = " ".join(done.stdout.split())
    assert "small: 1 finding, from 3 paired comparisons." in told
    assert "- eyes: ada is first on POPE, " in told
    assert "POPE (llava), F1, less eyes/bob: +" in told
    assert "; questions " in told


def test_a_study_s_findings_as_json(studied):
    done = studied.vertebra("findings", "small.yaml", "--store", "store", "--json")
    (only,) = json.loads(done.stdout)["findings"]
    assert (only["kind"], only["model"], only["evidence"][0]["benchmark"]) == ("first", "eyes/ada", "pope")
    assert only["p_holm"] < 0.05


def test_claims_are_checked_against_the_table_that_they_come_with():
    result = run("findings", TABLE)
    assert result.exit_code == 0, result.exception
    assert max(map(len, result.stdout.splitlines())) <= 80
    told = " ".join(result.stdout.split())
    assert "- supported: Zero-shot vision-language tasks." in told
    assert "not shown: llava-1.5/vicuna-13b ahead of llava-1.5/llama-3-8b, GQA: +0.1 [-0.7, +0.9]" in told
    assert "correlate by 0.5" in told
    (claims,) = json.loads(run("findings", TABLE, "--json").stdout)["published"]
    assert [each["verdict"] for each in claims["claims"]].count("supported") == 1


def test_two_published_models_are_compared_by_sample_sizes():
    result = run("compare", *PAIR, "--published", TABLE)
    assert result.exit_code == 0, result.exception
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    marks = {line.split()[0]: line.split()[-1] for line in lines if line.split()[:1] and line.split()[0] in BENCHMARKS}
    assert marks == BENCHMARKS
    assert "5 of 12 differences are more than chance" in " ".join(lines)
    told = json.loads(run("compare", *PAIR, "--published", TABLE, "--json").stdout)
    verdicts = {each["benchmark"]: each["verdict"] for each in told["comparisons"]}
    assert (verdicts["gqa"], verdicts["mmbench"], verdicts["seed_img"]) == ("not shown", "real", "not after Holm")
    assert told["assumed"]["correlation"] == 0.5


BENCHMARKS = {
    "gqa": "no",
    "llava_wild": "no",
    "mm_vet": "no",
    "mmbench": "yes",
    "mmbench_cn": "no",
    "mme": "no",
    "pope": "no",
    "scienceqa": "yes",
    "seed_img": "*",
    "textvqa": "yes",
    "vizwiz": "yes",
    "vqav2": "yes",
}


def test_what_has_no_sample_size_is_named():
    models = ("vip-llava/vicuna-13b", "vip-llava/llama-3-8b")
    told = " ".join(run("compare", *models, "--published", TABLE).stdout.split())
    assert "how many questions there are is not known: pointqa, v7w." in told


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("compare", "x", PAIR[1], "--published", TABLE), UnknownName, "no model of study-llm-backbones"),
        (("compare", *PAIR, "--published", "zoo"), UnknownName, "no published table"),
        (("compare", PAIR[0], "--published", TABLE), ConfigError, "takes two models"),
        (("compare", *PAIR, "--published", TABLE, "--benchmark", "pope"), ConfigError, "none of the other options"),
        (("compare", *PAIR[:1], "llava-1.5/vicuna-7b", "--published", "llava-model-zoo"), ConfigError, "how many"),
        (("findings", "llava-model-zoo"), ConfigError, "There are no claims on"),
        (("findings", "study-llm"), UnknownName, "Did you mean 'study-llm-backbones'"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(arguments, error, said):
    result = run(*arguments)
    assert isinstance(result.exception, error)
    assert said in str(result.exception)


def test_a_study_without_scores_is_a_data_error(workshop):
    workshop.study(STUDY)
    assert workshop.vertebra("findings", "small.yaml", "--store", "store").returncode == 4
