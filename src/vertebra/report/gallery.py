"""What every model answered to every question, packed for the page: it unfolds a benchmark when it is looked at.

    {"ids": ["1", "2"], "questions": ["Is there a three in the image?\\nAnswer ..."], "texts": ["yes", "no"],
     "gold": [0, 1], "groups": {"subset": {"values": ["adversarial"], "of": [[0], [0]]}}, "pictures": [17, -2],
     "models": [{"answers": [0, 0], "parsed": [0, 0], "scores": [1, 0]}]}

`answers`, `parsed` and `gold` are places in `texts`, -1 for none. Pictures are small; those of questions that models
answer differently come first, benchmarks in turn, until their budget is full.
"""

import base64
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import NamedTuple

from vertebra.collector import uncollected
from vertebra.report.answered import Answered, Given, read_answered
from vertebra.report.grid import benchmark_title, plain
from vertebra.report.questions import Questions
from vertebra.report.rows import Cell
from vertebra.report.thumbnails import LEFT_OUT, NO_PICTURE, Thumbnails, Wanted, thumbnails
from vertebra.scoring.benchmark import Benchmark, Sample
from vertebra.spec import Json
from vertebra.visual.marks import Mark

BUDGET = 24_000_000
"""Characters that the pictures of a page may take."""
LONGEST = 2_000
"""Characters of a text that are shown."""
IN_A_BLOCK = 128
"""Pictures that are unpacked together."""


class Entry(NamedTuple):
    """A benchmark's questions under one protocol."""

    key: str
    """Its name in addresses: the benchmark, and the protocol where there are several."""
    benchmark: str
    protocol: str
    title: str
    block: str
    judged: bool
    """Whether the scores are a judge's, and what is right a reference for it."""
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gallery:
    """The questions of a study for its page."""

    entries: tuple[Entry, ...]
    blocks: Mapping[str, str]
    """Name -> base64: of questions deflated JSON, of pictures a JSON list."""
    notes: tuple[str, ...]
    """One sentence each, for readers."""

    @property
    def index(self) -> Json:
        """What a page has to know before anything is unpacked."""
        shown: list[Json] = [
            {
                "key": each.key,
                "title": each.title,
                "block": each.block,
                "judged": each.judged,
                "models": list(each.models),
            }
            for each in self.entries
        ]
        return {"benchmarks": shown, "in_a_block": IN_A_BLOCK}


