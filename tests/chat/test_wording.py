"""The sentences of ViP-LLaVA's training data (llava/visual_prompt_organizer.py of the published code)."""

import pytest

from vertebra.chat import wording


def test_a_region_is_named_by_colour_and_kind():
    assert wording.phrase("rectangle", "red") == "within the red rectangle"


def test_a_colour_without_a_name_is_left_out():
    assert wording.phrase("rectangle", None) == "within the rectangle"


def test_the_article_may_be_left_out():
    assert wording.phrase("rectangle", "red", article=False) == "within red rectangle"


def test_a_pointing_question_lists_its_regions():
    said = wording.pointing("Which is it?", ["red", "lime", "blue", "gold"], [True, False, True, False])
    assert said == (
        "Which is it?\n"
        "A. The object within the red rectangle\n"
        "B. The object within lime rectangle\n"
        "C. The object within the blue rectangle\n"
        "D. The object within gold rectangle\n"
        "Answer with the option's letter from the given choices directly."
    )


def test_a_pointing_question_says_the_unless_told_otherwise():
    assert wording.pointing("?", ["red", "lime", "blue", "gold"]).count("within the") == 4


def test_a_pointing_question_has_four_regions():
    with pytest.raises(ValueError, match="zip"):
        wording.pointing("?", ["red", "lime", "blue"])


def test_a_description_is_asked_for_as_a_short_phrase():
    assert wording.describing(wording.phrase("rectangle", "blue")) == (
        "Describe the object within the blue rectangle. Please provide a short phrase."
    )


def test_two_questions_leave_the_region_to_the_eye():
    assert wording.UNTOLD == (
        "Describe the object with the visual prompt. Please provide a short phrase.",
        "Describe the pointed region. Please provide a short phrase.",
    )


def test_a_second_look_is_asked_for_by_an_example():
    assert wording.looking_twice("How many are there?") == (
        "How many are there? The exemplary object is within the rectangle.\n"
        "Answer the question using a single word or phrase."
    )
