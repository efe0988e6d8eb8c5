"""A judge behind any OpenAI-compatible endpoint: OpenAI, Azure's compatible URL, vLLM, SGLang, `transformers serve`.

    judge = EndpointJudge("gpt-4-0613", "https://api.openai.com/v1", SecretStr(key), cache=Path("judge.jsonl"))

Every reply is appended to the cache as it comes, one JSON object a line, and is not asked for again:

    {"request": "9f2c…", "run": 0, "attempt": 0, "judge": "gpt-4-0613", "endpoint": "https://api.openai.com/v1",
     "id": "v1_0", "model": "gpt-4-0613", "content": "0.5"}

`request` is the SHA-256 of what was asked, messages and sampling. A failed call is not cached. The key is in none of
this, nor in a message: a server that sends it back finds it blotted out.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError

from vertebra.errors import ConfigError, JudgeError
from vertebra.files import append_rows, read_rows
from vertebra.scoring.benchmark import Request
from vertebra.scoring.hearing import Ask, Call, Judge, Reply
from vertebra.scoring.rules import NAME as RULES
from vertebra.scoring.rules import ScriptedJudge
from vertebra.spec import Json, digest

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletionMessageParam

OPENAI = "https://api.openai.com/v1"
GARBLED_TRIES = 3
_MODEL_LENGTH = 100
_SAID_LENGTH = 200


@dataclass(frozen=True, slots=True)
class EndpointJudge:
    """A model at a base URL. The last four fields decide how long a bad server is borne, in seconds and tries."""

    name: str
    url: str = OPENAI
    key: SecretStr = field(default=SecretStr(""), repr=False)
    cache: Path | None = None
    timeout: float = 60.0
    """Seconds without a byte until a call is given up and tried again."""
    deadline: float = 600.0
    """Seconds for one call with all its retries."""
    retries: int = 5
    """After 408, 409, 429, 5xx and broken connections; waits as Retry-After says, up to two minutes."""

    @property
    def place(self) -> str:
        """The URL as it may be shown: without user, password and query."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Ask]:
        """A way to ask. `JudgeError` when there is no key for OpenAI, or the server refuses for good."""
        from openai import AsyncOpenAI

        key = self.key.get_secret_value()
        if not key and self.place == OPENAI:
            raise JudgeError(
                f"The judge {self.name} at {self.place} needs a key. Set OPENAI_API_KEY, or name another "
                "OpenAI-compatible server by --judge-url or OPENAI_BASE_URL."
            )
        known = _known(self.cache) if self.cache else {}
        async with AsyncOpenAI(
            api_key=key or "none", base_url=self.url, timeout=self.timeout, max_retries=self.retries
        ) as client:

            async def ask(call: Call) -> Reply:
                row = self._row(call)
                if (found := known.get(_identity(row))) is not None:
                    return found
                reply = await self._reply(client, call.request)
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

    async def _reply(self, client: "AsyncOpenAI", request: Request) -> Reply:
        reply = Reply(None)
        for _ in range(GARBLED_TRIES):
            reply, again = await self._once(client, request)
            if not again:
                break
        return reply

    async def _once(self, client: "AsyncOpenAI", request: Request) -> tuple[Reply, bool]:
        """What came of one call, and whether another is worth a try because what came was garbled."""
        import openai

        refused = ""
        try:
            async with asyncio.timeout(self.deadline):
                raw = await client.chat.completions.with_raw_response.create(
                    model=self.name,
                    messages=[_message(role, text) for role, text in request.messages],
                    temperature=request.temperature,
                    max_tokens=request.max_tokens,
                )
            completion = _Completion.model_validate_json(raw.text)
            model = "".join(char for char in self._clean(completion.model) if char.isprintable())[:_MODEL_LENGTH]
            return Reply(self._clean(completion.choices[0].message.content), model), False
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            refused = f"HTTP {error.status_code}"
        except (ValidationError, UnicodeDecodeError):
            return Reply(None, why="the server's reply is no chat completion"), True
        except openai.APIStatusError as error:
            said = self._clean(error.message)[:_SAID_LENGTH]
            return Reply(None, why=f"HTTP {error.status_code}: {said}"), False
        except TimeoutError:
            return Reply(None, why=f"no answer within {self.deadline:g} seconds"), False
        except openai.OpenAIError as error:
            return Reply(None, why=f"{type(error).__name__}: {self._clean(str(error))[:_SAID_LENGTH]}"), False
        # Raised here and not above, so that no traceback leads to the request and its headers.
        raise JudgeError(
            f"The judge {self.name} at {self.place} refuses ({refused}). Check the model's name, the URL "
            "(it mostly ends in /v1) and OPENAI_API_KEY."
        )

    def _clean(self, text: str) -> str:
        key = self.key.get_secret_value()
        return text.replace(key, "[key]") if key else text


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
    url = environment.get("OPENAI_BASE_URL") or OPENAI if endpoint == "openai" else endpoint
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc or parts.query:
        raise ConfigError(
            "a judge's endpoint is `openai` or a base URL such as http://localhost:8000/v1, without user, password "
            "and query; the key comes from OPENAI_API_KEY."
        )
    return EndpointJudge(name, url, SecretStr(environment.get("OPENAI_API_KEY", "")), cache)


def request_digest(request: Request) -> str:
    """SHA-256 of what is asked; with the run, what a cached reply is known by."""
    messages = [[role, text] for role, text in request.messages]
    return digest({"messages": messages, "temperature": request.temperature, "max_tokens": request.max_tokens})


class _Message(BaseModel):
    content: str


class _Choice(BaseModel):
    message: _Message


class _Completion(BaseModel):
    """The part of a chat completion that counts."""

    model: str = ""
    choices: list[_Choice] = Field(min_length=1)


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


def _message(role: str, text: str) -> "ChatCompletionMessageParam":
    if role == "system":
        return {"role": "system", "content": text}
    return {"role": "user", "content": text}
