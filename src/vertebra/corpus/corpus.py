"""All samples of a mixture in one epoch, as a model reads them: tokenized once, then mapped into memory.

    corpus = open_corpus(mixture, Path("data"), 0, 0, Speech(chat, 32000, 576, 2048), Path("store/corpora"))
    corpus.lengths      int32[665298]   [ 731,  688, 1204, ...]
    corpus.sample(0)    Sample("000000033471", ids=int32[731], labels=int32[731], images=(<RGB 640×480>,))

Every arm that has the tokenizer, the chat format and the limit in common shares one folder of arrays, and every epoch
and seed do unless the mixture holds records that are told at random. Opening it reads none of them.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from vertebra.chat.encoding import Bare
from vertebra.chat.template import IGNORED
from vertebra.corpus.building import ARRAYS, FILES, MANIFEST, build, is_whole
from vertebra.corpus.exclusion import Digests, Exclusions, read_exclusions, record_digests, remedy
from vertebra.corpus.look import Look
from vertebra.corpus.reading import Reader, Speech
from vertebra.corpus.survey import Progress, absent_files, survey, unheard
from vertebra.errors import DataError, VertebraError
from vertebra.plan import VERSIONS
from vertebra.spec import Json, Mixture, digest

__all__ = ["Corpus", "Progress", "Sample", "Speech", "open_corpus"]

BEARABLE = 0.01
"""Part of a mixture's records that may be lost."""

_FORMAT = 1
"""Raised when the arrays change."""
_MANY = 5_000
"""Records from which on further processes are worth their start."""
_TRIES = 5


class Sample(NamedTuple):
    """What a model learns from at once."""

    id: str
    ids: np.ndarray
    """int32[L]: token ids, each image as many as it takes positions."""
    labels: np.ndarray
    """int32[L]: a position's own id where it carries loss, else -100."""
    images: tuple[Image.Image, ...]
    """RGB at their original sizes, marks drawn, in the order of their places."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Samples in a folder. A process that is sent one opens the folder for itself."""

    folder: Path
    mixture: Mixture
    data: Path
    """The data folder, where the images lie."""
    image_id: int
    image_tokens: int
    faults: tuple[str, ...]
    """What is wrong with the malformed records, which were left out."""
    excluded: tuple[str, ...]
    """Which records were left out because they are listed, and why."""
    lengths: np.ndarray
    """int32[n]: tokens of a sample, images expanded, cut to what is allowed; 0 for one that lost every answer."""
    supervised: np.ndarray
    """int32[n]: tokens that carry loss, which are those of labels[1:]."""
    images: np.ndarray
    """int16[n]: pictures that a sample keeps."""
    words: np.ndarray
    """int32[n]: words between blanks of a sample's messages, `<image>` among them, as LLaVA's `modality_lengths`."""
    _ids: np.ndarray
    _spans: np.ndarray
    _looks: np.ndarray
    _ends: np.ndarray
    _cut: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def __reduce__(self) -> "tuple[Callable[[Path, Mixture, Path], Corpus], tuple[Path, Mixture, Path]]":
        return _opened, (self.folder, self.mixture, self.data)

    @property
    def cut(self) -> tuple[str, ...]:
        """The names of samples that are too long and lost a part of their answers."""
        return tuple(self._look(int(index)).id for index in self._cut)

    @property
    def lost(self) -> tuple[str, ...]:
        """The names of samples that are too long and lost every answer; they teach nothing."""
        return tuple(self._look(int(index)).id for index in np.flatnonzero(self.lengths == 0))

    def name(self, index: int) -> str:
        """A sample's id."""
        return self._look(index).id

    def sample(self, index: int) -> Sample:
        """One sample; one that lost every answer is empty.

        `DataError` naming the record when a picture cannot be read or does not show a region that is marked.
        """
        (start, first, _), (stop, last, _) = self._ends[index : index + 2].tolist()
        ids = np.array(self._ids[start:stop])
        labels = np.full_like(ids, IGNORED)
        for begin, end in self._spans[first:last].tolist():
            labels[begin:end] = ids[begin:end]
        times = np.where(ids == self.image_id, self.image_tokens, 1)
        look = self._look(index)
        try:
            images = look.pictures(self.data / self.mixture.images, int(self.images[index]))
        except DataError as error:
            raise DataError(f"{error} {remedy(self.mixture, self.data)}") from error
        return Sample(look.id, np.repeat(ids, times), np.repeat(labels, times), images)

    def _look(self, index: int) -> Look:
        start, stop = self._ends[index : index + 2, 2].tolist()
        return Look.of(self._looks[start:stop].tobytes())


