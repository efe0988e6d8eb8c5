"""A judge's stored replies in place of the judge."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.judge_server import judging, said

from vertebra.benchmarks import benchmark
from vertebra.endpoint import OPENAI
from vertebra.errors import JudgeError
from vertebra.files import append_rows, read_rows
from vertebra.scoring.benchmark import Answer
from vertebra.scoring.hearing import hear
from vertebra.scoring.judge import EndpointJudge
from vertebra.scoring.replay import replayed
from vertebra.scoring.rules import ScriptedJudge
from vertebra.spec import Judge

MM_VET = benchmark("mm_vet")


@pytest.fixture
def questions(tmp_path: Path):
    from vertebra.miniature.data import make_benchmark

    make_benchmark("mm_vet", tmp_path / "mm_vet", 0.2)
    samples = MM_VET.load(tmp_path / "mm_vet")
    return samples, {sample.id: Answer("three") for sample in samples}


@pytest.fixture
def asked(questions, tmp_path: Path):
    """What a judge said of each answer in two runs, and the file where its replies are."""
    samples, answers = questions
    file, number = tmp_path / "judgments.jsonl", iter(range(1000))
    with judging(lambda _: said(f"0.{next(number) % 10}")) as server:
        judge = EndpointJudge("judge-1", server.url, SecretStr(""), file)
        return hear(MM_VET, samples, answers, judge, runs=2), file, server.url


def test_replies_are_replayed_after_the_server_is_gone(questions, asked) -> None:
    heard, file, url = asked
    assert hear(MM_VET, *questions, replayed(Judge(name="judge-1", endpoint=url), file), runs=2) == heard


def test_replies_count_wherever_openai_was_when_the_study_ran(questions, asked) -> None:
    heard, file, _ = asked
    assert hear(MM_VET, *questions, replayed(Judge(name="judge-1", endpoint="openai"), file), runs=2) == heard


def test_of_two_endpoints_replies_those_of_the_study_s_count(questions, asked) -> None:
    heard, file, url = asked
    append_rows(file, [{**row, "endpoint": OPENAI, "content": "1.0"} for row in read_rows(file)])
    assert hear(MM_VET, *questions, replayed(Judge(name="judge-1", endpoint=url), file), runs=2) == heard
    other = hear(MM_VET, *questions, replayed(Judge(name="judge-1", endpoint="openai"), file), runs=2)
    assert {judgment.reply for found in other.values() for judgment in found} == {"1.0"}


def test_a_reply_that_is_not_stored_is_no_judgment(questions, asked) -> None:
    _, file, url = asked
    file.write_bytes(b"\n".join(file.read_bytes().split(b"\n")[1:]))
    with pytest.raises(JudgeError, match="has no reply about this very answer"):
        hear(MM_VET, *questions, replayed(Judge(name="judge-1", endpoint=url), file), runs=2)


def test_the_rules_are_asked_anew() -> None:
    assert isinstance(replayed(Judge(name="rules", endpoint="scripted"), Path("nowhere")), ScriptedJudge)