@uncollected()
def build_gallery(
    cells: Sequence[Cell],
    benchmarks: Mapping[str, Benchmark],
    questions: Questions,
    first: Iterable[tuple[str, str]] = (),
    budget: int = BUDGET,
) -> Gallery:
    """The gallery of all cells that are scored; pictures of `first`, benchmark and question, come before others."""
    shown, data = list(read_answered(cells, questions)), questions.data
    wanted = _in_turns(shown, data, frozenset(first)) if data else {}
    small = thumbnails(list(wanted.values()), budget * 3 // 4)
    places = dict(zip(wanted, small.place, strict=True))
    blocks, entries = {}, list[Entry]()
    for number, answered in enumerate(shown):
        document = _document(answered, places)
        blocks[f"questions-{number}"] = _deflated(document)
        entries.append(_entry(answered, shown, f"questions-{number}", benchmarks.get(answered.benchmark)))
    for number, start in enumerate(range(0, len(small.pictures), IN_A_BLOCK)):
        some = small.pictures[start : start + IN_A_BLOCK]
        blocks[f"pictures-{number}"] = json.dumps([base64.b64encode(each).decode("ascii") for each in some])
    return Gallery(tuple(entries), blocks, tuple(_notes(cells, shown, small, data)))


class _Key(NamedTuple):
    """A picture as it is shown."""

    benchmark: str
    image: str
    marks: tuple[Mark, ...]

    @classmethod
    def of(cls, answered: Answered, question: str) -> "_Key | None":
        """That of a question; None where it has none, or where it is not known."""
        sample = answered.samples.get(question)
        return cls(answered.benchmark, sample.image, sample.marks) if sample and sample.image else None


def _in_turns(shown: Sequence[Answered], data: Path, first: frozenset[tuple[str, str]]) -> dict[_Key, Wanted]:
    """All pictures, each once: those of `first`, then of disputed questions, then the others, benchmarks in turn."""
    ranks: dict[int, list[list[tuple[_Key, Wanted]]]] = {0: [], 1: [], 2: []}
    for answered in shown:
        found: dict[int, list[tuple[_Key, Wanted]]] = {0: [], 1: [], 2: []}
        for question in answered.ids:
            if key := _Key.of(answered, question):
                path = data / answered.benchmark / key.image
                rank = 0 if (answered.benchmark, question) in first else 1 if answered.is_disputed(question) else 2
                found[rank].append((key, Wanted(path, key.marks, f"{answered.benchmark}, question {question}")))
        for rank, several in found.items():
            ranks[rank].append(several)
    wanted: dict[_Key, Wanted] = {}
    for lists in ranks.values():
        for each in chain.from_iterable(zip_longest(*lists)):
            if each:
                wanted.setdefault(*each)
    return wanted


def _document(answered: Answered, places: Mapping[_Key, int]) -> Json:
    texts = _Texts()
    samples = [answered.samples.get(each) for each in answered.ids]
    keys = [_Key.of(answered, each) for each in answered.ids]
    return {
        "ids": [plain(each) for each in answered.ids],
        "questions": [
            _clipped(sample.text if sample else answered.prompts.get(each, ""))
            for each, sample in zip(answered.ids, samples, strict=True)
        ],
        "gold": [texts.place(_gold(sample.gold)) if sample else -1 for sample in samples],
        "groups": _groups(samples),
        "pictures": [places.get(key, LEFT_OUT) if key else NO_PICTURE for key in keys],
        "models": [_model(given, answered.ids, texts) for given in answered.models.values()],
        "texts": list(texts.known),
    }


class _Texts:
    """Texts that recur, each once."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def place(self, text: str | None) -> int:
        """A text's place; -1 where there is none."""
        return -1 if text is None else self.known.setdefault(_clipped(text), len(self.known))


def _model(given: Mapping[str, Given], ids: Sequence[str], texts: _Texts) -> Json:
    """Its column; a question that it was not asked has no score."""
    found = [given.get(each) for each in ids]
    return {
        "answers": [texts.place(each.answer) if each else -1 for each in found],
        "parsed": [texts.place(each.parsed) if each else -1 for each in found],
        "scores": [_score(each.score) if each else None for each in found],
    }


def _score(score: float) -> Json:
    return int(score) if score.is_integer() else round(score, 4)


def _gold(gold: Sequence[str]) -> str:
    """`white ×7 · yellow`: each right answer once, the most frequent first."""
    counted = Counter(gold).most_common()
    return " · ".join(text if times == 1 else f"{text} ×{times}" for text, times in counted)


def _groups(samples: Sequence[Sample | None]) -> Json:
    """Dimension -> its values, and of each question the places of those that it counts under."""
    found: dict[str, Json] = {}
    for dimension in dict.fromkeys(each for sample in samples if sample for each in sample.groups):
        values: dict[str, int] = {}
        of: list[Json] = []
        for sample in samples:
            value = sample.groups.get(dimension, ()) if sample else ()
            several = (value,) if isinstance(value, str) else value
            of.append([values.setdefault(plain(each), len(values)) for each in several])
        found[plain(dimension)] = {"values": list(values), "of": of}
    return found


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"


def _deflated(document: Json) -> str:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode("ascii"), 6)).decode("ascii")


def _entry(answered: Answered, shown: Sequence[Answered], block: str, benchmark: Benchmark | None) -> Entry:
    name, protocol = answered.benchmark, answered.protocol
    several = sum(each.benchmark == name for each in shown) > 1
    return Entry(
        key=plain(f"{name}/{protocol}" if several else name),
        benchmark=name,
        protocol=protocol,
        title=benchmark_title(name) + (f" ({plain(protocol)})" if several else ""),
        block=block,
        judged=benchmark is not None and benchmark.judged,
        models=tuple(map(plain, answered.models)),
    )


def _notes(cells: Sequence[Cell], shown: Sequence[Answered], small: Thumbnails, data: Path | None) -> Iterator[str]:
    if len({cell.seed for cell in cells}) > 1:
        yield "Each model is shown by the first of its seeds that is scored."
    if data is None:
        yield "Right answers, groups and pictures are shown where the benchmarks' files are at hand: give --data."
        return

    def told(complaint: str) -> str:
        """Without the folders of this machine, which are no part of what was found."""
        return plain(complaint.replace(f"{data}{os.sep}", ""))

    if complaints := [f"{benchmark_title(each.benchmark)}: {each.complaint}" for each in shown if each.complaint]:
        yield f"Without right answers, groups and pictures: {' '.join(map(told, complaints))}"
    if small.left_out:
        yield f"{small.left_out:,} of {len(small.place):,} pictures are left out to keep the page small."
    if small.complaints:
        more = len(small.complaints) - 1
        others = f" And {more:,} more." if more else ""
        yield f"Pictures that cannot be read: {told(small.complaints[0])}{others}"
