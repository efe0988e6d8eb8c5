"""MM-Vet's table: its text, its numbers, its totals."""

import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.benchmarks.vip_bench_bbox import PLACES
from vertebra.errors import DataError
from vertebra.scoring import grades
from vertebra.scoring.benchmark import Sample


@pytest.mark.parametrize(
    ("shown", "length", "sha256"),
    [
        # `prompt` of mm-vet_evaluator.py (acde843) and of vip-bench_evaluator.py (77079b1)
        (grades.examples(), 2290, "d1b3e0a5b4e72c888b77164489d705bba4dd149934fff564dfba6443d81afe3f"),
        (grades.examples(PLACES), 2479, "ca1865b6fe91ec5bd08da2fcdf7f3cff7fcb7f6366a4a3e99fe3e9eb267c8b11"),
    ],
)
def test_the_examples_are_byte_for_byte_the_official_ones(shown, length, sha256):
    assert (len(shown), hashlib.sha256(shown.encode()).hexdigest()) == (length, sha256)


def test_the_row_to_complete_pads_and_and_or():
    sample = Sample("v1_0", "What is x?", None, ("-1<AND>-5<OR>2",), {}, "a")
    text = grades.judging("EXAMPLES\n").request(sample, "x = 3", 0).messages[0][1]
    assert text == "EXAMPLES\n\nWhat is x? | -1 <AND> -5 <OR> 2 | x = 3 | "


def test_a_second_asking_of_vip_bench_has_the_question_of_the_metadata():
    sample = Sample("v1_0", "What is in the red box?", None, ("a", "What is in the <obj>?"), {}, "a")
    asked = [grades.judging("").request(sample, "b", attempt) for attempt in range(5)]
    assert [request.messages[0][1].split(" | ")[0].strip() for request in asked] == [
        "What is in the red box?",
        *["What is in the <obj>?"] * 4,
    ]
    assert [request.temperature for request in asked] == [0.0, 0.0, 0.5, 1.0, 1.5]


def test_a_question_without_wording_cannot_be_shown_to_a_judge():
    with pytest.raises(DataError, match=r"'v1_0'.*questions\.jsonl"):
        grades.judging("").request(Sample("v1_0", "", None, ("a", "b"), {}, "a"), "c", 0)


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("0.5", 0.5),
        ("1", 1.0),
        ("0.5 because", 0.5),
        ("\n0.7", 0.7),
        ("٠.٥", 0.5),
        ("0_1", 1.0),
        ("5e-1", 0.5),
        ("0.37", 0.37),
        (" 0.5", None),
        ("1.1", None),
        ("-0.1", None),
        ("nan", None),
        ("inf", None),
        ("0.5.", None),
        ("0,5", None),
        ("Score: 1", None),
        ("", None),
    ],
)
def test_a_reply_is_what_python_reads_in_its_first_field(reply, score):
    assert grades.parse(reply) == (None if score is None else (score,))


@given(reply=st.text() | st.text("0123456789.e-_ naif\n"))
def test_any_reply_is_a_finite_number_from_0_to_1_or_none(reply):
    """And where the official code finds a number that is one, ours is the same."""
    try:
        official = float(reply.split(" ")[0].strip())
    except ValueError:
        official = math.nan
    assert grades.parse(reply) == ((official,) if 0 <= official <= 1 else None)
