"""The judge client against a real server on loopback that misbehaves in every way."""

import json
import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.judge_server import Body, Said, failed, judging, said

from vertebra.benchmarks import benchmark
from vertebra.endpoint import OPENAI
from vertebra.errors import ConfigError, JudgeError
from vertebra.scoring.benchmark import Answer, Sample
from vertebra.scoring.hearing import hear
from vertebra.scoring.judge import EndpointJudge, appoint
from vertebra.scoring.judging import Judgment, judged

MM_VET, LLAVA = benchmark("mm_vet"), benchmark("llava_wild")
SAMPLES = [
    Sample(f"v1_{index}", "What is x?", None, ("-1<AND>-5",), {"capability": ("math",)}, str(index))
    for index in range(3)
]
ANSWERS = {sample.id: Answer(f"x = {sample.id}") for sample in SAMPLES}
KEY = "sk-canary-8f2e61"


def judge(url: str, cache: Path | None = None, **how: Any) -> EndpointJudge:
    return EndpointJudge("judge-1", url, SecretStr(KEY), cache, **{"timeout": 5.0, "retries": 1, **how})


def ask(url: str, **how: Any) -> dict[str, list[Judgment]]:
    return hear(MM_VET, SAMPLES, ANSWERS, judge(url, **how))


def one_by_one(*replies: Said) -> Callable[[Body], Said]:
    """The replies in turn, the last one for ever."""
    waiting = list(replies)
    return lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def test_a_readable_reply_is_the_judgment_and_names_the_model_that_wrote_it():
    with judging(lambda _: said("0.5", model="judge-1-0613")) as server:
        heard = ask(server.url)
    assert heard["v1_0"] == [Judgment((0.5,), "0.5", "judge-1-0613")]
    named, verdicts = judged(MM_VET, SAMPLES, ANSWERS, heard, "judge-1")
    assert named.protocol == "v1 judge=judge-1 (judge-1-0613)"
    assert [verdict.score for verdict in verdicts] == [0.5] * 3


def test_what_is_asked_is_the_official_request():
    with judging(lambda _: said("0.5")) as server:
        ask(server.url)
    body = server.asked[0]
    assert {key: body[key] for key in ("model", "temperature", "max_tokens")} == {
        "model": "judge-1",
        "temperature": 0.0,
        "max_tokens": 3,
    }
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert "seed" not in body
    assert server.authorizations == [f"Bearer {KEY}"] * 3


def test_a_busy_server_is_asked_again_when_it_says():
    with judging(one_by_one(failed(429, **{"Retry-After": "1"}), said("1.0"))) as server:
        start = time.monotonic()
        heard = hear(MM_VET, SAMPLES[:1], ANSWERS, judge(server.url))
    assert time.monotonic() - start >= 1
    assert heard["v1_0"][0].points == (1.0,)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "reply",
    [
        failed(429, **{"Retry-After": "0.01"}),
        failed(500, **{"Retry-After": "0.01"}),
        failed(400, "context length exceeded"),
        Said(b"<html>gateway</html>", headers={"Content-Type": "text/html"}),
        Said(b'{"choices": [{"mess'),
        Said(b'{"choices": []}'),
        Said(b"[]"),
        Said(b"\xff\xfe"),
        Said(b""),
        said(None),
        said(""),
        said("I cannot grade this."),
        said("1.1"),
        said("nan"),
        said("0.5", delay=0.6),
        said("0.5", drip=0.02),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[-60:]!r} {reply.delay + reply.drip}",
)
def test_a_failed_or_unreadable_reply_is_never_a_number(reply):
    with judging(lambda _: reply) as server, pytest.raises(JudgeError, match="mm_vet has no score") as error:
        ask(server.url, timeout=0.3, deadline=0.9)
    assert error.value.exit_code == 5
    assert "question 'v1_" in str(error.value)


def test_retries_are_bounded():
    with judging(lambda _: failed(503, **{"Retry-After": "0.01"})) as server, pytest.raises(JudgeError):
        hear(MM_VET, SAMPLES[:1], ANSWERS, judge(server.url, retries=3))
    assert len(server.asked) == 4


def test_a_dead_server_is_unavailable():
    with pytest.raises(JudgeError, match="Connection"):
        ask("http://127.0.0.1:9/v1", retries=0)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_ends_the_hearing_at_once(status):
    with judging(lambda _: failed(status, f"bad key {KEY}")) as server, pytest.raises(JudgeError, match=str(status)):
        hear(MM_VET, SAMPLES[:1], ANSWERS, judge(server.url))
    assert len(server.asked) == 1


def test_an_unreadable_reply_is_asked_for_again_as_mm_vet_does():
    with judging(one_by_one(said("Sure"), said("Well"), said("0.8"))) as server:
        heard = hear(MM_VET, SAMPLES[:1], ANSWERS, judge(server.url))
    assert heard["v1_0"] == [Judgment((0.8,), "0.8", "judge-1")]
    endings = [body["messages"][0]["content"][-48:] for body in server.asked]
    assert [ending.endswith("Predict the correctness of the answer (digit): ") for ending in endings] == [0, 1, 1]
    assert [body["temperature"] for body in server.asked] == [0.0, 0.0, 0.5]


