"""Killed at 200 moments, a run of 300 questions loses no answer and repeats no batch but the one it was at."""

import json
import subprocess
import sys
from collections import Counter

from tests.predict.test_step import bench, furnish, scienceqa

QUESTIONS, KILLS, TOKENS = 300, 200, 150

KILLED = """
import hashlib, json, os, random, signal, sys, time
from pathlib import Path
from vertebra.asking.questions import questions_of
from vertebra.bench import Bench
from vertebra.predict import predict, step
from vertebra.predict.shared import Shared
from vertebra.spec import Runtime

whole = Shared.answers

def work(document, pipe):
    def answers(self, prepared):
        asked = hashlib.sha256(repr(questions_of(prepared.batch)).encode()).hexdigest()
        os.write(pipe, f"{asked}\\n".encode())
        return whole(self, prepared)

    Shared.answers = answers
    try:
        predict(Bench.read(document, lambda *_, **__: None, lambda: False), Runtime(pack_tokens=PACK))
    finally:
        os._exit(0)

def run(document, kills, rng):
    told, landed = [], 0
    while True:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            work(document, write)
        os.close(write)
        with os.fdopen(read) as lines:
            if landed < kills:
                if rng.random() < 0.7:
                    told.append(lines.readline())
                time.sleep(rng.random() / 40)
                os.kill(child, signal.SIGKILL)
            told += lines
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            return told, landed
        landed += 1

calm, killed, kills = map(json.loads, sys.argv[1:])
step._open(Path(calm["model"]), "cpu", 1)  # children find it open
print(json.dumps([run(calm, 0, None), run(killed, kills, random.Random(7))]))
""".replace("PACK", str(TOKENS))


def test_two_hundred_kills_lose_nothing_and_double_nothing(tmp_path):
    furnish(tmp_path)
    scienceqa(tmp_path / "data" / "scienceqa", QUESTIONS, own_words=True)
    documents = [json.dumps(bench(tmp_path, name).document()) for name in ("calm", "killed")]
    words = [sys.executable, "-c", KILLED, *documents, str(KILLS)]
    output = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=600).stdout
    (calm, _), (told, kills) = json.loads(output)
    assert kills == KILLS
    assert len(calm) == len({*calm}) > 90
    assert len(told) > len(calm), "something was asked again"
    assert {*told} == {*calm}, "the same batches"
    assert sum(Counter(told).values()) - len(calm) <= KILLS, "at most one batch a kill"
    keys = {}
    for name in ("calm", "killed"):
        rows = [json.loads(line) for line in (tmp_path / name / "answers" / "1-of-1.jsonl").read_text().splitlines()]
        keys[name] = [key for row in rows for key in row["answers"]]
    assert keys["killed"] == keys["calm"]
    assert len({*keys["killed"]}) == len(keys["killed"]) == QUESTIONS, "none is lost, none is there twice"
    results = [(tmp_path / name / "out" / "answers.jsonl").read_bytes() for name in ("calm", "killed")]
    assert results[0] == results[1]
    assert results[0].count(b"\n") == QUESTIONS
