"""A tokenizer's own part, against transformers' whole."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.anatomy import BACKBONES, backbone, parts
from tests.chat.test_template import Letters
from transformers import PreTrainedTokenizerFast

from vertebra.chat.encoding import bare
from vertebra.errors import Refused
from vertebra.model.speech import open_tokenizer


@pytest.fixture(scope="module", params=BACKBONES)
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return open_tokenizer(parts() / request.param, backbone(request.param))


@given(data=st.data())
def test_ids_are_those_of_transformers_whatever_is_said(tokenizer, data):
    specials = st.sampled_from([*tokenizer.get_added_vocab(), " ", "\n", "What is the red seven?"])
    text = "".join(data.draw(st.lists(specials | st.text(st.characters(exclude_categories=["Cs"])), max_size=5)))
    assert bare(tokenizer).encode(text, add_special_tokens=False) == tokenizer.encode(text, add_special_tokens=False)


def test_every_token_has_its_id_and_one_that_is_none_is_refused(tokenizer):
    own = bare(tokenizer)
    assert (own.bos_token, own.eos_token) == (tokenizer.bos_token, tokenizer.eos_token)
    assert all(own.convert_tokens_to_ids(token) == number for token, number in tokenizer.get_vocab().items())
    with pytest.raises(Refused, match="knows no token 'nonesuch'"):
        own.convert_tokens_to_ids("nonesuch")


def test_a_tokenizer_that_was_told_to_cut_and_pad_does_neither(tokenizer):
    plain = bare(tokenizer)
    tokenizer(["red seven", "two"], padding="max_length", truncation=True, max_length=2)
    assert bare(tokenizer).encode("red seven", add_special_tokens=False) == plain.encode(
        "red seven", add_special_tokens=False
    )
    assert bare(tokenizer).digest() == plain.digest()


def test_it_is_the_same_in_another_process_and_another_where_a_token_is_added(tokenizer):
    own = bare(tokenizer)
    sent = pickle.loads(pickle.dumps(own))  # noqa: S301
    assert sent.digest() == own.digest()
    assert sent.encode("red seven", add_special_tokens=False) == own.encode("red seven", add_special_tokens=False)
    other = bare(tokenizer)
    other.backend.add_special_tokens(["<new>"])
    assert other.digest() != own.digest()


def test_a_tokenizer_that_is_not_a_fast_one_is_refused():
    with pytest.raises(Refused, match="of the kind Letters"):
        bare(Letters())
