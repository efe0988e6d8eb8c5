"""A LLaVA in this process: how it is spoken to, what it sees, and what its tokens say."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vertebra.asking.questions import Batch, Question
from vertebra.chat import Conversation, Turn
from vertebra.data import Eyes
from vertebra.errors import DataError
from vertebra.model import VisionLanguageModel
from vertebra.model.checkpoint import device_of
from vertebra.predict.speech import said, stops_of
from vertebra.visual.images import read_image
from vertebra.visual.marks import draw


class Prepared(NamedTuple):
    """A batch that is ready to be asked."""

    batch: Batch
    squares: Tensor | None
    """uint8[pictures, side, side, 3], those of the groups that have one, in their order."""

    def of(self, batch: Batch) -> "Prepared":
        """A part of the batch, cut between groups or questions."""
        places = [picture.content for picture, _ in self.batch if picture]
        chosen = [places.index(picture.content) for picture, _ in batch if picture]
        return Prepared(batch, self.squares[chosen] if chosen and self.squares is not None else None)


@dataclass(frozen=True, slots=True)
class Local:
    """A model in place, and its eyes."""

    model: VisionLanguageModel
    eyes: Eyes
    threads: int = 1
    """That read pictures ahead."""
    first: tuple[int, ...] = ()
    """Ids that begin every prompt before those of its chat format."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return device_of(self.model.network)

    @property
    def stops(self) -> frozenset[int]:
        """Tokens that end an answer."""
        return stops_of(self.model.network)

    def prepare(self, batch: Batch) -> Prepared:
        """The batch with its pictures; marks are drawn at a picture's own size. `DataError` where one is unreadable."""
        seen = [
            draw(read_image(picture.path, questions[0].where), picture.marks) for picture, questions in batch if picture
        ]
        return Prepared(batch, self.eyes.squares(seen) if seen else None)

    def pixels(self, squares: Tensor) -> Tensor:
        """float[pictures, 3, side, side] as the tower takes them, on its device."""
        return self.eyes.normalised(squares.to(self.device)).to(self.model.network.dtype)

    def prompt(self, question: Question) -> list[int]:
        """Token ids, a picture taking as many as the tower has patches. `DataError` for text with a reserved token."""
        turn = Turn("user", question.text, images=int(question.picture is not None))
        try:
            return [*self.first, *self.model.prompt_ids(Conversation((turn,)))]
        except DataError as error:
            raise DataError(f"{question.where}: {error}") from error

    def text(self, ids: list[int]) -> str:
        """What is said by an answer's tokens, up to the one that ends it."""
        return said(ids, self.stops, self.model.processor.tokenizer)
