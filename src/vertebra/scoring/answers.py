"""Answers as LLaVA's runners write them, one JSON object a line:

    {"question_id": 1, "prompt": "Is there a snowboard in the image?\\n...", "text": "No",
     "answer_id": "3wn9aPE3PL7qsd7mzWnuyL", "model_id": "llava-v1.5-13b", "metadata": {}}

Only `question_id` and `text` must be there (ViP-LLaVA's runner stores no prompt). Ids are compared as text, because
the runners write 1 for some benchmarks and "1" for others. A benchmark may name further forms (`Benchmark.forms`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring.benchmark import Answer, Benchmark, Given, Sample, by_id
from vertebra.scoring.records import json_lines, json_mapping


def read_answers(path: Path, benchmark: Benchmark, samples: Sequence[Sample]) -> dict[str, Answer]:
    """Sample id -> answer, in the order of the file.

    `DataError` naming file and line for rows that are not answers, for an answer to a question that the benchmark does
    not have, and for a second answer to a question where no official scorer says which one counts.
    """
    find = benchmark.find(samples)
    form = benchmark.forms.get("/" if path.is_dir() else path.suffix.lower(), llava)
    answers: dict[str, Answer] = {}
    for where, name, answer in form(path):
        found = find(name, answer.prompt)
        if found is None:
            raise DataError(
                f"{where}: {benchmark.name} has no question {name[:80]!r}{_likely(answer.prompt, benchmark)}"
            )
        for question in (found,) if isinstance(found, str) else found:
            if question in answers and benchmark.repeats == "refuse":
                raise DataError(f"{where}: question {name!r} is answered twice. Remove one of the answers.")
            answers[question] = answer
    return answers


def _likely(prompt: str, benchmark: Benchmark) -> str:
    if not prompt and benchmark.find is not by_id:
        return (
            ", and no `prompt` is stored beside the answer, by which the questions of this benchmark are told apart. "
            "Keep the prompts in the answers file, or take our own ids."
        )
    shown = f" with the prompt {prompt[:80]!r}" if prompt else ""
    return f"{shown}. These look to be answers to another benchmark, or to another release of it."


def llava(path: Path, *, field: str = "text") -> Iterator[Given]:
    """The rows of LLaVA's answers JSONL, or of one whose answers stand in another field."""
    home = str(path)
    for number, row in json_lines(path):
        yield _given(row, f"{home}:{number}", field if field in row else "text")


def by_question(path: Path) -> Iterator[Given]:
    """One JSON object {id: text}, as MM-Vet's and ViP-Bench's tools take it; any other file is read as LLaVA's."""
    try:
        found = json_mapping(path)
    except DataError:
        found = {"question_id": None}  # as lines it is understood, or refused line by line
    if "question_id" in found:
        yield from llava(path)
        return
    for question, text in found.items():
        if not isinstance(text, str):
            raise DataError(f"{path}: the answer to {question!r} must be text, found {type(text).__name__}.")
        yield Given(str(path), question, Answer(text))


def _given(row: dict[str, object], where: str, field: str) -> Given:
    question, text, prompt = row.get("question_id"), row.get(field), row.get("prompt", "")
    if isinstance(question, bool) or not isinstance(question, int | str):
        raise DataError(f"{where}: `question_id` must be a number or text. {_EXPECTED}")
    if not isinstance(text, str):
        raise DataError(f"{where}: `{field}`, the answer, must be text. {_EXPECTED}")
    if not isinstance(prompt, str):
        raise DataError(f"{where}: `prompt` must be text. {_EXPECTED}")
    return Given(where, str(question), Answer(text, prompt))


_EXPECTED = "Expected LLaVA's answers JSONL: question_id, prompt, text, answer_id, model_id, metadata."
