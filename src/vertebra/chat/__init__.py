"""Conversations and how a backbone wants them written. Knows no tensors."""

from vertebra.chat.conversation import Conversation, Turn
from vertebra.chat.template import ChatFormat, Supervised

__all__ = ["ChatFormat", "Conversation", "Supervised", "Turn"]
