"""The judge made of rules."""

import pytest

from vertebra.scoring.rules import grade

TABLE = "Question | Ground truth | Prediction | Correctness\n--- | --- | --- | ---\nWhich? | {} | {} | "


@pytest.mark.parametrize(
    ("truth", "answer", "points"),
    [
        ("five<OR>5", "five", "1.0"),
        ("five<OR>5", "It's 5.", "1.0"),
        ("five<OR>5", "four", "0.0"),
        ("five<OR>5", "", "0.0"),
        ("five<OR>5", "fives", "0.0"),
        ("five<OR>5", "one, two, three, four, five, six", "0.5"),
        ("red<AND>five<OR>5", "a red five", "1.0"),
        ("red<AND>five<OR>5", "a red seven", "0.5"),
        ("red<AND>five<OR>5", "a red five, a blue two, a pink one and one", "0.5"),
        ("-1 <AND> -5", "x = -1", "0.5"),
    ],
)
def test_parts_that_are_there_count_and_words_beyond_need_count_against(truth, answer, points):
    assert grade(TABLE.format(truth, answer)) == points


def test_a_review_counts_the_reference_s_words():
    review = (
        "[Assistant 1]\na red dog\n\n[End of Assistant 1]\n\n[Assistant 2]\n{}\n\n[End of Assistant 2]\n\n[System]\n"
    )
    assert grade(review.format("a red cat")).startswith("10 7\n")
    assert grade(review.format("dog, red, a")).startswith("10 10\n")
