"""Killed at 200 moments, a run of 300 questions loses no answer and repeats no batch but the one it was at."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.predict.test_step import bench, furnish, scienceqa

QUESTIONS, KILLS, TOKENS = 300, 200, 150

ROOT = Path(__file__).parents[2]

KILLED = """
import hashlib, json, sys
from pathlib import Path
from tests.killing import until_done
from vertebra.asking.questions import questions_of
from vertebra.bench import Bench
from vertebra.predict import predict, step
from vertebra.predict.shared import Shared
from vertebra.runtime import Runtime

whole = Shared.answers

def work(document, tell):
    def answers(self, prepared):
        tell(hashlib.sha256(repr(questions_of(prepared.batch)).encode()).hexdigest())
        return whole(self, prepared)

    Shared.answers = answers
    predict(Bench.read(document, lambda *_, **__: None, lambda: False), Runtime(pack_tokens=PACK))

calm, killed, kills = map(json.loads, sys.argv[1:])
step._open(Path(calm["model"]), "cpu", 1)  # children find it open
runs = [until_done(work, *run, lambda rng: rng.random() < 0.7, 0.025) for run in ((calm, 0), (killed, kills))]
print(json.dumps(runs))
""".replace("PACK", str(TOKENS))


def test_two_hundred_kills_lose_nothing_and_double_nothing(tmp_path):
    furnish(tmp_path)
    scienceqa(tmp_path / "data" / "scienceqa", QUESTIONS, own_words=True)
    documents = [json.dumps(bench(tmp_path, name).document()) for name in ("calm", "killed")]
    words = [sys.executable, "-c", KILLED, *documents, str(KILLS)]
    output = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=600, cwd=ROOT).stdout
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
