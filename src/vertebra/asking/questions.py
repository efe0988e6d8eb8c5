"""What a model is asked, whichever benchmark asks it, and in which order.

    Question("Is there a dog?", Picture("val2014/1.jpg", "9f…", ()), Decoding(16), "pope: question 12")

Two questions with the same text, picture and decoding are one: it is asked once. Those about one picture are asked
together, so that the picture is read once. What is asked together follows from the questions alone.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from vertebra.spec import canonical
from vertebra.visual.marks import Mark

_BYTES_PER_TOKEN = 3
"""Of a text in UTF-8, about; what is counted by it decides only how much is asked at a time."""
_FRAME_TOKENS = 64
"""Of a chat format around a question, about."""


class Decoding(NamedTuple):
    """How an answer is found."""

    max_new_tokens: int
    temperature: float = 0.0
    """Above 0 an answer is drawn by chance."""
    seed: int = 0
    """Of that chance; the question's own, so that what is asked beside it does not matter."""
    beams: int = 1


class Picture(NamedTuple):
    """What is seen: a file, and what is drawn on it."""

    path: Path
    digest: str
    """SHA-256 of the file's bytes."""
    marks: tuple[Mark, ...] = ()

    @property
    def content(self) -> tuple[str, tuple[Mark, ...]]:
        """What is to be seen, wherever the file lies."""
        return self.digest, self.marks


class Question(NamedTuple):
    """What is asked."""

    text: str
    picture: Picture | None
    decoding: Decoding
    where: str
    """The benchmark and its name for the question, for complaints; it decides nothing."""

    def key(self, of: str) -> str:
        """What the answer is kept under: 40 hex digits, decided by `of` (the model) and all that it is asked."""
        seen = f"{self.picture.digest} {_spelled(self.picture.marks)}" if self.picture else ""
        asked = f"{of}\n{seen}\n{' '.join(map(str, self.decoding))}\n{self.text}"
        return hashlib.sha256(asked.encode(errors="backslashreplace")).hexdigest()[:40]

    @property
    def tokens(self) -> int:
        """About how many its text takes."""
        return _FRAME_TOKENS + len(self.text.encode(errors="replace")) // _BYTES_PER_TOKEN


class Group(NamedTuple):
    """Questions about one picture, or about none."""

    picture: Picture | None
    questions: tuple[Question, ...]


Batch = tuple[Group, ...]
"""What is asked together."""


def _spelled(marks: tuple[Mark, ...]) -> str:
    return canonical([asdict(mark) for mark in marks]) if marks else ""


def questions_of(batch: Batch) -> list[Question]:
    """All of a batch, in its order."""
    return [question for group in batch for question in group.questions]


def grouped(questions: Iterable[Question]) -> list[Group]:
    """The questions by what they are about, in the order in which that first came up."""
    found: dict[tuple[str, tuple[Mark, ...]] | None, list[Question]] = {}
    for question in questions:
        found.setdefault(question.picture and question.picture.content, []).append(question)
    return [Group(together[0].picture, tuple(together)) for together in found.values()]


def by_picture(questions: Iterable[Question], tokens: int, picture_tokens: int) -> list[Batch]:
    """Batches of about so many tokens at most, what is about one picture together where it fits."""
    batches: list[Batch] = []
    batch: list[Group] = []
    room = tokens
    for group in _fitting(grouped(questions), tokens, picture_tokens):
        needed = _needed(group, picture_tokens)
        if batch and needed > room:
            batches.append(tuple(batch))
            batch, room = [], tokens
        batch.append(group)
        room -= needed
    return [*batches, tuple(batch)] if batch else batches


def by_length(questions: Iterable[Question], size: int) -> list[Batch]:
    """Batches of so many questions of alike length, for what has to be padded."""
    ordered = sorted(questions, key=lambda question: (question.picture is None, len(question.text), question.text))
    return [tuple(grouped(ordered[start : start + size])) for start in range(0, len(ordered), size)]


def one_by_one(questions: Iterable[Question]) -> list[Batch]:
    """Batches of one question."""
    return [(Group(question.picture, (question,)),) for question in questions]


def halves(batch: Batch) -> tuple[Batch, Batch] | None:
    """Two smaller batches, or None for a batch of one question."""
    if len(batch) > 1:
        return batch[: len(batch) // 2], batch[len(batch) // 2 :]
    ((picture, questions),) = batch
    if len(questions) == 1:
        return None
    half = len(questions) // 2
    return (Group(picture, questions[:half]),), (Group(picture, questions[half:]),)


def _needed(group: Group, picture_tokens: int) -> int:
    seen = picture_tokens if group.picture else 0
    return seen + sum(question.tokens for question in group.questions)


def _fitting(groups: Sequence[Group], tokens: int, picture_tokens: int) -> Iterator[Group]:
    """The groups, those cut that are larger than a batch."""
    for picture, questions in groups:
        room = tokens - (picture_tokens if picture else 0)
        part: list[Question] = []
        taken = 0
        for question in questions:
            if part and taken + question.tokens > room:
                yield Group(picture, tuple(part))
                part, taken = [], 0
            part.append(question)
            taken += question.tokens
        yield Group(picture, tuple(part))
