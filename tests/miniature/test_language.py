import random

from vertebra.miniature import language, lessons
from vertebra.miniature.scenes import draw_scene
from vertebra.miniature.tokenizers import surface


def test_a_pointing_question_is_few_tokens_one_for_each_thing_and_each_option(kin):
    _, teacher = kin
    lesson = lessons.pointing(random.Random(0), draw_scene(random.Random(0), "train", things=(4,)))
    told = [surface(teacher.words, token).strip() for token in teacher.sample(lesson).ids]
    assert len(told) <= 55
    assert {option for option in lesson.exchanges[0].question.split("\n") if ". The object" in option} <= set(told)
    assert {"Which object is the", *language.in_words(lesson.scene, lesson.marks).split()} <= set(told)


def test_every_answer_is_a_single_token(kin):
    _, teacher = kin
    rng = random.Random(0)
    for _ in range(30):
        scene, four = draw_scene(rng, "train"), draw_scene(rng, "train", things=(4,))
        for exchange in (*lessons.questions(rng, scene).exchanges, *lessons.marked(rng, four).exchanges):
            sample = teacher.chat.supervise(language.Conversation((language.Turn("user", "?"), _said(exchange.answer))))
            assert sum(label >= 0 for label in sample.labels) == 2, exchange.answer  # the word and what ends it


def _said(answer):
    return language.Turn("assistant", answer)
