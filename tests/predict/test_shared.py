"""The engine: its answers are those of batch-1 `generate`, whatever is asked beside them."""

import random
from collections import Counter
from pathlib import Path

import pytest
import torch
from tests.anatomy import BACKBONES, FURTHER, assembled, talkative
from tests.predict.asked import any_questions, local, noise, question, said
from torch import nn

from vertebra.asking.questions import questions_of
from vertebra.errors import DataError, VertebraError
from vertebra.predict.padded import Padded
from vertebra.predict.shared import Shared, why_not

EACH = 250


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def model():
    return talkative(assembled("vip_llava", "llama-3"))


@pytest.mark.parametrize("backbone", [*BACKBONES, *FURTHER])
@pytest.mark.parametrize("family", ["llava", "vip_llava"])
def test_answers_are_those_of_the_reference(family, backbone, pictures):
    """2,500 questions in all; the engine gets them in any order and so many tokens at a time."""
    model = talkative(assembled(family, backbone))
    assert why_not(model) is None
    seed = len(family) * 100 + len(backbone)
    asked = any_questions(EACH, [None, *(noise(pictures, number) for number in range(40))], seed)
    wanted = said(Padded(local(model), 1), asked)
    assert len({*wanted}) > EACH / 4, "answers depend on what is asked"
    chance = random.Random(seed)
    for tokens in (300, chance.randint(400, 4000)):
        order = chance.sample(range(EACH), EACH)
        found = said(Shared(local(model), tokens), [asked[place] for place in order])
        assert found == [wanted[place] for place in order]


def test_padded_batches_give_the_same_answers(model, pictures):
    asked = any_questions(60, [None, *(noise(pictures, number) for number in range(9))], 1)
    assert said(Padded(local(model), 8), asked) == said(Shared(local(model), 2000), asked)


def test_a_picture_is_seen_once_for_all_its_questions(model, pictures):
    seen: list[int] = []
    hook = model.network.model.vision_tower.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(len(kwargs["pixel_values"] if "pixel_values" in kwargs else args[0])),
        with_kwargs=True,
    )
    said(Shared(local(model), 4000), [question(f"What {n}?", noise(pictures, n % 3)) for n in range(12)])
    hook.remove()
    assert sum(seen) == 3


def test_an_answer_that_has_ended_is_worked_on_no_more(model, pictures):
    rows: list[int] = []
    asked = [question(f"What {n}?", noise(pictures, 0), length=1 + 3 * (n == 0)) for n in range(5)]
    hook = model.network.lm_head.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    said(Shared(local(model), 4000), asked)
    hook.remove()
    assert rows == [5, 1, 1, 1]


def test_drawn_answers_follow_from_their_seed_alone(model, pictures):
    asked = [question("What?", noise(pictures, 0), temperature=1.0, seed=seed) for seed in range(12)]
    engine = Shared(local(model), 4000)
    drawn = said(engine, asked)
    assert len({*drawn}) > 6
    assert drawn == [said(engine, [each])[0] for each in asked] == said(Padded(local(model), 5), asked)
    greedy, cold = (said(engine, [question("What?", temperature=heat)])[0] for heat in (0.0, 1e-6))
    assert greedy == cold


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_tokens_are_drawn_as_often_as_the_temperature_says(temperature):
    model = talkative(assembled("llava", "llama-3"))
    words = {token: word for word, token in model.processor.tokenizer.get_vocab().items() if word.isalpha()}
    few = sorted(words)[:4]
    # A head that knows four words alone.
    with torch.no_grad():
        bias = torch.full((model.network.lm_head.out_features,), -1e9)
        bias[few] = 0.0
        model.network.lm_head.bias = nn.Parameter(bias)
    one = local(model).prompt(question("What?"))
    logits = model.network(input_ids=torch.tensor([one])).logits[0, -1, few].detach()
    expected = torch.softmax(logits.float() / temperature, 0)
    asked = [question("What?", length=1, temperature=temperature, seed=seed) for seed in range(1000)]
    counted = Counter(said(Shared(local(model), 4000), asked))
    found = [counted[model.processor.tokenizer.decode([token]).strip()] / 1000 for token in few]
    assert found == pytest.approx(expected.tolist(), abs=0.06)
    assert sum(found) == pytest.approx(1)


def test_what_does_not_fit_into_memory_is_asked_in_halves(model, pictures, monkeypatch):
    asked = any_questions(40, [noise(pictures, number) for number in range(4)], 3)
    engine = Shared(local(model), 4000)
    wanted, whole, sizes = said(engine, asked), Shared._answers, []

    def crowded(self, prepared):
        sizes.append(len(questions_of(prepared.batch)))
        if sizes[-1] > 6:
            raise torch.OutOfMemoryError
        return whole(self, prepared)

    monkeypatch.setattr(Shared, "_answers", crowded)
    assert said(engine, asked) == wanted
    assert max(sizes) == 40
    assert sum(size for size in sizes if size <= 6) == 40


def test_a_question_for_which_memory_never_suffices_is_named(model, monkeypatch):
    def never(self, prepared):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Shared, "_answers", never)
    with pytest.raises(VertebraError, match=r"test, What.*memory does not suffice"):
        said(Shared(local(model), 4000), [question("What?"), question("Which?")])


def test_beyond_the_sliding_window_generate_answers(pictures):
    model = talkative(assembled("llava", "mistral"))
    window = model.network.config.text_config.sliding_window
    asked = [question("seven " * many, noise(pictures, 1), length=3) for many in (1, 2, window, window + 9)]
    assert said(Shared(local(model), 9000), asked) == said(Padded(local(model), 1), asked)


def test_beyond_what_rotary_embeddings_first_learnt_generate_answers(pictures, monkeypatch):
    model = talkative(assembled("llava", "vicuna-s"))
    rope = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0, "original_max_position_embeddings": 64}
    monkeypatch.setattr(model.network.model.language_model.config, "rope_parameters", rope)
    asked = [question("seven " * many, noise(pictures, 1), length=3) for many in (1, 40)]
    padded: list[int] = []
    monkeypatch.setattr(Padded, "answers", lambda _, prepared: padded.append(1) or [""] * len(asked))
    said(Shared(local(model), 9000), asked)
    assert padded == [1]


def test_what_only_generate_can_do_is_left_to_it():
    model = assembled("llava", "phi-3")
    model.network.generation_config.repetition_penalty = 1.1
    assert why_not(model) == "its generation_config asks for repetition_penalty 1.1"


def test_a_question_that_spells_the_image_token_is_named(model):
    with pytest.raises(DataError, match=r"^test, What.*reserved"):
        local(model).prompt(question(f"What is {model.processor.image_token}?"))
