"""What is said, by whom, in which order; the one thing that training and evaluation both render.

Conversation((Turn("user", "What color is the seven?", images=1), Turn("assistant", "red")))
Turn("user", "Compare  with .", images=2, places=(8, 14))    says "Compare <image> with <image>."
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; its images come before its text, or where `places` puts them."""

    role: Role
    text: str
    images: int = 0
    places: tuple[int, ...] = ()
    """For each image how many characters of the text come before it; none need be given where it is none."""

    def __post_init__(self) -> None:
        if not self.places:
            object.__setattr__(self, "places", (0,) * self.images)
        assert len(self.places) == self.images, self
        assert [*self.places] == sorted(self.places), self
        assert all(0 <= place <= len(self.text) for place in self.places), self

    def message(self) -> Mapping[str, object]:
        """The turn as transformers' chat templates take it."""
        content = []
        for start, end in pairwise((0, *self.places)):
            if start < end:
                content.append({"type": "text", "text": self.text[start:end]})
            content.append({"type": "image"})
        last = self.places[-1] if self.places else 0
        return {"role": self.role, "content": [*content, {"type": "text", "text": self.text[last:]}]}


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
