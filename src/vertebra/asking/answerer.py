"""Who is asked: a model in this process, or one behind an endpoint."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from vertebra.asking.questions import Batch, Question


class Answerer(Protocol):
    """A model that can be asked."""

    @property
    def ahead(self) -> int:
        """Threads that prepare batches while another is answered."""

    def batches(self, questions: Sequence[Question]) -> list[Batch]:
        """The questions in the batches in which they are best asked; these follow from them alone."""

    def prepare(self, batch: Batch) -> Any:
        """What can be done ahead in another thread. `DataError` for a picture that cannot be read."""

    def answers(self, prepared: Any) -> list[str]:
        """An answer for each question of the batch, in its order, stripped and without special tokens."""


@runtime_checkable
class AnswersAhead(Answerer, Protocol):
    """One whose `prepare` already gets the answers, so that some are there when asking ends early."""

    def rest(self) -> list[tuple[Batch, list[str]]]:
        """Answers that are there and were not fetched; asked for once all threads have ended."""
