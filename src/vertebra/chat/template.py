"""From a conversation to token ids and labels, by construction.

A chat format is a Jinja text in the form of transformers' chat templates: it marks what the assistant writes, end
marker included, with {% generation %}. The text is rendered once, cut at those marks, and each segment is tokenized
on its own, so which tokens carry loss is known without comparing lengths, and a training prompt is token for token
the prompt of an evaluation. For vicuna_v1:

    <s>A chat between ... questions. USER: <image>⏎What color is it? ASSISTANT:| red</s>|

Facts: spec of the published formats, https://github.com/haotian-liu/LLaVA (llava/conversation.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from jinja2 import Template, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vertebra.chat.conversation import Conversation
from vertebra.errors import DataError

IGNORED = -100
"""The label of a position that carries no loss."""

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
"""Noncharacters: Unicode reserves them for inside a program, no text may hold them."""


class Tokenizer(Protocol):
    """What is needed of a tokenizer."""

    @property
    def bos_token(self) -> str | None:
        """What begins every text; None where the backbone has none."""

    @property
    def eos_token(self) -> str | None:
        """What ends a text; None where the backbone has none."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Token ids of a text; special tokens spelled in it become their ids."""

    def convert_tokens_to_ids(self, tokens: str) -> int:
        """The id of one token."""


class Supervised(NamedTuple):
    """Token ids, and per token its own id as label where it carries loss, else -100."""

    ids: list[int]
    labels: list[int]


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """A chat template bound to a tokenizer and to the token that stands for an image."""

    template: str
    tokenizer: Tokenizer
    image_token: str

    def render(self, conversation: Conversation, *, prompt: bool = False) -> str:
        """The conversation as text; `prompt` adds what comes before an answer."""
        return self._rendered(conversation, prompt).replace(_OPEN, "").replace(_CLOSE, "")

    def prompt_ids(self, conversation: Conversation) -> list[int]:
        """Token ids of a conversation that awaits an answer; each image is one id."""
        return self._assembled(self._rendered(conversation, prompt=True)).ids

    def supervise(self, conversation: Conversation) -> Supervised:
        """Token ids and labels of a whole conversation; each image is one id, unsupervised."""
        return self._assembled(self._rendered(conversation, prompt=False))

    def _rendered(self, conversation: Conversation, prompt: bool) -> str:
        for turn in conversation.turns:
            if (mark := _foreign(turn.text, self.image_token)) is not None:
                raise DataError(f"A message holds {mark!r}, which is reserved. Remove it: {turn.text[:80]!r}.")
        return _compiled(self.template).render(
            messages=[turn.message() for turn in conversation.turns],
            add_generation_prompt=prompt,
            bos_token=self.tokenizer.bos_token or "",
            eos_token=self.tokenizer.eos_token or "",
            image_token=self.image_token,
        )

    def _assembled(self, rendered: str) -> Supervised:
        result = Supervised([], [])
        for number, (text, carries_loss) in enumerate(_segments(rendered)):
            ids = self._tokenized(text, first=number == 0)
            result.ids.extend(ids)
            result.labels.extend(ids if carries_loss else [IGNORED] * len(ids))
        return result

    def _tokenized(self, text: str, first: bool) -> list[int]:
        """A later segment is tokenized behind a special token, so that no blank is put before it as before a text."""
        if first:
            return self.tokenizer.encode(text, add_special_tokens=False)
        anchored = self.tokenizer.encode(self.image_token + text, add_special_tokens=False)
        assert anchored[0] == self.tokenizer.convert_tokens_to_ids(self.image_token)
        return anchored[1:]


def _foreign(text: str, image_token: str) -> str | None:
    return next((mark for mark in (_OPEN, _CLOSE, image_token) if mark in text), None)


def _segments(rendered: str) -> Sequence[tuple[str, bool]]:
    """The rendered text cut at its generation marks: (text, carries loss), no empty ones."""
    first, *rest = rendered.split(_OPEN)
    segments = [(first, False)]
    for part in rest:
        answer, after = part.split(_CLOSE)
        segments += [(answer, True), (after, False)]
    return [segment for segment in segments if segment[0]]


class _Generation(Extension):
    """The {% generation %} block of transformers' chat templates."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 types it as a set

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller: Callable[[], str]) -> str:
        return _OPEN + caller() + _CLOSE


@lru_cache(maxsize=8)
def _compiled(template: str) -> Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation])
    return environment.from_string(template)
