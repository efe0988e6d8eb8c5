"""What is asked together, and under which key an answer is kept."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.asking.questions import (
    Decoding,
    Picture,
    Question,
    by_length,
    by_picture,
    grouped,
    halves,
    one_by_one,
    questions_of,
)
from vertebra.visual.marks import constant_mark
from vertebra.visual.regions import region

MARKS = (constant_mark("rectangle", region((5, 5, 60, 30)), "red"),)


def picture(number: int, *marks: object) -> Picture:
    return Picture(Path(f"{number}.jpg"), f"{number:064x}", marks)


ASKED = Question("Is there a dog?", picture(1, *MARKS), Decoding(16), "pope, 12")
QUESTIONS = st.lists(
    st.builds(
        Question,
        st.text(max_size=200),
        st.one_of(st.none(), st.integers(0, 5).map(picture)),
        st.just(Decoding(3)),
        st.uuids().map(str),
    ),
    max_size=40,
)


@pytest.mark.parametrize(
    "other",
    [
        ASKED._replace(text="Is there a dog? "),
        ASKED._replace(text=""),
        ASKED._replace(picture=None),
        ASKED._replace(picture=picture(2, *MARKS)),
        ASKED._replace(picture=picture(1)),
        ASKED._replace(picture=picture(1, replace(MARKS[0], alpha=127))),
        ASKED._replace(picture=picture(1, *MARKS, *MARKS)),
        ASKED._replace(decoding=Decoding(17)),
        ASKED._replace(decoding=Decoding(16, temperature=0.2)),
        ASKED._replace(decoding=Decoding(16, seed=1)),
        ASKED._replace(decoding=Decoding(16, beams=2)),
        ASKED._replace(decoding=Decoding(1), text="6 0.0 0 1\nIs there a dog?"),
    ],
)
def test_whatever_decides_an_answer_is_in_its_key(other):
    assert other.key("model") != ASKED.key("model") != ASKED.key("other")


def test_where_a_question_comes_from_and_its_picture_lies_is_not():
    seen = ASKED.picture._replace(path=Path("elsewhere.jpg"))
    assert ASKED._replace(where="mme, 7", picture=seen).key("model") == ASKED.key("model")


@given(QUESTIONS)
def test_what_is_about_the_same_is_in_one_group_in_the_order_of_asking(questions):
    groups = grouped(questions)
    assert sorted(q.where for g in groups for q in g.questions) == sorted(q.where for q in questions)
    about = [group.picture and group.picture.content for group in groups]
    assert len(about) == len({*about})
    for group in groups:
        of_it = [q for q in questions if (q.picture and q.picture.content) == (group.picture and group.picture.content)]
        assert [*group.questions] == of_it


@given(QUESTIONS, st.integers(1, 3000), st.integers(0, 700))
def test_a_batch_is_no_larger_than_it_may_be_unless_it_is_one_question(questions, tokens, each):
    batches = by_picture(questions, tokens, each)
    asked = [q.where for batch in batches for q in questions_of(batch)]
    assert sorted(asked) == sorted(q.where for q in questions)
    for batch in batches:
        needed = sum((each if g.picture else 0) + sum(q.tokens for q in g.questions) for g in batch)
        assert needed <= tokens or (all(len(g.questions) == 1 for g in batch) and len(batch) == 1)


@given(QUESTIONS, st.integers(1, 9))
def test_batches_by_length_hold_what_is_alike(questions, size):
    batches = by_length(questions, size)
    asked = [q.where for batch in batches for q in questions_of(batch)]
    assert sorted(asked) == sorted(q.where for q in questions)
    assert all(sum(len(group.questions) for group in batch) == size for batch in batches[:-1])
    assert [q.where for batch in one_by_one(questions) for q in questions_of(batch)] == [q.where for q in questions]


@given(QUESTIONS.filter(bool), st.integers(100, 3000))
def test_halves_of_halves_end_with_single_questions(questions, tokens):
    def apart(batch):
        parts = halves(batch)
        return [batch] if parts is None else [*apart(parts[0]), *apart(parts[1])]

    for batch in by_picture(questions, tokens, 100):
        single = apart(batch)
        assert all(len(questions_of(part)) == 1 for part in single)
        assert [q for part in single for q in questions_of(part)] == questions_of(batch)
