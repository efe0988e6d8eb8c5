"""How a study is run, as a person says it: by a file, by settings, by options."""

import json
from pathlib import Path

import pytest
from tests.conftest import Workshop, pretend

from vertebra.cli.runtime import read_runtime
from vertebra.errors import ConfigError
from vertebra.runtime import Runtime

SMALL = "families: [eyes]\nbackbones: [ada]\nbenchmarks: [pope]\ndata: pope\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "machine.yaml"
    path.write_text(text)
    return path


def test_a_file_yields_to_a_setting_and_a_setting_to_an_option(tmp_path: Path) -> None:
    file = written(tmp_path, "devices: 2\nworkers: 2\ncheckpoint_seconds: 2\ntracking: [wandb]\n")
    runtime = read_runtime(file, ["workers=3", "checkpoint_seconds=3"], {"workers": 4, "data": None})
    assert runtime == Runtime(devices=2, workers=4, checkpoint_seconds=3, tracking=("wandb",))


def test_what_was_not_given_is_not_told_as_given() -> None:
    assert read_runtime(None, ["devices=2"], {"workers": None}).model_fields_set == {"devices"}


def test_a_misspelt_key_is_told_with_file_and_line(tmp_path: Path) -> None:
    file = written(tmp_path, "devices: 2\npack_token: 8192\n")
    with pytest.raises(
        ConfigError, match=r"machine\.yaml:2: no field is named 'pack_token'\. Did you mean 'pack_tokens'"
    ):
        read_runtime(file, (), {})


def test_an_option_that_is_no_finite_number_is_told_by_its_name() -> None:
    with pytest.raises(ConfigError, match=r"^--checkpoint-seconds: `checkpoint_seconds`: input should be a finite"):
        read_runtime(None, (), {"checkpoint_seconds": float("inf")})


def test_settings_are_recorded_with_each_step_that_ran(workshop: Workshop) -> None:
    pretend(workshop, workshop.study(SMALL))
    written(workshop.root, "workers: 1\nlauncher: [srun, torchrun]\n")
    more = ("--runtime", "machine.yaml", "--set", "packing=padded")
    done = workshop.vertebra("run", "small.yaml", "--store", "store", *more)
    assert done.returncode == 0, done.stderr
    folder = next(path.parent for path in workshop.store.glob("steps/*/step.json") if "data/pope" in path.read_text())
    runtime = json.loads((folder / "run.json").read_text())["runtime"]
    assert (runtime["workers"], runtime["launcher"], runtime["packing"]) == (1, ["srun", "torchrun"], "padded")


def test_the_data_folder_may_be_named_in_the_file(workshop: Workshop) -> None:
    workshop.study(SMALL.replace("data: pope\n", ""))
    written(workshop.root, "data: here\n")
    (workshop.root / "here").mkdir()
    done = workshop.vertebra("run", "small.yaml", "--store", "store", "--runtime", "machine.yaml")
    assert done.returncode == 4
    assert "/here/pope/coco_pope_popular.json" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--set", "devcies=2"], "error: --set devcies=2: no field is named 'devcies'. Did you mean 'devices'?"),
        (["--set", "devices=none"], "error: --set devices=none: `devices`: input should be a valid integer"),
        (["--runtime", "absent.yaml"], "'absent.yaml' does not exist"),
    ],
)
def test_a_mistake_ends_with_two_before_anything_is_written(
    workshop: Workshop, arguments: list[str], complaint: str
) -> None:
    workshop.study(SMALL)
    done = workshop.vertebra("run", "small.yaml", "--store", "store", *arguments)
    assert done.returncode == 2
    assert complaint in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not workshop.store.exists()
