"""A model behind any OpenAI-compatible endpoint: OpenAI, Azure's compatible URL, vLLM, SGLang, `transformers serve`.

    server = Server("gpt-4-0613", "https://api.openai.com/v1", SecretStr(key))
    async with server.connected() as ask:
        reply = await ask(Chat([{"role": "user", "content": "Is 4 > 3?"}], temperature=0.0, max_tokens=3))

A call that fails is a reply that says why, never an exception that leads to the request and its headers. The key is
in no reply and no message: a server that sends it back finds it blotted out. Judges and benchmarks both ask this way.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError

from vertebra.errors import ConfigError

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI
    from openai.types.chat import ChatCompletionMessageParam

OPENAI = "https://api.openai.com/v1"
GARBLED_TRIES = 3
_CONNECT_SECONDS = 10.0
_MODEL_LENGTH = 100
_SAID_LENGTH = 200


class Chat(NamedTuple):
    """What a model is told, and how its completion is found."""

    messages: Sequence["ChatCompletionMessageParam"]
    temperature: float
    max_tokens: int
    seed: int | None = None


class Reply(NamedTuple):
    """What came back; `text` is None where nothing did, and `why` says why."""

    text: str | None
    model: str = ""
    why: str = ""
    refused: bool = False
    """The server refuses for good: whoever asks it something else will hear the same."""


Ask = Callable[[Chat], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Server:
    """A model at a base URL, and how long a bad server is borne, in seconds and tries."""

    name: str
    url: str = OPENAI
    key: SecretStr = field(default=SecretStr(""), repr=False)
    timeout: float = field(default=60.0, kw_only=True)
    """Seconds without a byte until a call is given up and tried again."""
    deadline: float = field(default=600.0, kw_only=True)
    """Seconds for one call with all its retries."""
    retries: int = field(default=5, kw_only=True)
    """After 408, 409, 429, 5xx and broken connections; waits as Retry-After says, up to two minutes."""

    @property
    def place(self) -> str:
        """The URL as it may be shown: without user, password and query."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))

    @property
    def lacks_key(self) -> bool:
        """Whether it is OpenAI's, which nobody may ask without a key."""
        return self.place == OPENAI and not self.key.get_secret_value()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Ask]:
        """A way to ask; what is garbled is asked for again."""
        from openai import AsyncOpenAI, Timeout

        async with AsyncOpenAI(
            api_key=self.key.get_secret_value() or "none",
            base_url=self.url,
            timeout=Timeout(self.timeout, connect=min(self.timeout, _CONNECT_SECONDS)),
            max_retries=self.retries,
        ) as client:

            async def ask(chat: Chat) -> Reply:
                reply = Reply(None)
                for _ in range(GARBLED_TRIES):
                    reply, again = await self._once(client, chat)
                    if not again:
                        break
                return reply

            yield ask

    async def _once(self, client: "AsyncOpenAI", chat: Chat) -> tuple[Reply, bool]:
        """What came of one call, and whether another is worth a try because what came was garbled."""
        import openai

        try:
            async with asyncio.timeout(self.deadline):
                raw = await client.chat.completions.with_raw_response.create(
                    model=self.name,
                    messages=chat.messages,
                    temperature=chat.temperature,
                    max_tokens=chat.max_tokens,
                    seed=openai.omit if chat.seed is None else chat.seed,
                )
            return self._read(_Completion.model_validate_json(raw.text))
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            return Reply(
                None,
                why=f"refuses (HTTP {error.status_code}). Check the model's name, the URL (it mostly ends in /v1) and "
                "OPENAI_API_KEY.",
                refused=True,
            ), False
        except (ValidationError, UnicodeDecodeError):
            return Reply(None, why="the server's reply is no chat completion"), True
        except UnicodeEncodeError:
            return Reply(None, why="its text has half a character (a lone surrogate), which cannot be sent"), False
        except openai.APIStatusError as error:
            return Reply(None, why=self._told(_complaint(error), f"HTTP {error.status_code}")), False
        except TimeoutError:
            return Reply(None, why=f"no answer within {self.deadline:g} seconds"), False
        except openai.OpenAIError as error:
            return Reply(None, why=self._told(str(error), type(error).__name__)), False

    def _read(self, completion: "_Completion") -> tuple[Reply, bool]:
        choice = completion.choices[0]
        model = self._told(completion.model)[:_MODEL_LENGTH]
        ended = self._told(choice.finish_reason or "")
        if ended == "content_filter":  # what it let through is not what the model said
            return Reply(None, model, "the server's content filter stopped the reply"), False
        if choice.message.content is None:
            return Reply(None, model, f"the server's reply has no text (it ended by {ended or 'itself'!r})"), True
        return Reply(self._clean(choice.message.content), model), False

    def _told(self, text: str, what: str = "") -> str:
        """What a server says about itself: cleaned, on one line, not too much of it; `what` stands before it."""
        line = " ".join(self._clean(text).split())
        said = "".join(char for char in line if char.isprintable())[:_SAID_LENGTH]
        return ": ".join(part for part in (what, said) if part)

    def _clean(self, text: str) -> str:
        key = self.key.get_secret_value()
        return text.replace(key, "[key]") if key else text


def base_url(whose: str, endpoint: str, environment: Mapping[str, str]) -> str:
    """The URL of an endpoint, which is a base URL or `openai`: OPENAI_BASE_URL of the environment, or OpenAI's own.

    `ConfigError` for what is neither, or has a user, password or query; `whose` begins it ("a judge's").
    """
    url = environment.get("OPENAI_BASE_URL") or OPENAI if endpoint == "openai" else endpoint
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc or parts.query:
        raise ConfigError(
            f"{whose} endpoint is `openai` or a base URL such as http://localhost:8000/v1, without user, password "
            "and query; the key comes from OPENAI_API_KEY."
        )
    return url


def _complaint(error: "APIStatusError") -> str:
    """What the server gives as its reason; FastAPI's, such as `transformers serve`, call it detail."""
    detail = error.body.get("detail") if isinstance(error.body, Mapping) else None
    return error.message.removeprefix(f"Error code: {error.status_code}").removeprefix(" - ") or str(detail or "")


class _Message(BaseModel):
    content: str | None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    """The part of a chat completion that counts."""

    model: str = ""
    choices: list[_Choice] = Field(min_length=1)
