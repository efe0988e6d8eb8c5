"""`vertebra audit`, as a person runs it."""

import json
import subprocess
import sys

import pytest
from tests.conftest import Workshop

SMALL = "families: [eyes]\nbackbones: [ada, bob]\nbenchmarks: [pope]\ndata: pope\n"
SETTINGS = """\
title: Two arms
passages:
  one: {source: [], says: {learning_rate: 1.0e-3}}
  two: {source: [], says: {learning_rate: 2.0e-3}}
arms:
  f/a: {pretrain: [one]}
  f/b: {pretrain: [two]}
"""


@pytest.fixture
def other_eyes(workshop: Workshop) -> Workshop:
    """A workshop with a second family, whose first stage has another rate."""
    families = workshop.root / "catalog" / "families"
    text = (families / "eyes.yaml").read_text()
    (families / "glasses.yaml").write_text(text.replace("layers: [-2]", "layers: [-1]").replace("0.001", "0.002"))
    workshop.study(SMALL.replace("[eyes]", "[eyes, glasses]"))
    return workshop


def test_a_study_without_confounds_is_fine_by_every_measure(workshop: Workshop):
    workshop.study(SMALL)
    done = workshop.vertebra("audit", "small.yaml", "--strict")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "small: 2 arms, no confound."
    assert not workshop.store.exists()


def test_confounds_come_first_with_values_arms_and_what_they_do(other_eyes: Workshop):
    done = other_eyes.vertebra("audit", "small.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:7] == [
        "small: 4 arms, 1 confound.",
        "",
        "Confounds: neither backbone, family nor seed asks for them",
        "- learning rate (pretrain): 0.001 (eyes); 0.002 (glasses). A rate that suits one",
        "  arm better looks like a better backbone or family.",
        "",
        "Unavoidable: they come with what is swapped",
    ]
    assert "- layers: -2 (eyes); -1 (glasses)" in done.stdout


def test_strict_ends_with_three_when_there_is_a_confound(other_eyes: Workshop):
    done = other_eyes.vertebra("audit", "small.yaml", "--strict", "--json")
    assert done.returncode == 3
    assert "1 confound between the arms of small: learning_rate." in " ".join(done.stderr.split())
    assert json.loads(done.stdout)["confounds"] == 1


def test_json_has_every_difference_with_its_places(other_eyes: Workshop):
    found = json.loads(other_eyes.vertebra("audit", "small.yaml", "--json").stdout)
    assert found["arms"] == [f"{family}/{name}/seed0" for family in ("eyes", "glasses") for name in ("ada", "bob")]
    assert found["differences"][0] == {
        "kind": "confound",
        "between": "families",
        "field": "learning_rate",
        "places": [{"within": "ada", "parts": ["pretrain"]}, {"within": "bob", "parts": ["pretrain"]}],
        "values": [{"value": 0.001, "arms": ["eyes"]}, {"value": 0.002, "arms": ["glasses"]}],
        "why": "A rate that suits one arm better looks like a better backbone or family.",
    }


@pytest.mark.parametrize("name", ["published", "miniature", "llm-backbones"])
def test_what_is_shipped_fits_80_columns(workshop: Workshop, name: str):
    done = workshop.vertebra("audit", name)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_published_study_is_refused_when_one_is_strict(workshop: Workshop):
    done = workshop.vertebra("audit", "published", "--strict")
    assert done.returncode == 3
    assert done.stdout.startswith("published: 8 arms, 14 confounds.")
    assert "- order (llava-1.5 finetune): by_modality (vicuna-7b, vicuna-13b, phi-3-mini);" in done.stdout
    assert json.loads(workshop.vertebra("audit", "published", "--json").stdout)["sources"]


def test_settings_of_ones_own_are_a_yaml_file(workshop: Workshop):
    (workshop.root / "theirs.yaml").write_text(SETTINGS)
    done = workshop.vertebra("audit", "theirs.yaml")
    assert done.stdout.splitlines()[3].startswith("- learning rate (pretrain): 0.001 (a); 0.002 (b).")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("publishd", "Did you mean 'published'?"), ("miniatur", "Did you mean 'miniature'?"), ("no.yaml", "no.yaml")],
)
def test_an_unknown_name_ends_with_two_and_a_hint(workshop: Workshop, name: str, hint: str):
    done = workshop.vertebra("audit", name)
    assert done.returncode == 2
    assert hint in " ".join(done.stderr.split())


def test_a_misspelled_setting_names_file_and_line(workshop: Workshop):
    (workshop.root / "theirs.yaml").write_text(SETTINGS.replace("says", "sais", 1))
    done = workshop.vertebra("audit", "theirs.yaml")
    assert done.returncode == 2
    assert "theirs.yaml:3" in done.stderr


def test_a_data_folder_that_is_not_there_is_said(workshop: Workshop):
    assert workshop.vertebra("audit", "miniature", "--data", "nowhere").returncode == 4


def test_auditing_never_imports_torch():
    code = (
        "import sys\nsys.argv = ['vertebra', 'audit', 'miniature']\nfrom vertebra.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
