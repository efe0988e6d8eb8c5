import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vertebra.miniature.scenes import CELL, draw_scene, paint
from vertebra.miniature.talk import KINDS, in_words


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_scene_is_the_same_whenever_its_seed_is(seed):
    one, other = (paint(draw_scene(random.Random(seed), "train")) for _ in range(2))
    assert one.tobytes() == other.tobytes()


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_things_stay_in_their_cells_and_are_told_apart_by_digit_and_by_color(seed):
    scene = draw_scene(random.Random(seed), "test")
    for thing in scene.things:
        column, row = scene.place(thing)
        box = scene.box(thing)
        assert column * CELL <= box.x1 < box.x2 < (column + 1) * CELL
        assert row * CELL <= box.y1 < box.y2 < (row + 1) * CELL
    assert len({thing.digit for thing in scene.things}) == len(scene.things)
    assert len({thing.color for thing in scene.things}) == len(scene.things)


def test_no_scan_is_shown_both_in_training_and_in_testing():
    shown = {
        split: {thing.scan for seed in range(800) for thing in draw_scene(random.Random(seed), split).things}
        for split in ("train", "test")
    }
    assert not shown["train"] & shown["test"]
    assert min(map(len, shown.values())) > 400


def test_ink_lies_inside_the_box_and_nowhere_else():
    scene = draw_scene(random.Random(5), "train")
    pixels = np.asarray(paint(scene)).astype(int)
    inked = np.abs(pixels - np.array(scene.board)).sum(axis=2) > 0
    for thing in scene.things:
        box = scene.box(thing)
        region = inked[int(box.y1) : int(box.y2) + 1, int(box.x1) : int(box.x2) + 1]
        assert region.mean() > 0.1
        inked[int(box.y1) : int(box.y2) + 1, int(box.x1) : int(box.x2) + 1] = False
    assert not inked.any()


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_kind_of_question_has_a_true_answer(seed):
    rng = random.Random(seed)
    scene = draw_scene(rng, "train")
    by_word = dict.fromkeys(in_words(scene, {}).split())
    for name, ask in KINDS.items():
        question, answer = (exchange := ask(rng, scene)).question, exchange.answer
        if name == "color":
            assert any(word.startswith(answer) and word.endswith(question.split()[-1][:-1]) for word in by_word)
        if name == "digit":
            assert question.split()[-1][:-1] + answer in by_word
        if name == "existence":
            word = question.split()[3]
            assert (answer == "yes") == any(told.endswith(word) and told != word for told in by_word)
