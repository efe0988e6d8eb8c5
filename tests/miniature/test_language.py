import random

import pytest

from vertebra.catalog import Catalog
from vertebra.chat import ChatFormat
from vertebra.miniature import language, lessons
from vertebra.miniature.scenes import draw_scene
from vertebra.miniature.tokenizers import surface


@pytest.fixture(scope="module", params=["llama-3", "vicuna-s", "phi-3"])
def kin(request):
    """A kind of language model with its chat format."""
    kind = language.KINDS[request.param]
    template = Catalog.installed().template(kind.template)
    words = kind.tokenizer(language.corpus(template, 0), language.phrases(template), language.VOCABULARY)
    return kind, ChatFormat(template, words, words.eos_token)


def test_a_pointing_question_is_few_tokens_one_for_each_thing_and_each_option(kin):
    _, chat = kin
    lesson = lessons.pointing(random.Random(0), draw_scene(random.Random(0), "train", things=(4,)))
    told = [surface(chat.tokenizer, token).strip() for token in chat.supervise(language.conversation(lesson)).ids]
    assert len(told) <= 55
    assert {option for option in lesson.exchanges[0].question.split("\n") if ". The object" in option} <= set(told)
    assert {"Which object is the", *language.in_words(lesson.scene, lesson.marks).split()[1:]} <= set(told)


def test_every_answer_is_a_single_token(kin):
    _, chat = kin
    rng = random.Random(0)
    for _ in range(30):
        for exchange in lessons.questions(rng, draw_scene(rng, "train")).exchanges:
            sample = chat.supervise(language.Conversation((language.Turn("user", "?"), _said(exchange.answer))))
            assert sum(label >= 0 for label in sample.labels) == 2, exchange.answer  # the word and what ends it


def _said(answer):
    return language.Turn("assistant", answer)
