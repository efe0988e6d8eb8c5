"""A model behind an OpenAI-compatible endpoint (vLLM, SGLang, `transformers serve`, OpenAI) answers a step's questions.

    bench.spec["model"]    {"endpoint": "http://localhost:8000/v1", "name": "llava-1.5-7b"}

A question is one message, its picture before its text. A picture goes as its file's bytes where every reader sees the
same in them, else, and with marks drawn, as a PNG of what a model in this process would see. So many questions are
under way at once as Runtime's `concurrency` says; those about one picture follow each other, for servers that keep a
prompt's beginning. No torch here.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING

from PIL import Image
from pydantic import SecretStr

from vertebra.asking.questions import Batch, Picture, Question, grouped, one_by_one
from vertebra.asking.step import answer
from vertebra.bench import Bench
from vertebra.endpoint import Chat, Reply, Server, base_url
from vertebra.errors import ConfigError, Refused, Stopped, VertebraError
from vertebra.runtime import Runtime
from vertebra.spec import Json
from vertebra.visual.images import FORMATS, orientation, read_image
from vertebra.visual.marks import draw

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionContentPartParam

VERSION = 1
"""Raised when the same question to the same model may get another answer: all are asked again."""

_TIMEOUT, _DEADLINE = 600.0, 1800.0
"""Seconds: a server that answers one after the other lets the last of many wait."""
_LAST_WORDS = 10.0
"""Seconds that questions under way may still take after a signal; they may have been paid for."""
_LOOK = 0.2
_SEED = (1 << 31) - 1
"""Of a question's seed, the bits that every server takes."""


def predict(bench: Bench, runtime: Runtime, key: SecretStr) -> None:
    """Has all questions of the step's benchmark answered into `out/answers.jsonl`; `Stopped` after a signal, resumable.

    `VertebraError` when the server refuses, cannot be reached, or gives no answer to a question; those that others got
    are kept, and the same command asks what is missing.
    """
    model = bench.spec["model"]
    assert isinstance(model, Mapping)
    url = base_url("a model's", str(model["endpoint"]), {})
    answer_by(Server(str(model["name"]), url, key, timeout=_TIMEOUT, deadline=_DEADLINE), bench, runtime)


def answer_by(server: Server, bench: Bench, runtime: Runtime) -> None:
    """What `predict` does, by this server."""
    identity: Json = {"endpoint": server.place, "name": server.name, "engine": "endpoint", "version": VERSION}
    with ExitStack() as stack:

        def open_() -> Endpoint:
            return stack.enter_context(opened(server, runtime.concurrency, bench.stopping))

        # Nothing is won by asking other benchmarks' questions along, and their failures are theirs.
        answer(replace(bench, beside=()), runtime, identity, open_, runtime.part)


@contextmanager
def opened(server: Server, at_once: int, stopping: Callable[[], bool]) -> Iterator["Endpoint"]:
    """A server to put so many questions to at once. `ConfigError` without a key for OpenAI."""
    from anyio.from_thread import start_blocking_portal

    if server.lacks_key:
        raise ConfigError(f"{server.name} at {server.place} needs a key. Set OPENAI_API_KEY.")
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server.connected()) as ask:
        yield Endpoint(server, at_once, stopping, lambda chat: portal.start_task_soon(ask, chat))


@dataclass(slots=True)
class Endpoint:
    """A server, asked by several threads, each of which waits for one answer. An `AnswersAhead`."""

    server: Server
    ahead: int
    """Threads, and so questions under way at once."""
    stopping: Callable[[], bool]
    say: Callable[[Chat], "Future[Reply]"]
    _waiting: dict[Batch, str] = field(default_factory=dict)
    """Answers that nobody has fetched yet."""
    _failure: VertebraError | None = None
    """The first one; what is under way goes on, and nothing else is asked."""
    _patience: float | None = None
    """Until when questions under way are waited for, once a signal came."""

    def batches(self, questions: Sequence[Question]) -> list[Batch]:
        """One question each. `Refused` for one that is to be answered by a beam search."""
        for question in questions:
            if question.decoding.beams > 1:
                raise Refused(
                    f"{question.where}: answers are to be found with {question.decoding.beams} beams, and an endpoint "
                    "has no beam search. Take one beam, or a checkpoint on this machine."
                )
        return one_by_one(question for group in grouped(questions) for question in group.questions)

    def prepare(self, batch: Batch) -> Batch:
        """Asks, and waits for the answer. `DataError` for a picture that cannot be read."""
        ((_, (question,)),) = batch
        if self._failure:
            raise self._failure
        try:
            self._waiting[batch] = self._answer(question)
        except Stopped:
            raise
        except VertebraError as error:
            self._failure = self._failure or error
            raise
        return batch

    def answers(self, prepared: Batch) -> list[str]:
        """The answer that came."""
        return [self._waiting.pop(prepared)]

    def rest(self) -> list[tuple[Batch, list[str]]]:
        """Answers that came and were not fetched, because another question failed or a signal came."""
        rest = [(batch, [text]) for batch, text in self._waiting.items()]
        self._waiting.clear()
        return rest

    def _answer(self, question: Question) -> str:
        if self.stopping():
            raise Stopped(15)
        call = self.say(_chat(question))
        while not wait([call], _LOOK).done:
            if self._is_late():
                call.cancel()
                raise Stopped(15)
        reply = call.result()
        if reply.refused:
            raise VertebraError(f"The model {self.server.name} at {self.server.place} {reply.why}{_KEPT}")
        if reply.text is None:
            raise VertebraError(
                f"{question.where}: the model {self.server.name} at {self.server.place} gave no answer: "
                f"{reply.why.rstrip('.')}.{_KEPT}"
            )
        return reply.text.strip()

    def _is_late(self) -> bool:
        if not self.stopping():
            return False
        if self._patience is None:
            self._patience = monotonic() + _LAST_WORDS
        return monotonic() > self._patience


_KEPT = " All answers so far are kept; the same command asks what is missing."


def _chat(question: Question) -> Chat:
    decoding = question.decoding
    seed = decoding.seed & _SEED if decoding.temperature else None
    return Chat([{"role": "user", "content": _content(question)}], decoding.temperature, decoding.max_new_tokens, seed)


def _content(question: Question) -> "str | list[ChatCompletionContentPartParam]":
    if question.picture is None:
        return question.text
    url = _data_url(question.picture, question.where)
    return [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": question.text}]


def _data_url(picture: Picture, where: str) -> str:
    """What is to be seen, inside a URL. `DataError` for a file that is no picture, or a broken one."""
    seen = read_image(picture.path, where)
    kind = None if picture.marks else _kind(picture)
    if kind:
        data = picture.path.read_bytes()
    else:
        kind, file = "PNG", BytesIO()
        draw(seen, picture.marks).save(file, kind)
        data = file.getvalue()
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode()}"


def _kind(picture: Picture) -> str | None:
    """The format of a file that servers take and read as it is read here.

    None for others, and where servers differ: a picture turned by its EXIF, see-through, or one that moves.
    """
    with Image.open(picture.path, formats=FORMATS) as image:
        is_plain = image.mode in ("RGB", "L") and not getattr(image, "is_animated", False)
        kind = image.format
    return kind if kind in ("JPEG", "PNG", "WEBP") and is_plain and orientation(picture.path) == 1 else None
