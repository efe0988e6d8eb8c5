"""Conversations: turns that alternate."""

import pytest

from vertebra.chat import Conversation, Turn


def test_a_turn_is_a_message_whose_images_come_first():
    assert Turn("user", "What?", images=2).message() == {
        "role": "user",
        "content": [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "What?"}],
    }


def test_images_stand_between_the_words_where_places_puts_them():
    said = Turn("user", "It is .", images=2, places=(6, 7)).message()["content"]
    image = {"type": "image"}
    assert said == [{"type": "text", "text": "It is "}, image, {"type": "text", "text": "."}, image,
                    {"type": "text", "text": ""}]  # fmt: skip
    assert Turn("user", "What?", images=2, places=(0, 0)) == Turn("user", "What?", images=2)


@pytest.mark.parametrize("places", [(1,), (2, 1), (0, 9), (-1, 0)])
def test_every_image_has_its_place_in_the_text(places):
    with pytest.raises(AssertionError):
        Turn("user", "What?", images=2, places=places)


def test_a_conversation_counts_the_images_of_all_its_turns():
    turns = (Turn("user", "a", images=1), Turn("assistant", "b"), Turn("user", "c", images=2))
    assert Conversation(turns).images == 3


@pytest.mark.parametrize("roles", [["assistant"], ["user", "user"], ["user", "assistant", "assistant"]])
def test_turns_alternate_and_the_user_begins(roles):
    with pytest.raises(AssertionError):
        Conversation(tuple(Turn(role, "x") for role in roles))
