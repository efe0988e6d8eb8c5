"""Conversations: turns that alternate."""

import pytest

from vertebra.chat import Conversation, Turn


def test_a_turn_is_a_message_whose_images_come_first():
    assert Turn("user", "What?", images=2).message() == {
        "role": "user",
        "content": [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "What?"}],
    }


def test_a_conversation_counts_the_images_of_all_its_turns():
    turns = (Turn("user", "a", images=1), Turn("assistant", "b"), Turn("user", "c", images=2))
    assert Conversation(turns).images == 3


@pytest.mark.parametrize("roles", [["assistant"], ["user", "user"], ["user", "assistant", "assistant"]])
def test_turns_alternate_and_the_user_begins(roles):
    with pytest.raises(AssertionError):
        Conversation(tuple(Turn(role, "x") for role in roles))
