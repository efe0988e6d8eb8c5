import random

from hypothesis import given, settings
from hypothesis import strategies as st

from vertebra.chat.wording import LETTERS
from vertebra.miniature import lessons
from vertebra.miniature.scenes import WORDS, draw_scene
from vertebra.miniature.talk import in_words

SEEDS = st.integers(0, 10**6)


def lines(lesson):
    """The lettered options of a lesson's first question: letter -> option."""
    options = [line.split(". ") for line in lesson.exchanges[0].question.split("\n") if line[1:3] == ". "]
    assert "".join(letter for letter, _ in options) == LETTERS[: len(options)]
    return dict(options)


def statements(exchange):
    return [tuple(said.split(" ")) for said in exchange.answer.split(", ")]


def one_word(scene, marks, *parts):
    """Whether a word of the scene is made of the parts."""
    return any(word in ("".join(parts), "".join(reversed(parts))) for word in in_words(scene, marks).split())


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_what_is_paired_belongs_to_one_thing(seed):
    rng = random.Random(seed)
    lesson = lessons.pairs(rng, draw_scene(rng, "train"))
    for said in statements(lesson.exchanges[0]):
        assert one_word(lesson.scene, lesson.marks, *said)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_presence_is_told_truly(seed):
    rng = random.Random(seed)
    lesson = lessons.presence(rng, draw_scene(rng, "train"))
    there = {WORDS[thing.digit] for thing in lesson.scene.things}
    for number, told in statements(lesson.exchanges[0]):
        assert (told == "yes") == (number in there)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_an_option_leads_to_its_own_letter(seed):
    rng = random.Random(seed)
    lesson = lessons.options(rng, draw_scene(rng, "train"))
    for option, letter in statements(lesson.exchanges[1]):
        assert lines(lesson)[letter] == option


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_a_clue_leads_to_the_letter_of_what_it_belongs_to(seed):
    rng = random.Random(seed)
    lesson = lessons.matching(rng, draw_scene(rng, "train"))
    assert lesson.exchanges[0].answer in lines(lesson)
    for clue, letter in statements(lesson.exchanges[1]):
        assert one_word(lesson.scene, {}, clue, lines(lesson)[letter])


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_a_mark_and_the_digit_in_it_lead_to_the_same_letter(seed):
    rng = random.Random(seed)
    lesson = lessons.pointing(rng, draw_scene(rng, "train", things=(4,)), clues=("digit", "mark"))
    marks = {letter: option.split()[-2] for letter, option in lines(lesson).items()}
    asked = lesson.exchanges[0].question.split("?")[0].split()[-1]
    assert one_word(lesson.scene, lesson.marks, asked, marks[lesson.exchanges[0].answer])
    for clue, letter in statements(lesson.exchanges[1]):
        assert clue == marks[letter] or one_word(lesson.scene, lesson.marks, clue, marks[letter])
