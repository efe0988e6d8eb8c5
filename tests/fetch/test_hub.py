"""`vertebra fetch` with the hub's own clients, against a hub on loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.fetch.hub_server import COMMIT, serving
from tests.fetch.test_rows import CASES, RED, SEED, SEED_KINDS, write_dataset


@pytest.fixture(scope="module")
def repositories(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hub")
    vip, seed, mixture = folder / "vip", folder / "seed", folder / "mixture"
    (vip / "bbox" / "images").mkdir(parents=True)
    (vip / "bbox" / "images" / "v1_0.png").write_bytes(RED)
    (vip / "bbox" / "questions.jsonl").write_text(json.dumps({"question_id": 0, "image": "v1_0.png", "text": "t"}))
    question = {"image": "v1_0.png", "question": "q", "answer": "a", "capability": ["ocr"]}
    (vip / "vip-bench-meta-data.json").write_text(json.dumps({"v1_0": question}))
    seed.mkdir()
    asked = {**SEED, "question_id": "1", "data_id": "1_2", "data_type": "image", "question_type_id": 5}
    (seed / "SEED-Bench.json").write_text(json.dumps({"questions": [asked], "question_type": SEED_KINDS}))
    with ZipFile(seed / "SEED-Bench-image.zip", "w") as archive:
        archive.writestr("SEED-Bench-image/1_2", RED)
    phi = folder / "phi"
    phi.mkdir()
    for file in ("config.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin", "logo.png"):
        (phi / file).write_text("{}")
    mixture.mkdir()
    (mixture / "llava_v1_5_mix665k.json").write_text("[]")
    return {
        "lmms-lab/GQA": write_dataset(folder / "gqa", CASES["gqa"][0]),
        "mucai/ViP-Bench": vip,
        "microsoft/Phi-3-mini-4k-instruct": phi,
        "AILab-CVC/SEED-Bench": seed,
        "liuhaotian/LLaVA-Instruct-150K": mixture,
    }


@pytest.fixture
def fetch(repositories, tmp_path):
    def fetch(name: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        with serving(repositories) as (address, asked):
            settings = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_DISABLE_TELEMETRY": "1"}
            command = [sys.executable, "-m", "vertebra", "fetch", name, "--data", str(tmp_path / "data")]
            done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings}, check=False)
        return done, asked

    return fetch


def test_rows_come_from_the_name_that_exists_and_their_revision_is_noted(fetch, tmp_path):
    done, asked = fetch("gqa")
    assert "12,578" in done.stderr  # one question is not the release
    assert done.returncode == 4
    assert (tmp_path / "data/gqa/images/n1.jpg").read_bytes() == RED
    note = json.loads((tmp_path / "data/gqa/source.json").read_text())
    assert note["parts"][0]["dataset"] == "lmms-lab/GQA"
    assert all(f"lmms-lab/GQA@{COMMIT}/" in file for file in note["parts"][0]["files"])
    assert any("lmms-lab-encoder/GQA" in line for line in asked)
    again, asked = fetch("gqa")
    assert (again.returncode, asked) == (4, [])  # what is there is looked at, not fetched


def test_official_files_of_a_repository_arrive_where_they_belong(fetch, tmp_path):
    done, _ = fetch("vip_bench_bbox")
    assert "1 questions on 1 pictures, where release ViP-Bench has 303" in " ".join(done.stderr.split())
    home = tmp_path / "data" / "vip_bench_bbox"
    found = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    assert found == ["bbox/images/v1_0.png", "bbox/questions.jsonl", "source.json", "vip-bench-meta-data.json"]


def test_an_archive_of_pictures_is_unpacked_and_not_kept(fetch, tmp_path):
    fetch("seed_img")
    home = tmp_path / "data" / "seed_img"
    assert sorted(path.name for path in home.iterdir()) == ["SEED-Bench-image", "SEED-Bench.json", "source.json"]
    assert (home / "SEED-Bench-image" / "1_2").read_bytes() == RED


def test_a_repository_without_the_files_leaves_nothing_that_looks_whole(fetch, tmp_path):
    done, _ = fetch("vip_bench_human")
    assert done.returncode == 4
    assert "official has no human/questions.jsonl" in " ".join(done.stderr.split())
    assert not (tmp_path / "data" / "vip_bench_human").exists()


def test_a_mixtures_records_arrive(fetch, tmp_path):
    done, _ = fetch("llava-mix-665k")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "llava_v1_5_mix665k.json").read_text() == "[]"


def test_a_dataset_that_no_name_leads_to_is_told_with_both(fetch):
    done, _ = fetch("vizwiz")
    assert done.returncode == 4
    assert "The hub has no lmms-lab-encoder/VizWiz-VQA or lmms-lab/VizWiz-VQA" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_weights_go_to_the_hubs_cache_and_pickles_stay_where_there_are_safetensors(fetch, tmp_path):
    done, _ = fetch("phi-3-mini")
    assert done.returncode == 0, done.stderr
    found = {path.name for path in (tmp_path / "cache").rglob("snapshots/*/*")}
    assert found == {"config.json", "tokenizer.json", "model.safetensors"}