def demand_answers(corpus: Corpus) -> None:
    """`DataError` when more samples lost every answer than can be borne, or all did."""
    lost = int((corpus.lengths == 0).sum())
    if lost > max(1, BEARABLE * len(corpus)) or lost == len(corpus):
        raise DataError(
            f"{lost} of {len(corpus)} records are so long that no answer of theirs is left, such as "
            f"{', '.join(corpus.lost[:5])}. Raise the stage's `max_tokens` or take them out."
        )


def open_corpus(
    mixture: Mixture,
    folder: Path,
    seed: int,
    epoch: int,
    speech: Speech,
    cache: Path,
    workers: int = 1,
    progress: Progress = unheard,
) -> Corpus:
    """The samples of a mixture under a data folder, from a folder in `cache`, which is built if it is not there.

    `workers` processes build it; `progress` is called every fraction of a second with the records that are done and
    may raise, which ends it at once. `DataError` for a bad record, an image that is not there, another number of
    records than the mixture says, a message with a reserved token, or a record without an answer.
    """
    bare = speech.bare()
    digests = record_digests(mixture, folder)
    excluded = read_exclusions(mixture, folder, digests)
    fixed, told = _keys(mixture, digests, excluded, bare, seed, epoch)
    images = folder / mixture.images
    for _ in range(_TRIES):
        for key in (fixed, told):
            if is_whole(cache / key):
                try:
                    corpus = _opened(cache / key, mixture, folder)
                except OSError:
                    break  # another process has just put a new one in its place
                if any(absent_files(images, {within: names}) for within, names in _files(cache / key)):
                    survey(mixture, folder, progress, excluded)  # says which record lacks it
                return corpus
        found = survey(mixture, folder, progress, excluded)
        facts: dict[str, Json] = {"image_id": speech.image_id, "image_tokens": speech.image_tokens}
        build(
            Reader(found, bare, seed, epoch),
            cache / (fixed if found.is_fixed else told),
            {**facts, "faults": found.faults, "excluded": [str(each) for each in found.excluded]},
            workers if len(found) >= _MANY else 1,
            progress,
        )
    raise VertebraError(f"What is built in {cache} does not stay whole. Is the disk in order, and nobody clearing it?")


def _keys(
    mixture: Mixture, digests: Digests, excluded: Exclusions, speech: Speech, seed: int, epoch: int
) -> tuple[str, str]:
    """The names of the folder with samples that chance has no part in, and of the one where it has.

    Of which kind a mixture is, its files say; a name must not need them read.
    """
    tokenizer = speech.chat.tokenizer
    assert isinstance(tokenizer, Bare), tokenizer
    common: dict[str, Json] = {
        "format": [_FORMAT, VERSIONS["train"], version("tokenizers")],
        "records": [*digests.values()],
        "excluded": [[*each] for each in excluded.values()],
        "mixture": mixture.preimage(),
        "chat": [speech.chat.template, speech.chat.image_token, tokenizer.digest()],
        "image": [speech.image_id, speech.image_tokens],
        "max_tokens": speech.max_tokens,
    }
    return digest(common), digest({**common, "told": [seed, epoch]})


def _opened(folder: Path, mixture: Mixture, data: Path) -> Corpus:
    def array(name: str) -> np.ndarray:
        found: np.ndarray = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return found

    facts = json.loads((folder / MANIFEST).read_bytes())
    return Corpus(
        folder,
        mixture,
        data,
        facts["image_id"],
        facts["image_tokens"],
        tuple(facts["faults"]),
        tuple(facts["excluded"]),
        *map(array, ARRAYS),
    )


def _files(folder: Path) -> Iterator[tuple[str, frozenset[str]]]:
    with (folder / FILES).open(encoding="utf-8") as lines:
        for line in lines:
            within, names = json.loads(line)
            yield within, frozenset(names)
