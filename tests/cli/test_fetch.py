"""`vertebra fetch`, and `vertebra check` of a benchmark's and a mixture's files, as people run them."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from vertebra import benchmarks
from vertebra.catalog import Catalog
from vertebra.cli.names import kind_of
from vertebra.errors import ConfigError, UnknownName
from vertebra.miniature import benchmarks as miniature


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vertebra", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "gqa").mkdir()
    miniature.gqa(random.Random(0), folder / "gqa", 2)
    return folder


def test_a_benchmark_that_is_not_its_release_is_told_with_exit_4(data):
    done = run("check", "gqa", "--data", data, "--json")
    assert done.returncode == 4
    report = json.loads(done.stdout)
    assert (report["benchmark"], report["protocol"], report["passed"]) == ("gqa", "testdev_balanced", False)
    assert {check["name"]: check["passed"] for check in report["checks"]} == {
        "release": False,
        "checksums": True,
        "pictures": True,
    }
    assert "Traceback" not in done.stderr


def test_the_folder_itself_will_do(data):
    assert json.loads(run("check", "gqa", "--data", data / "gqa", "--json").stdout)["questions"] == 8


def test_prompts_are_printed_as_they_are_asked(data):
    done = run("check", "gqa", "--data", data, "--prompt", "--show", 2, "--json")
    assert done.returncode == 0
    prompts = json.loads(done.stdout)["prompts"]
    assert [prompt["id"] for prompt in prompts] == ["00000000", "00000007"]
    assert prompts[0]["text"].endswith("\nAnswer the question using a single word or phrase.")
    assert run("check", "gqa", "--data", data, "--prompt").stdout.count("--- ") == 3


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["check", "gqa"], 2, "--data DIR"),
        (["check", "popee"], 2, "Did you mean 'pope'"),
        (["check", "gqa", "--data", "nowhere"], 4, "does not exist"),
        (["check", "gqa", "--data", "."], 4, "vertebra fetch gqa"),
        (["check", "gqa", "--data", ".", "--tokens", "out"], 2, "are for backbones"),
        (["check", "phi-3-mini", "--prompt"], 2, "--prompt is for benchmarks"),
        (["check", "llava-mix-665k", "--data", "."], 4, "llava_v1_5_mix665k.json"),
        (["fetch", "nothing"], 2, "Known: "),
        (["fetch", "phi-3-mini", "--source", "hub"], 2, "--source is for benchmarks"),
        (["fetch", "gqa", "--source", "official"], 2, "source of gqa"),
    ],
)
def test_what_cannot_be_is_one_paragraph(arguments, code, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, VERTEBRA_DATA="") if "--data" in arguments else run(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert told in " ".join(done.stderr.split())


@pytest.mark.parametrize("name", ["all", "gqa", "v7w", "phi-3-mini", "llava-1.5", "llava-pretrain-558k"])
def test_without_a_network_fetch_says_where_to_run_it(name, tmp_path):
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    done = run("fetch", name, "--data", tmp_path / "data", **offline)
    assert (done.returncode, "Traceback" in done.stderr) == (4, False), done.stderr
    assert "where there is internet" in " ".join(done.stderr.split())
    assert not (tmp_path / "data" / name).exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_what_is_kept(number, code, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"HF_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}", "HF_HOME": str(tmp_path / "cache")}
        command = [sys.executable, "-m", "vertebra", "fetch", "vip_bench_bbox", "--data", str(tmp_path / "data")]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **settings}) as running:
            silent.settimeout(60)
            with silent.accept()[0]:  # and never says a word
                running.send_signal(number)
                _, told = running.communicate(timeout=60)
    assert (running.returncode, "Traceback" in told) == (code, False), told
    assert "the same command goes on" in " ".join(told.split())
    assert not (tmp_path / "data" / "vip_bench_bbox").exists()


def test_no_name_stands_for_two_things():
    catalog = Catalog.installed()
    shelves = [benchmarks.names(), *(catalog.names(shelf) for shelf in ("backbones", "families", "mixtures"))]
    names = [name for shelf in shelves for name in shelf]
    assert len(names) == len(set(names))
    assert kind_of("pope", catalog, ("backbone", "benchmark")) == "benchmark"
    with pytest.raises(UnknownName):
        kind_of("pope", catalog, ("backbone", "mixture"))


def test_a_name_of_two_things_is_refused(tmp_path):
    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones" / "pope.yaml").touch()
    with pytest.raises(ConfigError, match="a backbone and a benchmark"):
        kind_of("pope", Catalog.installed().with_folder(tmp_path), ("backbone", "benchmark"))
