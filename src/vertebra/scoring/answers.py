"""Answers as LLaVA's runners write them, one JSON object a line:

    {"question_id": 1, "prompt": "Is there a snowboard in the image?\\n...", "text": "No",
     "answer_id": "3wn9aPE3PL7qsd7mzWnuyL", "model_id": "llava-v1.5-13b", "metadata": {}}

Only `question_id` and `text` must be there (ViP-LLaVA's runner stores no prompt). Ids are compared as text, because
the runners write 1 for some benchmarks and "1" for others. A `.json` file may hold {id: text} instead, as MM-Vet's and
ViP-Bench's official tools take it:

    {"v1_0": "x = -1 or x = -5", "v1_1": "..."}
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring.benchmark import Answer, Benchmark
from vertebra.scoring.records import json_lines, json_mapping


def read_answers(path: Path, benchmark: Benchmark, ids: Collection[str]) -> dict[str, Answer]:
    """Question id -> answer, in the order of the file. `ids` are those of the benchmark's questions.

    `DataError` naming file and line for rows that are not answers, for an id that the benchmark does not have, and
    for a second answer to a question where no official scorer says which one counts.
    """
    ids = frozenset(ids)
    answers: dict[str, Answer] = {}
    for where, question, answer in _rows(path):
        if question not in ids:
            question = benchmark.id_prefix + question
        if question not in ids:
            raise DataError(
                f"{where}: {benchmark.name} has no question {question!r}. "
                "These look to be answers to another benchmark, or to another release of it."
            )
        if question in answers and benchmark.repeats == "refuse":
            raise DataError(f"{where}: question {question!r} is answered twice. Remove one of the answers.")
        answers[question] = answer
    return answers


def _rows(path: Path) -> Iterator[tuple[str, str, Answer]]:
    """Where each answer stands, its question's id as written, and the answer."""
    by_id = _mapping(path) if path.suffix == ".json" else None
    if by_id is None:
        for number, row in json_lines(path):
            yield f"{path}:{number}", *_answer(row, path, number)
    else:
        for question, text in by_id.items():
            if not isinstance(text, str):
                raise DataError(f"{path}: the answer to {question!r} must be text, found {type(text).__name__}.")
            yield str(path), question, Answer(text)


def _mapping(path: Path) -> dict[str, object] | None:
    """The {id: text} that a file is; None where it is something else."""
    try:
        found = json_mapping(path)
    except DataError:
        return None  # read as lines it is refused, or understood, line by line
    return None if "question_id" in found else found


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
