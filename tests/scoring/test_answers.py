"""Reading answers files: what LLaVA writes, and every way it can be wrong."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.benchmarks import benchmark
from vertebra.errors import DataError
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import Answer, Sample

POPE, GQA = benchmark("pope"), benchmark("gqa")
ONE = [Sample("1", "?", None, ("no",), {}, "a")]
TWO = [*ONE, Sample("2", "?", None, ("no",), {}, "a")]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def asked(*ids: str) -> list[Sample]:
    return [Sample(name, "?", None, ("no",), {}, name) for name in ids]


@pytest.fixture
def write(tmp_path):
    def write(*rows: object):
        path = tmp_path / "answers.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def test_ids_are_equal_as_number_and_as_text(write):
    path = write({"question_id": 1, "prompt": "Is it?", "text": "No"}, {"question_id": "2", "text": "Yes"})
    assert read_answers(path, POPE, asked("1", "2")) == {"1": Answer("No", "Is it?"), "2": Answer("Yes")}


def test_an_id_of_another_benchmark_is_named_with_its_line(write):
    path = write({"question_id": 1, "text": "No"}, {"question_id": "v1_0", "text": "No"})
    with pytest.raises(DataError, match=r"answers\.jsonl:2: pope has no question 'v1_0'.*another benchmark"):
        read_answers(path, POPE, asked("1"))


def test_a_second_answer_is_refused_where_no_official_rule_picks_one(write):
    path = write({"question_id": 1, "text": "No"}, {"question_id": "1", "text": "Yes"})
    with pytest.raises(DataError, match=r"answers\.jsonl:2: .*twice"):
        read_answers(path, POPE, asked("1"))


def test_the_last_answer_wins_where_the_official_scorer_says_so(write):
    path = write({"question_id": 1, "text": "no"}, {"question_id": 1, "text": "yes"})
    assert read_answers(path, GQA, asked("1"))["1"].text == "yes"


@pytest.mark.parametrize(
    "row",
    [
        {"text": "No"},
        {"question_id": 1},
        {"question_id": True, "text": "No"},
        {"question_id": 1.0, "text": "No"},
        {"question_id": 1, "text": None},
        {"question_id": 1, "text": ["No"]},
        {"question_id": 1, "text": "No", "prompt": 3},
    ],
)
def test_a_row_that_is_no_answer_is_named_with_its_line(write, row):
    with pytest.raises(DataError, match=r"answers\.jsonl:2: "):
        read_answers(write({"question_id": 2, "text": "No"}, row), POPE, asked("1", "2"))


@given(rows=st.lists(st.fixed_dictionaries({}, optional={"question_id": json_values, "text": json_values}), max_size=4))
def test_any_rows_are_read_or_refused_with_file_and_line(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "any_answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    try:
        read_answers(path, GQA, asked("0", "1"))
    except DataError as error:
        assert re.match(rf"{re.escape(str(path))}:\d+: ", str(error))
