"""From a conversation to token ids and labels, by construction.

A chat format is a Jinja text in the form of transformers' chat templates: it marks what the assistant writes, end
marker included, with {% generation %}. The text is rendered once, cut at those marks, and each segment is tokenized
on its own, so which tokens carry loss is known without comparing lengths, and a training prompt is token for token
the prompt of an evaluation. A tokenizer's own template, which seldom marks anything, is cut where its prompts end. For
vicuna_v1:

    <s>A chat between ... questions. USER: <image>⏎What color is it? ASSISTANT:| red</s>|

Facts: spec of the published formats, https://github.com/haotian-liu/LLaVA (llava/conversation.py).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, NoReturn, Protocol

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vertebra.chat.conversation import Conversation, Turn
from vertebra.errors import DataError, Refused

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


def bound(template: str, image_token: str, compat: Sequence[str], own: str | None = None) -> str:
    """A catalogue's chat format as a checkpoint carries it: it knows its image token and its quirks by itself.

    `own` is the template that came with the tokenizer; `Refused` when the format is made from it and there is none.
    """
    if _OWN in template and not own:
        raise Refused("The tokenizer has no chat template of its own. Name one of the chat formats of the catalogue.")
    header = f"{{%- set image_token = {json.dumps(image_token)} -%}}\n{{%- set compat = {json.dumps([*compat])} -%}}\n"
    return header + template.replace(_OWN, own or "")


_OWN = "{# the tokenizer's chat template #}"


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
        return _unmarked(self._rendered(conversation.turns, prompt))

    def prompt_ids(self, conversation: Conversation) -> list[int]:
        """Token ids of a conversation that awaits an answer; each image is one id."""
        return self._assembled(self._segments(conversation.turns, prompt=True)).ids

    def supervise(self, conversation: Conversation) -> Supervised:
        """Token ids and labels of a whole conversation; each image is one id, unsupervised."""
        return self._assembled(self._segments(conversation.turns, prompt=False))

    def _rendered(self, turns: Sequence[Turn], prompt: bool) -> str:
        ends = self.tokenizer.bos_token or "", self.tokenizer.eos_token or ""
        return rendered(self.template, turns, self.image_token, *ends, prompt=prompt)

    def _segments(self, turns: Sequence[Turn], prompt: bool) -> Sequence["_Segment"]:
        whole = self._rendered(turns, prompt)
        answers = any(turn.role == "assistant" for turn in turns)
        return self._cut_at_prompts(turns, whole) if answers and _OPEN not in whole else _cut_at_marks(whole)

    def _cut_at_prompts(self, turns: Sequence[Turn], whole: str) -> Sequence["_Segment"]:
        """An answer reaches from the end of the prompt that asks for it to the end of the text that ends with it."""
        segments, end = [], 0
        for number, turn in enumerate(turns):
            if turn.role == "assistant":
                prompt = self._rendered(turns[:number], prompt=True)
                told = self._rendered(turns[: number + 1], prompt=False).rstrip()
                if not (whole.startswith(told) and told.startswith(prompt)):
                    raise Refused(
                        "The chat template writes an earlier turn differently once more is said, so what is trained "
                        "on is not what is asked. Name one of the chat formats of the catalogue instead."
                    )
                segments += [_Segment(whole[end : len(prompt)], False), _Segment(told[len(prompt) :], True)]
                end = len(told)
        return [*segments, _Segment(whole[end:], False)]

    def _assembled(self, segments: Sequence["_Segment"]) -> Supervised:
        result = Supervised([], [])
        for text, carries_loss in segments:
            ids = self._tokenized(text, first=not result.ids) if text else []
            result.ids.extend(ids)
            result.labels.extend(ids if carries_loss else [IGNORED] * len(ids))
        return result

    def _tokenized(self, text: str, first: bool) -> list[int]:
        """A later segment is tokenized behind a special token, so that no blank is put before it as before a text."""
        if first:
            return self.tokenizer.encode(text, add_special_tokens=False)
        anchored = self.tokenizer.encode(self.image_token + text, add_special_tokens=False)
        if anchored[0] != self.tokenizer.convert_tokens_to_ids(self.image_token):
            raise Refused(f"The image token {self.image_token!r} is not one id of its own in the tokenizer.")
        return anchored[1:]


def rendered(
    template: str, turns: Sequence[Turn], image_token: str, bos: str = "", eos: str = "", prompt: bool = False
) -> str:
    """What a template writes, which takes no tokenizer; answers are marked where it marks them.

    `DataError` for text with what is reserved, `Refused` where the template does not take such a conversation.
    """
    for turn in turns:
        if (mark := _foreign(turn.text, image_token)) is not None:
            raise DataError(f"A message holds {mark!r}, which is reserved. Remove it: {turn.text[:80]!r}.")
    try:
        return _compiled(template).render(
            messages=[turn.message() for turn in turns],
            add_generation_prompt=prompt,
            bos_token=bos,
            eos_token=eos,
            image_token=image_token,
        )
    except TemplateError as error:
        raise Refused(f"The chat format does not take a conversation of {len(turns)} turns: {error}") from error


def _foreign(text: str, image_token: str) -> str | None:
    return next((mark for mark in (_OPEN, _CLOSE, image_token) if mark in text), None)


class _Segment(NamedTuple):
    text: str
    carries_loss: bool


def _cut_at_marks(rendered: str) -> Sequence[_Segment]:
    first, *rest = rendered.split(_OPEN)
    segments = [_Segment(first, False)]
    for part in rest:
        answer, after = part.split(_CLOSE)
        segments += [_Segment(answer, True), _Segment(after, False)]
    return segments


def _unmarked(rendered: str) -> str:
    return rendered.replace(_OPEN, "").replace(_CLOSE, "")


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
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, LoopControlExtension]
    )
    environment.filters["tojson"] = _as_json
    environment.globals["raise_exception"] = _refuse
    return environment.from_string(template)


def _as_json(value: object, indent: int | None = None) -> str:
    """Without jinja2's escapes for HTML, as transformers does."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)
