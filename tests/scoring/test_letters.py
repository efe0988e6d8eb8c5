"""The letter rules on answers that tell the official generations apart."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.scoring.letters import lone, matched, matched_2023

CHOICES = {"A": "cat", "B": "dog", "C": "a red car", "D": "tree"}
TEXTS = st.text() | st.text("ABCDEZabcd .,:()*#cat dog答案是'’\n")


@pytest.mark.parametrize(
    ("text", "first", "later", "lenient"),
    [
        ("A", "A", "A", "A"),
        ("A.", "A", "A", "A"),
        (" B\n", "B", "B", "B"),
        ("(C)", "C", "C", "C"),
        ("D) tree", "D", "D", "D"),
        (":B).", "B", "B", "B"),
        ("A cat is here", "A", "A", "A"),
        ("The answer is A", None, "A", "A"),
        ("The answer is B because A is wrong", None, None, None),
        ("I would say **B** here", None, "B", "B"),
        ("cat and dog", None, None, None),
        ("It is a DOG", "B", "B", None),
        ("E", "E", None, None),
        ("Z", None, "Z", None),
        ("a", None, None, "A"),
        ("答案是B", None, None, "B"),
        ("DVD", None, None, None),
        ("A or B", None, None, None),
        ("", None, None, None),
        ("Cannot determine the answer A", None, "Z", "A"),
        ("Failed to obtain answer via API. B", None, None, "B"),
    ],
)
def test_each_rule_reads_what_its_generation_read(text, first, later, lenient):
    assert (matched_2023(text, CHOICES), matched(text, CHOICES), lone(text, "ABCD")) == (first, later, lenient)


def test_the_letters_are_limited_to_the_options_that_are_there():
    two = {"A": "cat", "B": "dog"}
    assert (matched("C", two), matched_2023("C", two)) == (None, "C")
    assert matched("A, not C", two) == "A"


@given(TEXTS)
def test_a_letter_found_is_a_choice_or_none_of_them(text):
    assert matched(text, CHOICES) in {*CHOICES, "Z", None}
    assert matched_2023(text, CHOICES) in {*"ABCDE", None}
    assert lone(text, "ABCD") in {*"ABCD", None}


@given(letter=st.sampled_from("ABCD"), before=st.text(string.whitespace), after=st.text(string.whitespace))
def test_a_bare_letter_is_read_alike_by_all_rules(letter, before, after):
    text = before + letter + after
    assert matched(text, CHOICES) == matched_2023(text, CHOICES) == lone(text, "ABCD") == letter


@given(st.text("xyz .,"), st.sampled_from("ABCD"))
def test_two_different_letters_choose_nothing(text, letter):
    other = "B" if letter == "A" else "A"
    assert matched(f"{letter} {text} {other}", CHOICES) is None
    assert lone(f"{letter} {text} {other}", "ABCD") is None
