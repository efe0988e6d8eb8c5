"""Answers as LLaVA's runners write them, one JSON object a line:

    {"question_id": 1, "prompt": "Is there a snowboard in the image?\\n...", "text": "No",
     "answer_id": "3wn9aPE3PL7qsd7mzWnuyL", "model_id": "llava-v1.5-13b", "metadata": {}}

Only `question_id` and `text` must be there (ViP-LLaVA's runner stores no prompt). Ids are compared as text, because
the runners write 1 for some benchmarks and "1" for others.
"""

from collections.abc import Sequence
from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring.benchmark import Answer, Benchmark, Sample
from vertebra.scoring.records import json_lines


def read_answers(path: Path, benchmark: Benchmark, samples: Sequence[Sample]) -> dict[str, Answer]:
    """Question id -> answer, in the order of the file. `samples` are the benchmark's questions.

    `DataError` naming file and line for rows that are not answers, for an answer to a question that the benchmark does
    not have, and for a second answer to a question where no official scorer says which one counts.
    """
    find = benchmark.find(samples)
    answers: dict[str, Answer] = {}
    for number, row in json_lines(path):
        name, answer = _answer(row, path, number)
        question = find(name, answer.prompt)
        if question is None:
            prompt = f" with the prompt {answer.prompt[:80]!r}" if answer.prompt else ""
            raise DataError(
                f"{path}:{number}: {benchmark.name} has no question {name!r}{prompt}. "
                "These look to be answers to another benchmark, or to another release of it."
            )
        if question in answers and benchmark.repeats == "refuse":
            raise DataError(f"{path}:{number}: question {question!r} is answered twice. Remove one of the answers.")
        answers[question] = answer
    return answers


def _answer(row: dict[str, object], path: Path, number: int) -> tuple[str, Answer]:
    question, text, prompt = row.get("question_id"), row.get("text"), row.get("prompt", "")
    if isinstance(question, bool) or not isinstance(question, int | str):
        raise DataError(f"{path}:{number}: `question_id` must be a number or text. {_EXPECTED}")
    if not isinstance(text, str):
        raise DataError(f"{path}:{number}: `text`, the answer, must be text. {_EXPECTED}")
    if not isinstance(prompt, str):
        raise DataError(f"{path}:{number}: `prompt` must be text. {_EXPECTED}")
    return str(question), Answer(text, prompt)


_EXPECTED = "Expected LLaVA's answers JSONL: question_id, prompt, text, answer_id, model_id, metadata."
