import random

from hypothesis import given, settings
from hypothesis import strategies as st

from vertebra.chat.wording import LETTERS
from vertebra.miniature import lessons
from vertebra.miniature.scenes import draw_scene
from vertebra.miniature.talk import in_words

SEEDS = st.integers(0, 10**6)


def lines(exchange):
    """The lettered options of a question: letter -> option."""
    options = [line.split(". ") for line in exchange.question.split("\n") if line[1:3] == ". "]
    assert "".join(letter for letter, _ in options) == LETTERS[: len(options)]
    return dict(options)


def one_word(scene, marks, *parts):
    """Whether a word of the scene is made of the parts."""
    return any(word in ("".join(parts), "".join(reversed(parts))) for word in in_words(scene, marks).split())


def mark_or_digit(word):
    """`lime` of `within the lime rectangle`; a digit as it is."""
    return word.removeprefix("within the ").removesuffix(" rectangle")


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_what_leads_to_a_short_answer_is_in_the_question(seed):
    rng = random.Random(seed)
    lesson = lessons.questions(rng, draw_scene(rng, "train"), 12)
    for exchange in lesson.exchanges:
        assert set(exchange.via) <= set(exchange.question.replace("?", " ").split())
        if exchange.via and exchange.answer not in ("yes", "no"):
            assert one_word(lesson.scene, {}, *exchange.via, exchange.answer)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_a_question_on_a_mark_leads_to_what_is_in_it_and_back(seed):
    rng = random.Random(seed)
    lesson = lessons.marked(rng, draw_scene(rng, "train", things=(4,)))
    for exchange in lesson.exchanges:
        (asked,) = exchange.via
        assert asked in exchange.question
        assert one_word(lesson.scene, lesson.marks, *map(mark_or_digit, (asked, exchange.answer)))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_a_choice_leads_by_its_clue_to_the_right_option(seed):
    rng = random.Random(seed)
    lesson = lessons.choosing(rng, draw_scene(rng, "train"), 4)
    for exchange in lesson.exchanges:
        if exchange.via:
            assert one_word(lesson.scene, {}, *exchange.via)
            assert lines(exchange)[exchange.answer] == exchange.via[-1]


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_pointing_leads_by_the_digit_and_its_mark_to_the_letter(seed):
    rng = random.Random(seed)
    lesson = lessons.pointing(rng, draw_scene(rng, "train", things=(4,)), 3)
    for exchange in lesson.exchanges:
        digit, region = exchange.via
        assert exchange.question.split("?")[0].endswith(digit)
        assert one_word(lesson.scene, lesson.marks, digit, mark_or_digit(region))
        assert lines(exchange)[exchange.answer] == f"The object {region}"
