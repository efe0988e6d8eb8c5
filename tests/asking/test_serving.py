"""The answers of a checkpoint served by `transformers serve` are those that it gives in this process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.anatomy import assembled, talkative
from tests.predict.test_step import gqa

from vertebra.asking.endpoint import opened
from vertebra.asking.questions import Batch, Decoding, Picture, Question
from vertebra.data import Eyes
from vertebra.endpoint import Server
from vertebra.model import load, save
from vertebra.predict.local import Local
from vertebra.predict.padded import Padded
from vertebra.prefetching import prefetched
from vertebra.visual.marks import constant_mark
from vertebra.visual.regions import region

SECONDS_TO_START = 120


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model whose answers depend on all that it sees."""
    folder = tmp_path_factory.mktemp("served") / "model"
    save(talkative(assembled("vip_llava", "phi-3")), folder)
    return folder


@pytest.fixture(scope="module")
def url(checkpoint: Path) -> Iterator[str]:
    """Where it is served, on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["transformers.cli.transformers", "serve", str(checkpoint), "--host=127.0.0.1", f"--port={port}"]
    log = checkpoint.parent / "serve.log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--device=cpu"],
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def wait_for(health: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=1):  # noqa: S310
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"transformers serve did not start:\n{log.read_text()}")


def test_answers_through_an_endpoint_are_those_of_the_model_in_this_process(checkpoint, url, tmp_path):
    noise = np.random.default_rng(0)
    for name, shape in (("wide.png", (40, 90, 3)), ("tall.jpg", (80, 30, 3)), ("turned.jpg", (30, 70, 3))):
        exif = Image.Exif()
        exif[274] = 6 if name == "turned.jpg" else 1
        Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / name, exif=exif)
    marks = (constant_mark("rectangle", region((5, 5, 25, 30)), "red"),)
    seen = [Picture(tmp_path / name, name) for name in ("wide.png", "tall.jpg", "turned.jpg")]
    pictures = [None, *seen, seen[0]._replace(marks=marks), seen[1]._replace(marks=marks)]
    texts = ("What?", "What color is the seven?\nAnswer the question using a single word or phrase.", "Is it <b>?")
    questions = [Question(text, picture, Decoding(8), "") for picture in pictures for text in texts]

    with opened(Server(checkpoint.as_posix(), url, retries=0), 4, lambda: False) as endpoint:

        def asked(batch: Batch) -> str:
            return endpoint.answers(endpoint.prepare(batch))[0]

        batches = endpoint.batches(questions)
        through = [*prefetched(asked, batches, endpoint.ahead)]

    model = load(checkpoint)
    here = Padded(Local(model, Eyes.of(model, "pad")), 1)
    assert through == [here.answers(here.prepare(batch))[0] for batch in batches]
    assert len(set(through)) > 12


def test_an_evaluation_through_an_endpoint_is_the_one_of_the_checkpoint(checkpoint, url, tmp_path):
    noise = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8)).save(noise)
    gqa(tmp_path / "data" / "gqa", noise)
    found = []
    for words in ([str(checkpoint)], ["--endpoint", url, "--model", str(checkpoint)]):
        store = tmp_path / f"store-{len(found)}"
        options = ["--benchmarks", "gqa", "--data", str(tmp_path / "data"), "--store", str(store)]
        command = [sys.executable, "-m", "vertebra", "eval", *words, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (written,) = store.glob("steps/*/out/answers.jsonl")
        found.append([json.loads(line)["text"] for line in written.read_text().splitlines()])
    assert found[0] == found[1]
    assert len({*found[0]}) > 1
