import random
from dataclasses import replace

import pytest
import torch

from vertebra.catalog import Catalog
from vertebra.chat import ChatFormat, Conversation, Turn
from vertebra.chat.template import IGNORED
from vertebra.miniature import language, lessons
from vertebra.miniature.scenes import WORDS, draw_scene
from vertebra.miniature.talk import in_words
from vertebra.miniature.teaching import teach
from vertebra.miniature.tokenizers import surface


@pytest.mark.parametrize("manner", ["chat", "terse"])
def test_each_layer_is_told_its_word_and_a_head_looks_at_the_right_option(kin, manner):
    _, teacher = kin
    lesson = lessons.pointing(random.Random(0), draw_scene(random.Random(0), "train", things=(4,)), 3)
    sample = teacher.sample(lesson, manner)
    said = [surface(teacher.words, token).strip() for token in sample.ids]
    firsts = [place + 1 for place, _ in sample.looks]
    told = [[surface(teacher.words, labels[first]).strip() for labels in sample.labels] for first in firsts]
    assert told == [[*exchange.via, exchange.answer] for exchange in lesson.exchanges]
    for (_, option), exchange in zip(sample.looks, lesson.exchanges, strict=True):
        assert said[option] == f"{exchange.answer}. The object {exchange.via[1]}"
    for place, word in enumerate(said):
        if ". The object" in word:
            assert surface(teacher.words, sample.labels[0][place + 1]).strip() == word[0]


def test_a_marked_things_color_is_there_besides_its_word(kin):
    _, teacher = kin
    lesson = lessons.marked(random.Random(0), draw_scene(random.Random(0), "train", things=(4,)))
    sample = teacher.sample(lesson)
    told = [[surface(teacher.words, token) for token in (sample.ids[place], color)] for place, color in sample.besides]
    things = enumerate(lesson.scene.things)
    assert told == [[f" {WORDS[thing.digit]}{lesson.marks[at]}", f" {thing.color}"] for at, thing in things]


@pytest.mark.parametrize(("manner", "template"), [("chat", None), ("bare", "plain")])
def test_what_is_told_is_token_for_token_what_is_asked_of_a_picture(kin, manner, template):
    kind, teacher = kin
    scene = draw_scene(random.Random(0), "train")
    lesson = lessons.questions(random.Random(0), scene) if manner == "chat" else lessons.captioning(scene)
    turns = [(exchange.question, exchange.answer) for exchange in lesson.exchanges]
    spoken = [Turn(role, text) for turn in turns for role, text in zip(("user", "assistant"), turn, strict=True)]
    picture = teacher.words.unk_token or "<|reserved_special_token_0|>"
    shown = ChatFormat(Catalog.installed().template(template or kind.template), teacher.words, picture)
    ids, labels = shown.supervise(Conversation((replace(spoken[0], images=1), *spoken[1:])))
    place = ids.index(teacher.words.convert_tokens_to_ids(picture))
    told = teacher.sample(lesson, manner)
    cells = [surface(teacher.words, token).strip() for token in told.ids[place : place + 16]]
    assert cells == in_words(scene, {}).split()
    assert told.ids == [*ids[:place], *told.ids[place : place + 16], *ids[place + 1 :]]
    assert told.labels[-1] == [*labels[:place], *[IGNORED] * 16, *labels[place + 1 :]]


def test_terse_lessons_teach_answers_alone(kin):
    _, teacher = kin
    lesson = lessons.questions(random.Random(0), draw_scene(random.Random(0), "train"), 8)
    labels = teacher.sample(lesson, "terse").labels[-1]
    told = [surface(teacher.words, label).strip() for label in labels if label != IGNORED]
    assert told == [exchange.answer for exchange in lesson.exchanges]


def test_a_caption_is_told_behind_its_scene(kin):
    _, teacher = kin
    lesson = lessons.captioning(draw_scene(random.Random(0), "train"))
    sample = teacher.sample(lesson, "bare")
    told = teacher.words.decode([label for label in sample.labels[-1] if label != IGNORED])
    assert told.strip() == lesson.exchanges[0].answer
    assert not sample.looks


def test_a_model_learns_and_comes_out_plain(kin):
    kind, teacher = kin
    torch.set_num_threads(1)
    model = language.newborn(kind, teacher.words, seed=0)
    losses = []
    teach(model, teacher, 30, 0, lambda step, text: losses.append((step, float(text.split()[-1]))), size=4)
    before = _loss_of(language.newborn(kind, teacher.words, seed=0), teacher)
    assert losses[0][0] == 30
    assert _loss_of(model, teacher) < before - 1
    assert model.lm_head.weight is not model.get_input_embeddings().weight
    assert model.config._attn_implementation == "sdpa"


def test_a_compound_is_embedded_as_the_sum_of_its_parts(kin):
    kind, teacher = kin
    model = language.newborn(kind, teacher.words, seed=0)
    teach(model, teacher, 2, 0, lambda step, text: None, size=2)
    table = model.get_input_embeddings().weight
    row = {surface(teacher.words, token): table[token] for token in range(len(teacher.words))}
    torch.testing.assert_close(row[" redseven"], row[" red"] + row[" seven"])
    torch.testing.assert_close(row[" sevenred"], row[" seven"] + row[" within the red rectangle"])
    torch.testing.assert_close(
        row["B. The object within the lime rectangle"], row[" B"] + row[" within the lime rectangle"]
    )


def test_a_word_is_embedded_and_told_alike_at_the_beginning_of_every_line(kin):
    kind, teacher = kin
    model = language.newborn(kind, teacher.words, seed=0)
    teach(model, teacher, 2, 0, lambda step, text: None, size=2)
    for table in (model.get_input_embeddings().weight, model.lm_head.weight):
        row = {surface(teacher.words, token): table[token] for token in range(len(teacher.words))}
        torch.testing.assert_close(row["B"] - row[" B"], row["C"] - row[" C"])
        assert (row["B"] - row[" B"]).norm() > 0


@torch.no_grad()
def _loss_of(model, teacher):
    sample = teacher.sample(lessons.questions(random.Random(1), draw_scene(random.Random(1), "train"), 8), "terse")
    ids, labels = torch.tensor([sample.ids]), torch.tensor([sample.labels[-1]])
    return model(input_ids=ids, labels=labels).loss.item()
