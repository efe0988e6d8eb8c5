"""What is said, by whom, in which order; the one thing that training and evaluation both render.

Conversation((Turn("user", "What color is the seven?", images=1), Turn("assistant", "red")))
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; its images come before its text."""

    role: Role
    text: str
    images: int = 0

    def message(self) -> Mapping[str, object]:
        """The turn as transformers' chat templates take it."""
        images = [{"type": "image"}] * self.images
        return {"role": self.role, "content": [*images, {"type": "text", "text": self.text}]}


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns that alternate, the user's first."""

    turns: tuple[Turn, ...]

    def __post_init__(self) -> None:
        roles = [turn.role for turn in self.turns]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"] * (len(roles) % 2), roles

    @property
    def images(self) -> int:
        """Images in all turns."""
        return sum(turn.images for turn in self.turns)
