"""Shared beginnings, against reading every question on its own."""

from itertools import chain

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    Gemma2Config,
    Gemma2Model,
    LlamaConfig,
    LlamaModel,
    MistralConfig,
    MistralModel,
    Phi3Config,
    Phi3Model,
    Qwen2Config,
    Qwen2Model,
    Qwen3Config,
    Qwen3Model,
    StableLmConfig,
    StableLmModel,
)

from vertebra.errors import Refused
from vertebra.model.sharing import Sharing, begin_with, read, shares, sharing

SIZES = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 90, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2,
}  # fmt: skip
KINDS = {
    "llama": (LlamaModel, LlamaConfig, {}),
    "llama-mha": (LlamaModel, LlamaConfig, {"num_key_value_heads": 4}),
    "phi-3": (Phi3Model, Phi3Config, {"sliding_window": 100}),
    "qwen2": (Qwen2Model, Qwen2Config, {}),
    "qwen3": (Qwen3Model, Qwen3Config, {"head_dim": 16}),
    "mistral": (MistralModel, MistralConfig, {"sliding_window": 100}),
}


def language(kind):
    model, config, own = KINDS[kind]
    torch.manual_seed(0)
    return model(config(**{**SIZES, **own})).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_sharing_is_proven_on_a_models_own_weights(kind):
    assert shares(language(kind), torch.arange(2, 66).unsqueeze(0)) is None


@settings(max_examples=30, deadline=None)
@given(
    begin=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    kind=st.sampled_from(["llama", "qwen3"]),
    words=st.integers(0, 70),
)
@torch.no_grad()
def test_states_are_those_of_each_question_alone(begin, seed, kind, words):
    """Of any number of groups, questions and lengths, some of which end before others."""
    model, rng = language(kind), torch.Generator().manual_seed(seed)

    def some(low, high):
        return int(torch.randint(low, high, (), generator=rng))

    def ids(number):
        return torch.randint(3, 90, (1, number), generator=rng)

    own = [[some(1, 9) for _ in range(some(1, 4))] for _ in begin]
    lengths = [*chain(*own)]
    beginnings = [ids(length) for length in begin]
    texts = [torch.cat([beginnings[group], ids(length)], 1) for group, several in enumerate(own) for length in several]
    batch = Sharing(begin, own, 3, torch.device("cpu"))
    embed, rests = (
        model.get_input_embeddings(),
        [text[:, -length:] for text, length in zip(texts, lengths, strict=True)],
    )
    with sharing(model):
        begin_with(model, batch, embed(torch.cat(beginnings, 1)))
        states = read(model, batch, embed(torch.cat(rests, 1)), batch.questions())
        ends = torch.tensor(lengths).cumsum(0) - 1
        found = {place: [state] for place, state in enumerate(states[ends])}
        live = [*range(len(texts))]
        for word in range(words):
            going = [place for place in range(len(live)) if len(live) == 1 or some(0, 30)]
            if word % 9 == 0 and len(going) < len(live):
                batch.keep(going)
                live = [live[place] for place in going]
            if not live:
                break
            new = ids(len(live))
            for place, token in zip(live, new[0], strict=True):
                texts[place] = torch.cat([texts[place], token.view(1, 1)], 1)
            for place, state in zip(live, read(model, batch, embed(new), batch.words()), strict=True):
                found[place].append(state)
    for place, text in enumerate(texts):
        wanted = model(input_ids=text, use_cache=False).last_hidden_state[0, -len(found[place]) :]
        assert torch.allclose(torch.stack(found[place]), wanted, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_an_accelerators_kernel_gives_the_same_states(kind, kernel):
    assert shares(language(kind), torch.arange(2, 66).unsqueeze(0)) is None
    assert len(kernel) == 2 + 3 * (2 + 2), "the beginnings but for the last layer; questions and their own; two words"


@torch.no_grad()
def test_an_accelerators_kernel_answers_a_question_whose_neighbours_have_ended(kernel):
    """One question about each picture, as in many benchmarks: once it is answered its beginning is asked nothing."""
    model, begin = language("llama"), (4, 6, 5)
    texts = [torch.arange(first, first + 12).unsqueeze(0) for first in (3, 23, 43)]
    embed, batch = model.get_input_embeddings(), Sharing(begin, [[2], [2], [2]], 3, torch.device("cpu"))

    def row(of, start, end):
        """Embeddings of these texts' tokens, counted from the ends of their beginnings."""
        return embed(torch.cat([texts[place][:, begin[place] + start : begin[place] + end] for place in of], 1))

    with sharing(model):
        begin_with(model, batch, embed(torch.cat([text[:, :end] for text, end in zip(texts, begin, strict=True)], 1)))
        read(model, batch, row((0, 1, 2), 0, 2), batch.questions())
        read(model, batch, row((0, 1, 2), 2, 3), batch.words())
        batch.keep([1])
        found = read(model, batch, row((1,), 3, 4), batch.words())
    wanted = model(input_ids=texts[1][:, :10], use_cache=False).last_hidden_state[0, -1:]
    assert torch.allclose(found, wanted, atol=2e-5, rtol=1e-4)
    assert min(kernel) > 1, "told of no more than one query each, it would take none to have none"


def test_the_last_layer_of_a_beginning_is_not_worked_out():
    model, ran = language("llama"), []
    for number, layer in enumerate(model.layers):
        layer.mlp.register_forward_pre_hook(lambda *_, number=number: ran.append(number))
    with torch.no_grad(), sharing(model):
        batch = Sharing([5], [[2]], 3, torch.device("cpu"))
        begin_with(model, batch, model.get_input_embeddings()(torch.arange(3, 8).unsqueeze(0)))
    assert ran == [0, 1]


def test_in_half_precision_states_differ_by_rounding_alone():
    assert shares(language("llama").bfloat16(), torch.arange(2, 66).unsqueeze(0)) is None


def test_afterwards_a_model_attends_as_before():
    model = language("llama")
    ids = torch.arange(3, 40).unsqueeze(0)
    before = model(input_ids=ids).last_hidden_state
    shares(model, ids)
    assert torch.equal(model(input_ids=ids).last_hidden_state, before)


def test_a_window_that_a_question_outgrows_is_refused():
    model = MistralModel(MistralConfig(**SIZES, sliding_window=20)).eval()
    assert "sliding window of 20" in (shares(model, torch.arange(2, 66).unsqueeze(0)) or "")
    batch = Sharing([10], [[4]], 3, torch.device("cpu"))
    embed = model.get_input_embeddings()
    with torch.no_grad(), sharing(model):
        begin_with(model, batch, embed(torch.arange(3, 13).unsqueeze(0)))
        read(model, batch, embed(torch.arange(4).unsqueeze(0)), batch.questions())
        for _ in range(6):
            read(model, batch, embed(torch.tensor([[5]])), batch.words())
        with pytest.raises(Refused, match="sliding window of 20"):
            read(model, batch, embed(torch.tensor([[5]])), batch.words())


def test_attention_that_is_capped_or_hands_nothing_on_is_refused():
    capped = Gemma2Model(Gemma2Config(**SIZES, head_dim=8, attn_logit_softcapping=5.0)).eval()
    assert "softcap" in (shares(capped, torch.arange(2, 66).unsqueeze(0)) or "")
    silent = StableLmModel(StableLmConfig(**SIZES)).eval()
    assert "does not hand on what is shared" in (shares(silent, torch.arange(2, 66).unsqueeze(0)) or "")
