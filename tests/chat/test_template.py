"""Golden strings are the files templates/*.txt, written out by hand from what is published.

LLaVA's llava/conversation.py for vicuna_v1 and llava_v1, ViP-LLaVA's for llama_3 and phi_3, the models' own chat
templates for chatml (Qwen), mistral (7B-Instruct-v0.3), gemma and phi_4.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertebra.catalog import Catalog
from vertebra.chat import ChatFormat, Conversation, Turn
from vertebra.chat.proof import EXAMPLE
from vertebra.chat.template import IGNORED, bound
from vertebra.errors import DataError, Refused

TWO_TURNS = EXAMPLE
ANSWERS = {
    "vicuna_v1": " a cat</s> yes</s>",
    "llava_v1": " a cat</s> yes</s>",
    "llama_3": "a cat<|eot_id|>yes<|eot_id|>",
    "phi_3": "a cat<|end|>yes<|end|>",
    "phi_4": "a cat<|end|>yes<|end|>",
    "chatml": "a cat<|im_end|>yes<|im_end|>",
    "mistral": " a cat</s> yes</s>",
    "gemma": "a cat<end_of_turn>yes<end_of_turn>",
}


class Letters:
    """A tokenizer whose tokens are letters, and a few whole markers."""

    bos_token = "<s>"
    eos_token = "</s>"
    markers = ("<s>", "</s>", "<image>", "<|eot_id|>", "<|end|>", "<|im_end|>", "<end_of_turn>")

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        ids = []
        while text:
            marker = next((marker for marker in self.markers if text.startswith(marker)), None)
            ids.append(self.markers.index(marker) if marker else 1000 + ord(text[0]))
            text = text[len(marker) if marker else 1 :]
        return ids

    def convert_tokens_to_ids(self, tokens: str) -> int:
        return self.markers.index(tokens)

    def text(self, ids: list[int]) -> str:
        return "".join(self.markers[token] if token < 1000 else chr(token - 1000) for token in ids)


def chat_format(name: str, *compat: str, own: str | None = None) -> ChatFormat:
    return ChatFormat(bound(Catalog.installed().template(name), "<image>", compat, own), Letters(), "<image>")


@pytest.mark.parametrize("name", ANSWERS)
def test_a_conversation_is_written_as_published(name):
    assert chat_format(name).render(TWO_TURNS) == Catalog.installed().example(name)


def test_every_format_but_the_tokenizers_own_has_its_example():
    assert {*Catalog.installed().names("templates")} == {*ANSWERS, "plain", "tokenizer"}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_and_their_end_markers_carry_loss_and_nothing_else(name):
    ids, labels = chat_format(name).supervise(TWO_TURNS)
    supervised = Letters().text([label for label in labels if label != IGNORED])
    assert supervised == ANSWERS[name]
    assert all(label in (IGNORED, token) for token, label in zip(ids, labels, strict=True))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_training_sample_begins_with_the_prompt_of_an_evaluation(name):
    chat = chat_format(name)
    asked = Conversation(TWO_TURNS.turns[:1])
    prompt = chat.prompt_ids(asked)
    ids, labels = chat.supervise(Conversation(TWO_TURNS.turns[:2]))
    assert ids[: len(prompt)] == prompt
    assert labels[len(prompt)] != IGNORED
    assert set(labels[: len(prompt)]) == {IGNORED}


def test_the_first_stage_is_the_bare_image_and_its_caption():
    chat = chat_format("plain")
    caption = Conversation((Turn("user", "Describe it.", images=1), Turn("assistant", "a cat")))
    assert chat.render(caption) == "<s><image>a cat\n"
    _, labels = chat.supervise(caption)
    assert Letters().text([label for label in labels if label != IGNORED]) == "a cat\n"


@pytest.mark.parametrize("mark", ["<image>", "\ufdd0", "\ufdd1"])
def test_a_message_cannot_smuggle_in_a_reserved_mark(mark):
    with pytest.raises(DataError, match="reserved"):
        chat_format("phi_3").supervise(Conversation((Turn("user", f"a {mark} b"), Turn("assistant", "c"))))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(ANSWERS)),
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs", "Cn"])), min_size=2, max_size=6),
)
def test_ids_spell_the_rendered_text_whatever_is_said(name, texts):
    texts = [text for text in texts if "<" not in text][: len(texts) // 2 * 2]
    roles = ["user", "assistant"] * 3
    conversation = Conversation(
        tuple(Turn(role, text) for role, text in zip(roles, texts[: len(texts) // 2 * 2], strict=False))
    )
    chat = chat_format(name)
    assert Letters().text(chat.supervise(conversation).ids) == chat.render(conversation)


@pytest.mark.parametrize(
    ("name", "quirk", "usual", "quirky"),
    [
        ("llama_3", "no_newline_after_image", "<image>\nWhat is it?", "<image>What is it?"),
        ("plain", "captions_without_bos", "<s><image>a cat\n", "<image>a cat\n"),
        ("phi_3", "blank_after_bos", "<s><|system|>", "<s> <|system|>"),
        ("vicuna_v1", "blank_after_end", "</s>USER: Sure?", "</s> USER: Sure?"),
        ("llava_v1", "blank_after_end", "</s>USER: Sure?", "</s> USER: Sure?"),
    ],
)
def test_a_quirk_of_the_published_code_is_written_only_where_it_is_wanted(name, quirk, usual, quirky):
    said = Conversation(TWO_TURNS.turns[:2]) if name == "plain" else TWO_TURNS
    plainly, wanted = chat_format(name).render(said), chat_format(name, quirk).render(said)
    assert usual in plainly
    assert plainly.replace(usual, quirky) == wanted


OWN = (
    "{{- bos_token }}{%- for message in messages %}{{- '<' + message.role + '>' + message.content | trim }}"
    "{%- if message.role == 'assistant' %}{{- '</s>\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<assistant>' }}{%- endif %}"
)


def test_a_tokenizers_own_format_is_cut_where_its_prompts_end():
    chat = chat_format("tokenizer", own=OWN)
    ids, labels = chat.supervise(TWO_TURNS)
    assert Letters().text(ids) == "<s><user><image>\nWhat is it?<assistant>a cat</s>\n<user>Sure?<assistant>yes</s>\n"
    assert Letters().text([label for label in labels if label != IGNORED]) == "a cat</s>yes</s>"
    prompt = chat.prompt_ids(Conversation(TWO_TURNS.turns[:3]))
    assert ids[: len(prompt)] == prompt


def test_a_tokenizers_own_format_that_rewrites_what_was_said_is_refused():
    rewriting = OWN.replace("message.content", "(message.content if loop.last else 'long ago')")
    with pytest.raises(Refused, match="earlier turn"):
        chat_format("tokenizer", own=rewriting).supervise(TWO_TURNS)


def test_a_tokenizer_without_a_format_of_its_own_is_refused():
    with pytest.raises(Refused, match="no chat template of its own"):
        chat_format("tokenizer")


def test_a_prompt_does_not_depend_on_the_day():
    dated = "{{- strftime_now('%Y-%m-%d') }}" + OWN
    assert chat_format("tokenizer", own=dated).render(TWO_TURNS).startswith("26 Jul 2024<s>")
