"""Questions put to a model, batch by batch: what is in the ledger is not asked again, what is answered is in it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from vertebra.asking.answerer import Answerer, AnswersAhead
from vertebra.asking.ledger import Ledger
from vertebra.asking.questions import Batch, Group, Question, questions_of
from vertebra.errors import Stopped
from vertebra.prefetching import prefetched
from vertebra.runtime import Part


class Said(NamedTuple):
    """What has just been answered, and has been kept."""

    questions: Sequence[Question]
    answers: Sequence[str]


def ask(
    open_: Callable[[], Answerer],
    keys: Mapping[Question, str],
    ledger: Ledger,
    tell: Callable[[Said], None],
    stopping: Callable[[], bool],
    part: Part,
) -> None:
    """Asks what the ledger has no answer to under its key; what has the same key is asked once.

    The model is opened when there is something to ask. `part` answers every so many-th batch. `tell` hears of every
    batch. `Stopped` once `stopping` says so, `DataError` for a picture that cannot be read; both lose nothing answered.
    """
    once: dict[str, Question] = {}
    for question, key in keys.items():
        once.setdefault(key, question)
    if once.keys() <= ledger.answers.keys():
        return
    answerer = open_()
    mine = answerer.batches([*once.values()])[part.number - 1 :: part.of]
    missing = _missing(mine, lambda question: keys[question] in ledger.answers)

    def prepared(batch: Batch) -> tuple[Batch, Any]:
        return batch, answerer.prepare(batch)

    def keep(batch: Batch, answers: Sequence[str], seconds: float) -> None:
        asked = questions_of(batch)
        ledger.add(dict(zip(map(keys.__getitem__, asked), answers, strict=True)), seconds)
        tell(Said(asked, answers))

    with ledger.writing():
        try:
            began = time.monotonic()
            with closing(prefetched(prepared, missing, answerer.ahead)) as laid_out:
                for batch, ready in laid_out:
                    if stopping():
                        raise Stopped(15)
                    answers = answerer.answers(ready)
                    now = time.monotonic()
                    keep(batch, answers, now - began)
                    began = now
        finally:
            for batch, answers in answerer.rest() if isinstance(answerer, AnswersAhead) else ():
                keep(batch, answers, 0.0)


def _missing(batches: Sequence[Batch], is_known: Callable[[Question], bool]) -> Iterator[Batch]:
    """What is left of the batches."""
    for batch in batches:
        left = [Group(picture, tuple(one for one in asked if not is_known(one))) for picture, asked in batch]
        if any(group.questions for group in left):
            yield tuple(group for group in left if group.questions)
