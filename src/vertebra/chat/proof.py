"""The part of a backbone's contract that needs no network: is it spoken to rightly, and is the right part learned?

Each check tells what it looked at and how much, so that a pass can be believed:

    Check("labels", True, "14 conversations, 24 answers, 276 supervised tokens, told apart in two ways alike")

Labels are made segment by segment; here they are read back the other way: each supervised run is decoded and must be
an answer and its stop, in the order in which the answers were given.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from vertebra.chat.conversation import Conversation, Turn
from vertebra.chat.fitting import fit
from vertebra.chat.template import IGNORED, ChatFormat, Tokenizer
from vertebra.errors import DataError, Refused


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    passed: bool
    figure: str
    """What was seen, or what is wrong."""


class Words(Tokenizer, Protocol):
    """What a proof needs of a tokenizer beyond what speaking needs."""

    def decode(self, token_ids: Sequence[int], *, clean_up_tokenization_spaces: bool) -> str:
        """The text of some ids, special tokens spelled out."""

    def get_vocab(self) -> dict[str, int]:
        """Every token and its id."""


def _talk(*texts: str, images: Sequence[int] = (1,)) -> Conversation:
    """Questions and answers in turn; `images` are those of the questions, none where it ends."""
    counts = [*images, *[0] * len(texts)]
    turns = [
        Turn("assistant", text) if number % 2 else Turn("user", text, counts[number // 2])
        for number, text in enumerate(texts)
    ]
    return Conversation(tuple(turns))


EXAMPLE = _talk("What is it?", "a cat", "Sure?", "yes")
"""What templates/*.txt spell out."""

PROBES = (
    EXAMPLE,
    _talk("Is there a dog?", "No"),
    _talk("Who wrote it?", "I cannot tell.", "And when?", "In 1920, I think.", "Why?", "No idea", images=()),
    _talk("Think of a number.", "7", "Now look. Is it the same?", "Yes, it is 7.", images=(0, 1)),
    _talk("Compare them.", "The second is larger.", "And this?", "The smallest.", images=(2, 1)),
    Conversation((Turn("user", "Is it  or ? Say 好.", 2, (6, 10)), Turn("assistant", "The second."))),
    _talk("List two.\nOne per line.", "1. red\n2. blue\n"),
    _talk("Begin with a new line.", "\nHere it is.", "Again", "\n\nTwice."),
    _talk("这是什么动物？", "一只猫，坐在窗台上。", "何色ですか", "黒です。"),
    _talk("What do they feel? 👩‍👩‍👧", "Joy 🎉🙂, naïve café – “quoted”…"),
    _talk("Say USER: hi ASSISTANT: and then stop.", "USER: hi ASSISTANT: and then stop."),
    _talk("How many?", "  two, with blanks around  ", " 3 ", "4\t5"),
    _talk("Write code.", "```python\nif a  !=  b:\n\tprint('x')\n```", "Bytes?", "\x01 \u200b \u00a0|"),
    _talk("Which option?", "A", "And now?", "B"),
)
"""Conversations on which formats and tokenizers are known to come apart."""


@dataclass(frozen=True)
class Proof:
    """A chat format on a tokenizer, and what the backbone claims of both."""

    chat: ChatFormat
    words: Words
    stop: Sequence[str]
    pad: str
    rows: int
    """Of the model's embedding, before any is added for the image token."""
    example: str | None = None
    """`EXAMPLE` as the format should write it, `<s>`, `</s>` and `<image>` standing for the tokenizer's tokens."""

    @cached_property
    def _known(self) -> dict[str, int]:
        return self.words.get_vocab()

    def checks(self) -> Iterator[Check]:
        """Every check in turn; those that follow one that did not pass may fail with it."""
        if self.example is not None:
            yield self._tried("format", self._format)
        yield self._tried("image token", self._image)
        yield self._tried("stop tokens", self._stops)
        yield self._tried("pad token", self._pad)
        yield self._tried("begin token", self._begin)
        yield self._tried("ids", self._ids)
        yield self._tried("labels", self._labels)
        yield self._tried("prompts", self._prompts)
        yield self._tried("truncation", self._truncation)

    def _tried(self, name: str, look: Callable[[], str]) -> Check:
        try:
            return Check(name, True, look())
        except (Refused, DataError) as error:
            return Check(name, False, str(error))

    def _format(self) -> str:
        written = self.chat.render(EXAMPLE)
        wanted = self.example or ""
        for sign, token in (
            ("<s>", self.words.bos_token),
            ("</s>", self.words.eos_token),
            ("<image>", self.chat.image_token),
        ):
            wanted = wanted.replace(sign, token or "")
        _demand(written == wanted, f"writes {_difference(written, wanted)}")
        return f"{len(wanted)} characters as published"

    def _image(self) -> str:
        token, known = self.chat.image_token, self._known
        _demand(token in known, f"{token!r} is not in the tokenizer's vocabulary")
        ids = self._encoded(f"a{token}{token}\nb")
        _demand(ids.count(known[token]) == 2, f"{token!r} between letters is not one id: {ids}")
        for probe in PROBES:
            found = self.chat.supervise(probe).ids.count(known[token])
            _demand(found == probe.images, f"{probe.images} images are told as {found} in {probe.turns[0].text!r}")
        return f"{token} is id {known[token]}, one for each of {sum(probe.images for probe in PROBES)} images"

    def _stops(self) -> str:
        ids = self._stop_ids()
        for name, number in ids.items():
            _demand(self._encoded(f"a{name}b").count(number) == 1, f"{name!r} behind a letter is not one id")
        learned = {run[-1] for probe in PROBES for run in _runs(*self.chat.supervise(probe)) if run}
        _demand(learned <= {*ids.values()}, f"answers end with {self._spelled(learned)}, which is no stop token")
        _demand(bool(learned), "no answer ends with anything")
        return (
            f"{', '.join(f'{name} is id {number}' for name, number in ids.items())}; learned: {self._spelled(learned)}"
        )

    def _pad(self) -> str:
        known = self._known
        _demand(self.pad in known, f"{self.pad!r} is not in the tokenizer's vocabulary")
        _demand(self.pad not in self.stop, f"{self.pad!r} is a stop token too, which would then never be learned")
        _demand(self.pad != self.chat.image_token, f"{self.pad!r} is the image token too")
        return f"{self.pad} is id {known[self.pad]}"

    def _begin(self) -> str:
        start = self._begins()
        for probe in PROBES:
            ids = self.chat.supervise(probe).ids
            if start:
                _demand(ids[: len(start)] == start, f"a text does not begin with {self._spelled(start)}")
                _demand(ids.count(start[0]) == 1, f"{self._spelled(start)} comes {ids.count(start[0])} times")
            bos = self.words.bos_token
            if bos and ids[0] == self.words.convert_tokens_to_ids(bos):
                _demand(ids[1] != ids[0], f"{bos} comes twice")
        return f"{self._spelled(start)} once in each of {len(PROBES)}" if start else "the tokenizer has none"

    def _ids(self) -> str:
        largest, image = 0, self.words.convert_tokens_to_ids(self.chat.image_token)
        for probe in PROBES:
            written, ids = self.chat.render(probe), self.chat.supervise(probe).ids
            largest = max(largest, *(number for number in ids if number != image))
            spelled = self._decoded(ids)
            _demand(_squeezed(spelled) == _squeezed(written), f"ids spell {_difference(spelled, written)}")
        _demand(largest < self.rows, f"id {largest} is in use, but the embedding has {self.rows} rows")
        return f"{len(PROBES)} conversations spelled back; largest id {largest} of {self.rows} rows"

    def _labels(self) -> str:
        answers = tokens = 0
        stops = {*self._stop_ids().values()}
        for probe in PROBES:
            ids, labels = self.chat.supervise(probe)
            _demand(all(label in (IGNORED, token) for token, label in zip(ids, labels, strict=True)), "a label is off")
            given = [turn.text for turn in probe.turns if turn.role == "assistant"]
            runs = [run for run in _runs(ids, labels) if run]
            _demand(len(runs) == len(given), f"{len(given)} answers, but {len(runs)} supervised runs")
            for text, run in zip(given, runs, strict=True):
                _demand(not stops.isdisjoint(run), f"the answer {text!r} has no stop token to learn")
                _demand(stops.isdisjoint(run[:-1]), f"more than the stop is learned behind the answer {text!r}")
                spelled = self._decoded(run[:-1])
                _demand(spelled.strip() == text.strip(), f"instead of the answer {text!r}, {spelled!r} is learned")
            answers, tokens = answers + len(runs), tokens + sum(map(len, runs))
        return f"{len(PROBES)} conversations, {answers} answers, {tokens} supervised tokens, told in two ways alike"

    def _prompts(self) -> str:
        compared = 0
        for probe in PROBES:
            ids, labels = self.chat.supervise(probe)
            starts = [at for at in range(len(ids)) if labels[at] != IGNORED and labels[at - 1] == IGNORED]
            answers = [number for number, turn in enumerate(probe.turns) if turn.role == "assistant"]
            for start, number in zip(starts, answers, strict=False):
                asked = self.chat.prompt_ids(Conversation(probe.turns[:number]))
                _demand(asked == ids[:start], f"trained: {self._tail(ids[:start])}, asked: {self._tail(asked)}")
                compared += 1
        return f"{compared} prompts as trained on"

    def _truncation(self) -> str:
        image, cuts = self.words.convert_tokens_to_ids(self.chat.image_token), 0
        for probe in PROBES:
            sample = self.chat.supervise(probe)
            whole = fit(sample, image, 5, 10**6)
            for longest in range(1, len(whole.ids) + 2):
                cut = fit(sample, image, 5, longest)
                kept = sum(label != IGNORED for label in cut.labels)
                _demand(whole.ids[: len(cut.ids)] == cut.ids, "a cut sample does not begin as the whole one")
                _demand(kept + cut.lost == sum(label != IGNORED for label in whole.labels), "a token is lost uncounted")
                _demand(cut.ids.count(image) == 5 * cut.images, "an image is cut in two")
                cuts += 1
        return f"{cuts} cuts, every lost token counted"

    def _begins(self) -> list[int]:
        """What the tokenizer by itself puts before a text."""
        plain, whole = self._encoded("a"), self.words.encode("a", add_special_tokens=True)
        return whole[: whole.index(plain[0])] if plain and plain[0] in whole else []

    def _stop_ids(self) -> dict[str, int]:
        known = self._known
        absent = [name for name in self.stop if name not in known]
        _demand(not absent, f"the stop token {', '.join(map(repr, absent))} is not in the tokenizer's vocabulary")
        return {name: known[name] for name in self.stop}

    def _encoded(self, text: str) -> list[int]:
        return self.words.encode(text, add_special_tokens=False)

    def _decoded(self, ids: Sequence[int]) -> str:
        return self.words.decode(ids, clean_up_tokenization_spaces=False)

    def _spelled(self, ids: Sequence[int] | set[int]) -> str:
        return ", ".join(repr(self._decoded([number])) for number in sorted(ids))

    def _tail(self, ids: Sequence[int]) -> str:
        return f"…{self._decoded(ids[-12:])!r}"


def _demand(holds: bool, complaint: str) -> None:
    if not holds:
        raise Refused(complaint)


def _runs(ids: Sequence[int], labels: Sequence[int]) -> Iterator[list[int]]:
    """The ids of each stretch that carries loss."""
    run: list[int] = []
    for token, label in zip(ids, labels, strict=True):
        if label != IGNORED:
            run.append(token)
        elif run:
            yield run
            run = []
    yield run


def _squeezed(text: str) -> str:
    """Without blanks: tokenizers swallow some beside special tokens, and put one before a text."""
    return "".join(text.split())


def _difference(found: str, wanted: str) -> str:
    """Where two texts part, with a little of what comes before."""
    at = next(
        (at for at, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted))
    )
    start = max(0, at - 12)
    return f"{found[start : at + 24]!r} for {wanted[start : at + 24]!r}"
