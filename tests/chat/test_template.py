"""Golden strings: the published formats (LLaVA's llava/conversation.py, ViP-LLaVA's llama_3 and phi_3), written out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertebra.catalog import Catalog
from vertebra.chat import ChatFormat, Conversation, Turn
from vertebra.chat.template import IGNORED
from vertebra.errors import DataError

EYES = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)
CURIOUS = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the user's questions."
)
TWO_TURNS = Conversation(
    (Turn("user", "What is it?", images=1), Turn("assistant", "a cat"), Turn("user", "Sure?"), Turn("assistant", "yes"))
)
GOLDEN = {
    "vicuna_v1": (
        f"<s>{CURIOUS} USER: <image>\nWhat is it? ASSISTANT: a cat</s>USER: Sure? ASSISTANT: yes</s>",
        [" a cat</s>", " yes</s>"],
    ),
    "llama_3": (
        f"<s><|start_header_id|>system<|end_header_id|>\n\n{EYES}<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n<image>\nWhat is it?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\na cat<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nSure?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nyes<|eot_id|>",
        ["a cat<|eot_id|>", "yes<|eot_id|>"],
    ),
    "phi_3": (
        f"<s><|system|>\n{EYES}<|end|>\n<|user|>\n<image>\nWhat is it?<|end|>\n<|assistant|>\na cat<|end|>\n"
        "<|user|>\nSure?<|end|>\n<|assistant|>\nyes<|end|>\n",
        ["a cat<|end|>", "yes<|end|>"],
    ),
}


class Letters:
    """A tokenizer whose tokens are letters, and a few whole markers."""

    bos_token = "<s>"
    eos_token = "</s>"
    markers = ("<s>", "</s>", "<image>", "<|eot_id|>", "<|end|>")

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


def chat_format(name: str) -> ChatFormat:
    return ChatFormat(Catalog.installed().template(name), Letters(), "<image>")


@pytest.mark.parametrize("name", GOLDEN)
def test_a_conversation_is_written_as_published(name):
    assert chat_format(name).render(TWO_TURNS) == GOLDEN[name][0]


@pytest.mark.parametrize("name", GOLDEN)
def test_answers_and_their_end_markers_carry_loss_and_nothing_else(name):
    ids, labels = chat_format(name).supervise(TWO_TURNS)
    supervised = Letters().text([label for label in labels if label != IGNORED])
    assert supervised == "".join(GOLDEN[name][1])
    assert all(label in (IGNORED, token) for token, label in zip(ids, labels, strict=True))


@pytest.mark.parametrize("name", GOLDEN)
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
    name=st.sampled_from(sorted(GOLDEN)),
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
