"""The client of OpenAI-compatible servers; its errors and keys are tested by the judge's tests too."""

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr
from tests.judge_server import DEAD, Said, failed, judging, said

from vertebra.endpoint import GARBLED_TRIES, OPENAI, Chat, Reply, Server, base_url
from vertebra.errors import ConfigError

CHAT = Chat([{"role": "user", "content": "Is 4 > 3?"}], 0.0, 3)


def ask(reply: Said, chat: Chat = CHAT, **how: Any) -> tuple[Reply, list[dict[str, Any]]]:
    """What comes of a question, and what the server was asked."""

    async def once(server: Server) -> Reply:
        async with server.connected() as say:
            return await say(chat)

    with judging(lambda _: reply) as server:
        return asyncio.run(once(Server("m", server.url, SecretStr("sk-canary"), retries=0, **how))), server.asked


def test_a_reply_is_its_text_and_the_model_that_names_itself():
    assert ask(said(" yes\n", model="m-1"))[0] == Reply(" yes\n", "m-1")


def test_a_seed_is_sent_only_where_there_is_one():
    assert [ask(said(""), CHAT._replace(seed=seed))[1][0].get("seed") for seed in (None, 0, 7)] == [None, 0, 7]


def test_what_a_content_filter_left_of_a_reply_is_none():
    filtered = said("I th").body.replace(b'"stop"', b'"content_filter"')
    assert ask(Said(filtered))[0] == Reply(None, "judge-1", "the server's content filter stopped the reply")


def test_a_reply_without_text_says_how_it_ended():
    reply, asked = ask(Said(said(None).body.replace(b'"stop"', b'"length"')))
    assert (reply.text, reply.why) == (None, "the server's reply has no text (it ended by 'length')")
    assert len(asked) == GARBLED_TRIES


def test_errors_are_told_in_the_words_of_the_server_on_one_line():
    detail = Said(b'{"detail": "Server is pinned to \\u001b[1m a"}', 400)
    for reply, why in (
        (failed(400, "too\nlong"), "HTTP 400: too long"),
        (detail, "HTTP 400: Server is pinned to [1m a"),
        (Said(b"<html>", 502), "HTTP 502"),
        (DEAD, "APIConnectionError: Connection error."),
    ):
        assert ask(reply)[0] == Reply(None, why=why)


def test_a_refusal_for_good_is_told_from_a_failure():
    assert [ask(failed(status))[0].refused for status in (400, 401, 403, 404, 429, 500)] == [0, 1, 1, 1, 0, 0]


def test_text_that_cannot_be_sent_is_no_crash():
    reply, asked = ask(said("yes"), CHAT._replace(messages=[{"role": "user", "content": "\ud800"}]))
    assert (reply.text, asked) == (None, [])
    assert "surrogate" in reply.why


def test_a_url_comes_from_its_name_or_the_environment():
    assert base_url("a model's", "openai", {}) == OPENAI
    assert base_url("a model's", "openai", {"OPENAI_BASE_URL": "http://h/v1"}) == "http://h/v1"
    assert base_url("a model's", "http://h:1/v1/", {"OPENAI_BASE_URL": "http://h/v1"}) == "http://h:1/v1/"


@pytest.mark.parametrize("url", ["", "h/v1", "ftp://h", "http://[h/v1", "http://me:secret@h/v1", "http://h/?k=secret"])
def test_a_url_that_is_none_or_holds_a_secret_is_refused_without_showing_it(url):
    with pytest.raises(ConfigError, match="a model's endpoint is") as error:
        base_url("a model's", url, {})
    assert "secret" not in str(error.value)
