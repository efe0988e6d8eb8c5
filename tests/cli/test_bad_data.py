"""Broken data, met by `vertebra run` deep in a worker: one paragraph, the contract's exit code, nothing half-done."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vertebra.miniature.data import make_pocket
from vertebra.store import Store

STUDY = """study: broken
families: [tiny-llava-1.5]
backbones: [tiny-vicuna-s]
benchmarks: [pope]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_pocket(folder, lambda done, total: None)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of them run, so that the backbone is checked once."""
    return tmp_path_factory.mktemp("broken") / "store"


def test_an_image_that_does_not_decode_is_named_with_its_record(store: Path, data: Path) -> None:
    image = data / "train" / "images" / "00007.png"
    whole = image.read_bytes()
    image.write_bytes(whole[:60])
    ran = run(store, data)
    image.write_bytes(whole)
    assert ran.returncode == 4
    assert "00007.png" in ran.stderr.replace("\n", "")
    said = " ".join(ran.stderr.split())
    assert "record caption-7" in said
    assert f"`vertebra check tiny-captions --data {data.resolve()} --exclude`" in said
    assert "Traceback" not in ran.stderr
    assert [record["label"] for _, record in Store(store).finished()] == ["check/tiny-vicuna-s"]


def test_records_without_their_pictures_are_told_by_file_and_record(store: Path, data: Path) -> None:
    records = data / "train" / "captions.json"
    whole = records.read_text()
    records.write_text(json.dumps([{**row, "image": "nowhere.png"} for row in json.loads(whole)]))
    ran = run(store, data)
    records.write_text(whole)
    assert ran.returncode == 4
    assert "lack a file, the first is train/captions.json: record 0 (id caption-0): " in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr
    assert [record["label"] for _, record in Store(store).finished()] == ["check/tiny-vicuna-s"]


def run(store: Path, data: Path) -> subprocess.CompletedProcess[str]:
    study = store.with_name("broken.yaml")
    study.write_text(STUDY)
    command = [sys.executable, "-m", "vertebra", "run", str(study), "--data", str(data), "--store", str(store)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
