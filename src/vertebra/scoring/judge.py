"""A judge behind any OpenAI-compatible endpoint.

    judge = EndpointJudge("gpt-4-0613", "https://api.openai.com/v1", SecretStr(key), cache=Path("judge.jsonl"))

Every reply is appended to the cache as it comes, one JSON object a line, and is not asked for again:

    {"request": "9f2c…", "run": 0, "attempt": 0, "judge": "gpt-4-0613", "endpoint": "https://api.openai.com/v1",
     "id": "v1_0", "model": "gpt-4-0613", "content": "0.5"}

`request` is the SHA-256 of what was asked, messages and sampling. A failed call is not cached.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import SecretStr

from vertebra.endpoint import Chat, Reply, Server, base_url
from vertebra.errors import ConfigError, JudgeError
from vertebra.files import append_rows, read_rows
from vertebra.scoring.benchmark import Request
from vertebra.scoring.hearing import Ask, Call, Judge
from vertebra.scoring.rules import NAME as RULES
from vertebra.scoring.rules import ScriptedJudge
from vertebra.spec import Json, digest

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam


@dataclass(frozen=True, slots=True)
class EndpointJudge(Server):
    """A model at a base URL that judges."""

    cache: Path | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Ask]:
        """A way to ask. `JudgeError` when there is no key for OpenAI, or the server refuses for good."""
        if self.lacks_key:
            raise JudgeError(
                f"The judge {self.name} at {self.place} needs a key. Set OPENAI_API_KEY, or name another "
                "OpenAI-compatible server by --judge-url or OPENAI_BASE_URL."
            )
        known = _known(self.cache) if self.cache else {}
        async with self.connected() as say:

            async def ask(call: Call) -> Reply:
                row = self._row(call)
                if (found := known.get(_identity(row))) is not None:
                    return found
                reply = await say(_chat(call.request))
                if reply.refused:
                    raise JudgeError(f"The judge {self.name} at {self.place} {reply.why}")
                if self.cache and reply.text is not None:
                    append_rows(self.cache, [{**row, "model": reply.model, "content": reply.text}])
                return reply

            yield ask

    def _row(self, call: Call) -> dict[str, Json]:
        return {
            "request": request_digest(call.request),
            "run": call.run,
            "attempt": call.attempt,
            "judge": self.name,
            "endpoint": self.place,
            "id": call.id,
        }


def appoint(name: str, endpoint: str, environment: Mapping[str, str], cache: Path | None = None) -> Judge:
    """The judge of this name: `rules`, or a model at an endpoint, which is a base URL, `openai` or `scripted`.

    The key comes from OPENAI_API_KEY of the environment, and for `openai` the URL from OPENAI_BASE_URL where it is
    set. `ConfigError` for an endpoint that is neither, or for `scripted` under another name.
    """
    if "scripted" in (endpoint, name) or name == RULES:
        if name != RULES or endpoint not in ("scripted", "openai"):
            raise ConfigError(
                f"the scripted judge is `name: {RULES}, endpoint: scripted`, not {name!r} at {endpoint!r}."
            )
        return ScriptedJudge()
    url = base_url("a judge's", endpoint, environment)
    return EndpointJudge(name, url, SecretStr(environment.get("OPENAI_API_KEY", "")), cache)


def request_digest(request: Request) -> str:
    """SHA-256 of what is asked; with the run, what a cached reply is known by."""
    messages = [[role, text] for role, text in request.messages]
    return digest({"messages": messages, "temperature": request.temperature, "max_tokens": request.max_tokens})


class _Identity(NamedTuple):
    request: Json
    run: Json
    attempt: Json
    judge: Json
    endpoint: Json


def _identity(row: dict[str, Json]) -> _Identity:
    return _Identity(*(row.get(name) for name in _Identity._fields))


def _known(cache: Path) -> dict[_Identity, Reply]:
    """The replies of earlier hearings; the last line of a killed one may be torn."""
    return {
        _identity(row): Reply(content, str(row.get("model", "")))
        for row in read_rows(cache)
        if isinstance(content := row.get("content"), str)
    }


def _chat(request: Request) -> Chat:
    messages = [_message(role, text) for role, text in request.messages]
    return Chat(messages, request.temperature, request.max_tokens)


def _message(role: str, text: str) -> "ChatCompletionMessageParam":
    if role == "system":
        return {"role": "system", "content": text}
    return {"role": "user", "content": text}
