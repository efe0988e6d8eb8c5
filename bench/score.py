"""How many VQA-style answers a second one core scores: made-up VQAv2 files of the size of the real ones.

Answers of annotators and model are drawn from a long-tailed vocabulary, as in VQAv2, where few answers make up most;
one in ten is a sentence that recurs nowhere.

    loaded     answers a second once questions and answers are in memory: grading and all metrics
    command    answers a second of the whole `vertebra score vqav2 --json`, a process from its start to its end

`equal`: 1,000 of the verdicts again with every memory of a text forgotten.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measurement import Arm, Measurement
from vertebra.benchmarks import benchmark
from vertebra.benchmarks.vqav2 import ANNOTATIONS, QUESTIONS
from vertebra.collector import uncollected
from vertebra.scoring import normalise, scorecard
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import Answer, Sample, Verdict

_ROWS = 447_793
_BAR = 100_000
_SECONDS = 20
_WORDS = [f"{color} {thing}" for color in ("", "red", "2", "a big", "no") for thing in map(str, range(600))]


def measure(small: bool) -> Measurement:
    """Answers a second; ratios are to 100,000 a second once loaded, and to 20 seconds for the whole command."""
    rows = 2_000 if small else _ROWS
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write(folder, rows)
        chosen = benchmark("vqav2")
        with uncollected():
            questions = chosen.load(folder)
            answers = read_answers(folder / "answers.jsonl", chosen, questions)
            begin = time.perf_counter()
            verdicts = scorecard.judge(chosen, questions, answers)
            scorecard.scorecard(chosen, questions, verdicts)
            loaded = rows / (time.perf_counter() - begin)
        command = [sys.executable, "-m", "vertebra", "score", "vqav2", "--annotations", str(folder)]
        begin = time.perf_counter()
        subprocess.run(
            [*command, "--answers", str(folder / "answers.jsonl"), "--json"], check=True, capture_output=True
        )
        seconds = time.perf_counter() - begin
        equal = _forgotten_alike(random.Random(1).sample(range(rows), 1_000), questions, answers, verdicts)
    arms = {"loaded": Arm(round(loaded), "answers/s"), "command": Arm(round(rows / seconds), "answers/s")}
    ratios = {"loaded/bar": round(loaded / _BAR, 2), "command/bar": round(_SECONDS * rows / _ROWS / seconds, 2)}
    return Measurement(
        "score", arms, ratios, equal, [f"{rows:,} rows, one process, one thread; command {seconds:.1f} s"]
    )


def _write(folder: Path, rows: int) -> None:
    rng = random.Random(0)
    weights = [1 / (rank + 1) for rank in range(len(_WORDS))]
    said = rng.choices(_WORDS, weights, k=rows)
    questions, annotations, lines = [], [], []
    for number, truth in enumerate(said):
        ids = {"question_id": number, "image_id": number // 5}
        others = rng.choices(_WORDS, weights, k=3)
        given = [truth] * 7 + others
        annotations.append(
            {
                **ids,
                "answer_type": "other",
                "answers": [{"answer": text, "answer_id": at} for at, text in enumerate(given)],
            }
        )
        questions.append({**ids, "question": "What is it?"})
        text = f"It is {truth}, number {number}." if number % 10 == 0 else rng.choice(given).capitalize()
        lines.append(json.dumps({"question_id": number, "prompt": "What is it?", "text": text}) + "\n")
    (folder / QUESTIONS).write_text(json.dumps({"data_subtype": "val2014", "questions": questions}))
    (folder / ANNOTATIONS).write_text(json.dumps({"annotations": annotations}))
    (folder / "answers.jsonl").write_text("".join(lines))


def _forgotten_alike(
    places: Sequence[int], questions: Sequence[Sample], answers: Mapping[str, Answer], verdicts: Sequence[Verdict]
) -> bool:
    grade = benchmark("vqav2").grade
    for place in places:
        for remembered in (normalise.m4c, normalise.vqa):
            remembered.cache_clear()
        if grade(questions[place], answers[questions[place].id].text).score != verdicts[place].score:
            return False
    return True
