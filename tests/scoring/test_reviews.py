"""LLaVA's review of two answers: its text, its numbers, its ratio."""

import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.scoring import reviews
from vertebra.scoring.benchmark import Sample, Verdict
from vertebra.scoring.metrics import add

SAMPLE = Sample("0", "What is it?", None, ("A dog.", "A dog\nin a park."), {}, "a")


def test_the_rule_is_byte_for_byte_the_official_one():
    # llava/eval/table/rule.json at c121f04
    rule = reviews.RULE
    assert len(rule) == 872
    assert (
        hashlib.sha256(rule.encode()).hexdigest() == "2ce22b562d6008864970ea863ac8a4d385ea6f2e64ab1313a23f825202a9529d"
    )


def test_the_reference_answer_comes_first():
    system, user = reviews.request(SAMPLE, "A cat.", 0).messages
    assert system[1].startswith("You are a helpful and precise assistant")
    assert user[1] == (
        "[Context]\nA dog\nin a park.\n\n[Question]\nWhat is it?\n\n[Assistant 1]\nA dog.\n\n[End of Assistant 1]\n\n"
        f"[Assistant 2]\nA cat.\n\n[End of Assistant 2]\n\n[System]\n{reviews.RULE}\n\n"
    )


@pytest.mark.parametrize(
    ("reply", "points"),
    [
        ("8 7", (8, 7)),
        ("8 7\nAssistant 1 ...", (8, 7)),
        ("8,7", (8, 7)),
        ("8.5 7", (8.5, 7)),
        ("８ ٧", (8, 7)),
        ("1_0 9\r", (10, 9)),
        ("8, 7", None),
        ("8  7", None),
        (" 8 7", None),
        ("8\t7", None),
        ("8/10 7/10", None),
        ("nan 7", None),
        ("8 inf", None),
        ("Assistant 1: 8", None),
        ("8", None),
        ("", None),
    ],
)
def test_a_reply_is_two_numbers_alone_in_its_first_line(reply, points):
    assert reviews.parse(reply) == points


@given(reply=st.text() | st.text("0123456789., \n"))
def test_any_reply_is_two_finite_numbers_or_none(reply):
    found = reviews.parse(reply)
    assert found is None or (len(found) == 2 and all(map(math.isfinite, found)))


def test_the_ratio_is_rounded_where_the_official_summary_rounds():
    points = [(8.0, 7.0), (9.0, 4.0), (9.0, 8.0)]
    verdicts = [Verdict(str(index), 0, None, runs=(pair,)) for index, pair in enumerate(points)]
    sums = add(reviews.tally(SAMPLE, verdict) for verdict in verdicts)
    # means 8.667 and 6.333, whose ratio is 73.07 % (without rounding 73.08 %)
    assert {name: float(column[0]) for name, column in reviews.metrics(sums).items()} == {"relative_score": 73.1}


def test_several_runs_are_the_mean_of_rounded_ratios():
    verdict = Verdict("0", 0, None, runs=((9.0, 6.0), (9.0, 7.0), None))
    metrics = reviews.metrics(add([reviews.tally(SAMPLE, verdict)]))
    assert float(metrics["relative_score"][0]) == pytest.approx((66.7 + 77.8) / 2)
    assert float(metrics["std"][0]) == pytest.approx((77.8 - 66.7) / 2)
