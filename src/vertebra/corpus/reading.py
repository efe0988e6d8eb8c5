"""Records as a model reads them, a block of them at a time.

    Reader(survey, Speech(chat, image_id=32000, image_tokens=576, max_tokens=2048), seed=0, epoch=0).block(0, 256)

Wording and marks of a record depend on (seed, epoch, id) alone, so no worker count, order or restart changes them.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import numpy as np

from vertebra.chat import ChatFormat
from vertebra.chat.encoding import bare
from vertebra.chat.regions import Told, Untellable
from vertebra.chat.template import IGNORED
from vertebra.corpus.look import Look
from vertebra.corpus.survey import Found, Survey
from vertebra.errors import DataError
from vertebra.spec import Json, digest

_TRIES = 1000


class Speech(NamedTuple):
    """How a model reads."""

    chat: ChatFormat
    image_id: int
    """The id that stands for an image."""
    image_tokens: int
    """Positions that an image takes."""
    max_tokens: int
    """Longest sample, images expanded; what is longer is cut off its end."""

    def bare(self) -> "Speech":
        """With the tokenizer's own part alone, which is faster. `Refused` where it has none."""
        return self._replace(chat=replace(self.chat, tokenizer=bare(self.chat.tokenizer)))


class Block(NamedTuple):
    """Some samples that follow each other."""

    ids: np.ndarray
    """int32[T]: token ids, an image once."""
    spans: np.ndarray
    """int32[S, 2]: from where to where in its sample's ids each stretch reaches that carries loss."""
    looks: np.ndarray
    """uint8[B]: the bytes of what is to be seen."""
    sizes: np.ndarray
    """int64[n, 3]: how much of `ids`, `spans` and `looks` is a sample's."""
    lengths: np.ndarray
    supervised: np.ndarray
    images: np.ndarray
    words: np.ndarray
    cut: np.ndarray
    """bool[n]: whether a sample lost a part of its answers."""


class _Read(NamedTuple):
    """A record before it is fitted."""

    ids: Sequence[int]
    labels: Sequence[int]
    look: bytes
    words: int


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads a mixture's records in one epoch."""

    survey: Survey
    speech: Speech
    seed: int
    epoch: int

    def block(self, start: int, stop: int) -> Block:
        """The records of these indices. `DataError` naming one that holds a reserved token or has no answer."""
        return _fitted([self._read(index) for index in range(start, stop)], self.speech)

    def told(self, index: int) -> tuple[Found, Told]:
        """A record put into words, or the one that the published code takes in its place, where that is wanted."""
        found = first = self.survey.found(index)
        rng = random.Random(digest([self.seed, self.epoch, first.record.id]))
        for _ in range(_TRIES):
            try:
                return found, found.record.tell(rng, self.survey.images)
            except Untellable:
                found = self.survey.found(rng.randrange(len(self.survey)))
        raise DataError(f"No record was found that can stand for {first.where}, in {_TRIES} draws.")

    def _read(self, index: int) -> _Read:
        found, told = self.told(index)
        record = found.record
        try:
            sample = self.speech.chat.supervise(told.conversation)
        except DataError as error:
            raise DataError(f"{found.where}: {error}") from error
        if sample.labels.count(IGNORED) == len(sample.labels):
            raise DataError(f"{found.where}: it has no answer to learn from.")
        look = Look(record.id, record.images[: told.conversation.images], told.marks).line()
        return _Read(sample.ids, sample.labels, look, _words(found.fields, told))


def _fitted(read: Sequence[_Read], speech: Speech) -> Block:
    """What `chat.fitting.fit` leaves of each record, all of them at once; of one that loses every answer nothing."""
    sizes = np.array([len(one.ids) for one in read])
    starts = np.cumsum(sizes) - sizes
    ids = np.fromiter(chain.from_iterable(one.ids for one in read), np.int32, sizes.sum())
    loss = np.fromiter(chain.from_iterable(one.labels for one in read), np.int32, sizes.sum()) != IGNORED

    def per_sample(values: np.ndarray, kind: type[np.generic] = np.int32) -> np.ndarray:
        return np.add.reduceat(values, starts, dtype=kind)

    is_image = ids == speech.image_id
    widths = np.where(is_image, speech.image_tokens, 1)
    ends = np.cumsum(widths)
    fits = ends - np.repeat(ends[starts] - widths[starts], sizes) <= speech.max_tokens
    teaches = per_sample(loss & fits) > 0
    kept = fits & np.repeat(teaches, sizes)
    learnt = loss & kept
    is_first, is_last = np.zeros((2, len(ids)), np.bool_)
    is_first[starts] = is_last[starts + sizes - 1] = True
    opens = learnt & (is_first | ~np.roll(learnt, 1))
    closes = learnt & (is_last | ~np.roll(learnt, -1))
    places = np.arange(len(ids)) - np.repeat(starts, sizes)
    return Block(
        ids[kept],
        np.column_stack([places[opens], places[closes] + 1]).astype(np.int32),
        np.frombuffer(b"".join(one.look for one in read), np.uint8),
        np.column_stack([per_sample(kept), per_sample(opens), [len(one.look) for one in read]]).astype(np.int64),
        per_sample(widths * kept),
        per_sample(learnt & ~is_first),
        per_sample(is_image & kept, np.int16),
        np.array([one.words for one in read], np.int32),
        teaches & (per_sample(loss & ~fits) > 0),
    )


def _words(fields: Mapping[str, Json], told: Told) -> int:
    """Words between blanks of a record's messages, placeholders among them, by which LLaVA's sampler groups samples.

    `LazySupervisedDataset.modality_lengths` in https://github.com/haotian-liu/LLaVA/blob/main/llava/train/train.py,
    which has no answer for a record without messages: there each image is a word of what the record is told as.
    """
    messages = fields.get("conversations")
    if isinstance(messages, Sequence):
        return sum(len(str(message["value"]).split()) for message in messages if isinstance(message, Mapping))
    return sum(len(turn.text.split()) + turn.images for turn in told.conversation.turns)
