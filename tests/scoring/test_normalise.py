"""The three normalisers and VQA accuracy, against outputs of the official code."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.scoring.normalise import (
    CONTRACTIONS,
    VIZWIZ_CONTRACTIONS,
    leave_one_out,
    m4c,
    vizwiz,
    vqa,
    vqa_accuracy,
    vqa_gold,
)

# Input, what M4C makes of it, what the VQA challenge's processing makes of it.
OFFICIAL = [
    ("5.", "5", "5"),
    (".5", ".5", ".5"),
    ("3.5", "3.5", "3.5"),
    ("v1.0.", "v1.0", "v1.0"),
    ("U.S.A.", "usa", "usa"),
    ("1. cat", "1 cat", "1 cat"),
    ("100,978", "100978", "100978"),
    ("3,000 people", "3000 people", "3000 people"),
    ("left,right", "leftright", "left right"),
    ("left, right", "left right", "left right"),
    ("Macy's", "macy 's", "macy's"),
    ("it's", "it 's", "it's"),
    ("she's", "she 's", "she's"),
    ("dont", "don't", "don't"),
    ("red-white", "red white", "red white"),
    ("t-shirt", "t shirt", "t shirt"),
    ("08/13/2011", "08 13 2011", "08 13 2011"),
    ("N/A", "n", "n"),
    ("a/b", "b", "b"),
    ("Ten commandments", "10 commandments", "10 commandments"),
    ("ten-fold", "10 fold", "10 fold"),
    ("eleven", "eleven", "eleven"),
    ("2:50 pm", "2:50 pm", "2:50 pm"),
    ("$5.00", "$5.00", "$5.00"),
    ("50%", "50%", "50%"),
    ("#1", "#1", "#1"),
    ("'stop'", "'stop'", "'stop'"),
    ('"stop"', "stop", "stop"),
    ("(left)", "left", "left"),
    ("What?", "what", "what"),
    ("wow!", "wow", "wow"),
    ("A", "", ""),
    ("The", "", ""),
    ("", "", ""),
    ("......", "", ""),
    ("." * 34 + "x", "..x", "..x"),
    ("\tyes\n", "yes", "yes"),
]
answers = st.text() | st.text("aAthe ten.,'-/?\n\t1234s") | st.sampled_from([*CONTRACTIONS, *CONTRACTIONS.values()])


@pytest.mark.parametrize(("text", "by_m4c", "by_vqa"), OFFICIAL)
def test_answers_come_out_as_from_the_official_code(text, by_m4c, by_vqa):
    assert (m4c(text), vqa(text)) == (by_m4c, by_vqa)


def test_the_contractions_are_the_official_ones():
    digest = hashlib.sha256(json.dumps(CONTRACTIONS, sort_keys=True).encode()).hexdigest()
    assert digest == "52771f672b95913f862aae058e42219f9e1e4d7af64475a5cdf394301acf67a9"


def test_the_vizwiz_table_has_curly_apostrophes_but_in_its_first_words():
    assert len(VIZWIZ_CONTRACTIONS) == 120
    assert [vizwiz(text) for text in ("dont", "cant", "hadn'tve", "let's")] == ["don’t", "can't", "hadn’t’ve", "let's"]


def test_a_digit_comma_anywhere_lets_every_mark_be_deleted():
    assert vqa("1,000 and a-b") == "1000 and ab"
    assert m4c("1,000 and a-b") == "1000 and b"


def test_after_m4c_thirty_two_more_periods_go():
    dots = "." * 70 + "x"
    assert (len(m4c(dots)), vizwiz(m4c(dots))) == (39, "." * 6 + "x")


@given(text=answers)
def test_no_text_is_refused_and_none_keeps_outer_spaces_or_line_breaks(text):
    for normalise in (m4c, vqa, vizwiz):
        found = normalise(text)
        assert found == " ".join(found.split())


@given(text=answers.filter(lambda text: text.count(".") <= 32))
def test_the_challenges_processing_is_idempotent_below_the_limit_of_periods(text):
    assert vqa(vqa(text)) == vqa(text)
    assert vizwiz(vizwiz(text)) == vizwiz(text)


def test_m4c_is_not_idempotent():
    assert [m4c("hows"), m4c(m4c("hows"))] == ["how's", "how 's"]


@pytest.mark.parametrize(("said", "accuracy"), [*enumerate([0, 0.3, 0.6, 0.9, 1, 1, 1, 1, 1, 1, 1])])
def test_leave_one_out_accuracy_to_the_last_digit(said, accuracy):
    assert leave_one_out("yes", ["yes"] * said + ["no"] * (10 - said)) == accuracy


@pytest.mark.parametrize(
    ("annotators", "answer", "accuracy"),
    [
        (["yes"] * 10, "Yes.", 0.0),
        (["yes"] * 10, "yes", 1.0),
        ([" yes\n"] * 10, "\tyes", 1.0),
        (["yes"] * 9 + ["no"], "Yes.", 1.0),
        (["2"] * 10, "two", 0.0),
        (["macy's"] * 5 + ["store"] * 5, "macy 's", 0.0),
        (["macy's"] * 5 + ["store"] * 5, "Macy's", 1.0),
        (["the"] * 2 + ["dog"] * 8, "", 0.6),
    ],
)
def test_the_vqa_challenge_processes_answers_only_where_annotators_differ(annotators, answer, accuracy):
    assert vqa_accuracy(answer, vqa_gold(annotators)) == accuracy


@given(answer=answers, annotators=st.lists(answers, min_size=10, max_size=10))
def test_vqa_accuracy_is_one_of_five_values(answer, annotators):
    assert vqa_accuracy(answer, vqa_gold(annotators)) in (0, 0.3, 0.6, 0.9, 1)
