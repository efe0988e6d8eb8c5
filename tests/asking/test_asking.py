"""Asking: once what is the same, in order, by several processes, and what a stop or a broken picture leaves."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertebra.asking.asking import ask
from vertebra.asking.ledger import Ledger
from vertebra.asking.questions import Batch, Decoding, Picture, Question, by_picture, questions_of
from vertebra.errors import DataError, Stopped
from vertebra.runtime import Part


class Echo:
    """Answers with what it was asked, three small batches ahead; a picture whose digest is empty is broken."""

    ahead = 3

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def batches(self, questions: Sequence[Question]) -> list[Batch]:
        return by_picture(questions, 200, 10)

    def prepare(self, batch: Batch) -> Batch:
        if any(group.picture and not group.picture.digest for group in batch):
            raise DataError("a picture is broken")
        return batch

    def answers(self, prepared: Batch) -> list[str]:
        asked = [question.text for question in questions_of(prepared)]
        self.asked.append(asked)
        return [text.upper() for text in asked]


def question(number: int, where: str = "") -> Question:
    return Question(f"what {number}", Picture(Path("p"), f"{number // 4}"), Decoding(2), where or f"q{number}")


def key(question: Question) -> str:
    return question.key("")


def keyed(questions: Sequence[Question]) -> dict[Question, str]:
    return {question: key(question) for question in questions}


def put(folder: Path, questions: Sequence[Question], part: Part = Part(), stop_after: int = 10**9) -> Echo:  # noqa: B008
    echo, told = Echo(), []
    ask(lambda: echo, keyed(questions), Ledger(folder, f"{part.number}-of-{part.of}"), told.append,
        lambda: len(told) >= stop_after, part)  # fmt: skip
    return echo


def test_what_is_the_same_is_asked_once_and_all_have_an_answer(tmp_path):
    questions = [question(number % 10, f"b{number}") for number in range(30)]
    echo = put(tmp_path, questions)
    assert sorted(text for batch in echo.asked for text in batch) == sorted(f"what {number}" for number in range(10))
    answers = Ledger(tmp_path).answers
    assert [answers[key(each)] for each in questions] == [each.text.upper() for each in questions]


def test_a_model_is_not_opened_when_all_is_known(tmp_path):
    put(tmp_path, [question(number) for number in range(9)])
    opened: list[int] = []
    ask(lambda: opened.append(1) or Echo(), keyed([question(3)]), Ledger(tmp_path), print, bool, Part())
    assert opened == []


@settings(max_examples=40, deadline=None)
@given(stops=st.lists(st.integers(0, 5), max_size=6), number=st.integers(1, 40), known=st.integers(0, 10))
def test_however_often_it_is_stopped_the_batches_are_those_of_a_calm_run(tmp_path_factory, stops, number, known):
    calm, stopped = tmp_path_factory.mktemp("calm"), tmp_path_factory.mktemp("stopped")
    questions = [question(each) for each in range(number)]
    for folder in (calm, stopped):
        put(folder, questions[number // 2 : number // 2 + known])  # of another step
    put(calm, questions)
    for after in stops:
        with contextlib.suppress(Stopped):
            put(stopped, questions, stop_after=after)
    put(stopped, questions)
    without_time = [
        [line.partition('"seconds"')[0] for line in (folder / "1-of-1.jsonl").read_text().splitlines()]
        for folder in (calm, stopped)
    ]
    assert without_time[0] == without_time[1]


@settings(max_examples=40, deadline=None)
@given(number=st.integers(1, 60), of=st.integers(1, 7))
def test_parts_are_apart_and_together_everything(tmp_path_factory, number, of):
    folder = tmp_path_factory.mktemp("parts")
    questions = [question(each) for each in range(number)]
    asked = [put(folder, questions, Part(each + 1, of)).asked for each in range(of)]
    flat = [text for echo in asked for batch in echo for text in batch]
    assert sorted(flat) == sorted(each.text for each in questions)
    assert max(map(len, asked)) - min(map(len, asked)) <= 1
    assert put(folder, questions).asked == []


def test_a_broken_picture_ends_it_and_loses_no_answer_before(tmp_path):
    questions = [question(number) for number in range(40)]
    broken = Question("what?", Picture(Path("p"), ""), Decoding(2), "broken")
    with pytest.raises(DataError, match="a picture is broken"):
        put(tmp_path, [*questions[:20], broken, *questions[20:]])
    answers = Ledger(tmp_path).answers
    assert 0 < len(answers) < 40
    assert all(answers.get(key(each)) in (None, each.text.upper()) for each in questions)