def test_the_official_protocol_counts_zero_for_what_it_cannot_read_after_five_attempts():
    with judging(lambda _: said("Sure")) as server:
        heard = hear(MM_VET, SAMPLES[:1], ANSWERS, judge(server.url), official=True)
    assert len(server.asked) == 5
    named, verdicts = judged(MM_VET, SAMPLES[:1], ANSWERS, heard, "judge-1", official=True)
    assert named.protocol == "v1 official judge=judge-1"
    assert verdicts[0].runs == ((0.0,),)


def test_a_call_that_fails_is_no_zero_under_the_official_protocol_either():
    with judging(lambda _: failed(400)) as server, pytest.raises(JudgeError):
        hear(MM_VET, SAMPLES, ANSWERS, judge(server.url), official=True)


def test_cached_replies_are_not_asked_for_again(tmp_path):
    cache = tmp_path / "judge.jsonl"
    with judging(lambda _: said("0.5")) as server:
        first = hear(MM_VET, SAMPLES, ANSWERS, judge(server.url, cache), runs=2)
        assert len(server.asked) == 6
        with cache.open("a") as file:
            file.write('{"request": "torn')
        assert hear(MM_VET, SAMPLES, ANSWERS, judge(server.url, cache), runs=2) == first
        assert len(server.asked) == 6
        hear(MM_VET, SAMPLES, {**ANSWERS, "v1_0": Answer("x = 9")}, judge(server.url, cache), runs=2)
        assert len(server.asked) == 8
    rows = [json.loads(line) for line in cache.read_text().splitlines()]
    assert list(rows[0]) == ["request", "run", "attempt", "judge", "endpoint", "id", "model", "content"]


def test_what_was_heard_before_a_failure_is_kept(tmp_path):
    cache = tmp_path / "judge.jsonl"
    with judging(one_by_one(said("0.5"), failed(400))) as server, pytest.raises(JudgeError):
        hear(MM_VET, SAMPLES, ANSWERS, judge(server.url, cache))
    assert len(cache.read_text().splitlines()) == 1


def test_no_more_than_a_few_calls_are_under_way_at_once():
    running, most = 0, 0

    def answer(_: Body) -> Said:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1
        return said("1")

    with judging(answer) as server:
        hear(MM_VET, SAMPLES, ANSWERS, judge(server.url), runs=10)
    assert 1 < most <= 8


def test_the_key_is_nowhere(tmp_path, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    cache = tmp_path / "judge.jsonl"
    with judging(one_by_one(said(f"0.5 {KEY}", model=KEY), failed(400, f"your key {KEY}"))) as server:
        asked = judge(server.url, cache)
        with pytest.raises(JudgeError) as error:
            hear(MM_VET, SAMPLES, ANSWERS, asked)
    with judging(lambda _: failed(401, f"your key {KEY}")) as server, pytest.raises(JudgeError) as refusal:
        ask(server.url)
    told = [
        *("".join(traceback.format_exception(found.value)) for found in (error, refusal)),
        *(
            repr(found.value) + repr(found.value.__cause__) + repr(found.value.__context__)
            for found in (error, refusal)
        ),
        *(repr(asked), str(asked), cache.read_text(), caplog.text, *capsys.readouterr()),
    ]
    assert "[key]" in cache.read_text()
    assert KEY not in "".join(told)


def test_a_url_is_shown_without_user_and_query():
    shown = EndpointJudge("m", "https://me:secret@host:8000/v1/?key=secret").place
    assert shown == "https://host:8000/v1"


def test_openai_without_a_key_is_refused_before_anything_is_sent():
    with pytest.raises(JudgeError, match="OPENAI_API_KEY"):
        hear(MM_VET, SAMPLES, ANSWERS, appoint("gpt-4-0613", "openai", {}))


def test_a_judge_is_appointed_from_a_name_an_endpoint_and_the_environment():
    environment = {"OPENAI_BASE_URL": "http://localhost:8000/v1", "OPENAI_API_KEY": KEY}
    appointed = appoint("m", "openai", environment)
    assert isinstance(appointed, EndpointJudge)
    assert (appointed.url, appointed.key.get_secret_value()) == ("http://localhost:8000/v1", KEY)
    default = appoint("m", "openai", {})
    assert isinstance(default, EndpointJudge)
    assert default.url == OPENAI
    assert appoint("rules", "scripted", {}).name == "rules"


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [("gpt-4", "scripted"), ("rules", "http://h/v1"), ("m", "opnai"), ("m", "ftp://h"), ("m", "https://u:p@h/v1")],
)
def test_an_endpoint_that_is_none_is_a_config_error_that_shows_no_secret(name, endpoint):
    with pytest.raises(ConfigError) as error:
        appoint(name, endpoint, {})
    assert "u:p" not in str(error.value)


def test_a_missing_answer_is_not_put_to_the_judge():
    with judging(lambda _: said("1.0")) as server:
        heard = hear(MM_VET, SAMPLES, {"v1_0": ANSWERS["v1_0"]}, judge(server.url))
    assert len(server.asked) == 1
    _, verdicts = judged(MM_VET, SAMPLES, {"v1_0": ANSWERS["v1_0"]}, heard)
    assert [(verdict.score, verdict.missing) for verdict in verdicts] == [(1, False), (0, True), (0, True)]


def test_a_huge_answer_is_sent_whole():
    with judging(lambda _: said("0.1")) as server:
        hear(MM_VET, SAMPLES[:1], {"v1_0": Answer("x" * 100_000)}, judge(server.url))
    assert "x" * 100_000 in server.asked[0]["messages"][0]["content"]
