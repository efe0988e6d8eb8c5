"""Records as a model reads them, a block of them at a time.

    Reader(survey, Speech(chat, image_id=32000, image_tokens=576, max_tokens=2048), seed=0, epoch=0).block(0, 256)

Wording and marks of a record depend on (seed, epoch, id) alone, so no worker count, order or restart changes them.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from vertebra.chat import ChatFormat
from vertebra.chat.encoding import bare
from vertebra.chat.regions import Told, Untellable
from vertebra.chat.template import IGNORED
from vertebra.data.look import Look
from vertebra.data.survey import Found, Survey
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
    ids: np.ndarray
    spans: np.ndarray
    look: bytes
    length: int
    supervised: int
    images: int
    words: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads a mixture's records in one epoch."""

    survey: Survey
    speech: Speech
    seed: int
    epoch: int

    def block(self, start: int, stop: int) -> Block:
        """The records of these indices. `DataError` naming one that holds a reserved token or has no answer."""
        read = [self._read(index) for index in range(start, stop)]
        ids, spans, looks, lengths, supervised, images, words, cut = zip(*read, strict=True)
        return Block(
            np.concatenate(ids),
            np.concatenate(spans),
            np.frombuffer(b"".join(looks), np.uint8),
            np.array([*zip(map(len, ids), map(len, spans), map(len, looks), strict=True)], np.int64),
            np.array(lengths, np.int32),
            np.array(supervised, np.int32),
            np.array(images, np.int16),
            np.array(words, np.int32),
            np.array(cut, np.bool_),
        )

    def told(self, index: int) -> tuple[Found, Told]:
        """A record put into words, or the one that the published code takes in its place, where that is wanted."""
        found = self.survey.found(index)
        name = found.record.id
        rng = random.Random(digest([self.seed, self.epoch, name]))
        for _ in range(_TRIES):
            try:
                return found, found.record.tell(rng, self.survey.images)
            except Untellable:
                found = self.survey.found(rng.randrange(len(self.survey)))
        raise DataError(f"No record was found that can stand for record {name}, in {_TRIES} draws.")

    def _read(self, index: int) -> _Read:
        (fields, record), told = self.told(index)
        try:
            sample = self.speech.chat.supervise(told.conversation)
        except DataError as error:
            raise DataError(f"Record {record.id}: {error}") from error
        ids = np.array(sample.ids, np.int32)
        loss = np.array(sample.labels, np.int32) != IGNORED
        if not loss.any():
            raise DataError(f"Record {record.id} has no answer to learn from.")
        is_image = ids == self.speech.image_id
        ends = np.cumsum(np.where(is_image, self.speech.image_tokens, 1))
        kept = int(np.searchsorted(ends, self.speech.max_tokens, "right"))
        look = Look(record.id, record.images[: told.conversation.images], told.marks).line()
        words = _words(fields, told)
        if not loss[:kept].any():
            return _Read(ids[:0], np.empty((0, 2), np.int32), look, 0, 0, 0, words, False)
        return _Read(
            ids[:kept],
            _spans(loss[:kept]),
            look,
            int(ends[kept - 1]),
            int(loss[1:kept].sum()),
            int(is_image[:kept].sum()),
            words,
            bool(loss[kept:].any()),
        )


def _spans(loss: np.ndarray) -> np.ndarray:
    """Where stretches of loss begin and end."""
    edges = np.flatnonzero(np.diff(loss, prepend=False, append=False))
    return edges.astype(np.int32).reshape(-1, 2)


def _words(fields: Mapping[str, Json], told: Told) -> int:
    """Words between blanks of a record's messages, placeholders among them, by which LLaVA's sampler groups samples.

    `LazySupervisedDataset.modality_lengths` in https://github.com/haotian-liu/LLaVA/blob/main/llava/train/train.py,
    which has no answer for a record without messages: there each image is a word of what the record is told as.
    """
    messages = fields.get("conversations")
    if isinstance(messages, Sequence):
        return sum(len(str(message["value"]).split()) for message in messages if isinstance(message, Mapping))
    return sum(len(turn.text.split()) + turn.images for turn in told.conversation.turns)
