"""A step's questions put to a real server on loopback: many at once, nothing asked twice, nothing lost."""

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr
from tests.judge_server import DEAD, Body, Said, failed, judging, said

from vertebra.asking import endpoint
from vertebra.asking.endpoint import answer_by, opened, predict
from vertebra.asking.questions import Decoding, Picture, Question
from vertebra.bench import Bench
from vertebra.endpoint import Server
from vertebra.errors import ConfigError, DataError, Refused, Stopped, VertebraError
from vertebra.runtime import Runtime
from vertebra.spec import Json
from vertebra.visual.images import read_image
from vertebra.visual.marks import constant_mark, draw
from vertebra.visual.regions import region

COUNT = 30
AT_ONCE = 4
TURN = Image.Exif()
TURN[274] = 6


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """ScienceQA in small: each fifth question with a picture."""
    folder = tmp_path / "data" / "scienceqa"
    problems = {}
    for number in range(COUNT):
        problem = {"question": f"Number {number}?", "choices": ["two", "red"], "answer": 0, "subject": "s"}
        if number % 5 == 0:
            path = folder / "images" / "test" / str(number) / "image.jpg"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (20, 30), (6 * number, 90, 0)).save(path)
            problem["image"] = "image.jpg"
        problems[str(number)] = problem
    (folder / "problems.json").write_text(json.dumps(problems))
    (folder / "pid_splits.json").write_text(json.dumps({"test": [*problems]}))
    return tmp_path


def bench(root: Path, stopping: Callable[[], bool] = lambda: False, **more: Json) -> Bench:
    (root / "work" / "out").mkdir(parents=True, exist_ok=True)
    return Bench(
        key="c4" * 32,
        label="endpoint/m/seed0/scienceqa/answers",
        spec={"benchmark": "scienceqa", "max_new_tokens": 3, **more},
        folder=root / "work",
        out=root / "work" / "out",
        needs={},
        model=None,
        data=root / "data",
        cache=root / "cache",
        answers=root / "answers",
        progress=lambda done, total, unit, note="": None,
        stopping=stopping,
    )


def run(root: Path, url: str, **more: Json) -> list[str]:
    """The step's answers, in their order."""
    server = Server("m", url, SecretStr("sk-canary"), deadline=5, retries=0)
    answer_by(server, bench(root, **more), Runtime(concurrency=AT_ONCE))
    return [json.loads(line)["text"] for line in (root / "work" / "out" / "answers.jsonl").read_bytes().splitlines()]


def kept(root: Path) -> list[str]:
    """All that the ledger has."""
    lines = (root / "answers" / "1-of-1.jsonl").read_text().splitlines()
    return [text for line in lines for text in json.loads(line)["answers"].values()]


def number(body: Body) -> int:
    """Of the question."""
    content = body["messages"][0]["content"]
    text = content if isinstance(content, str) else content[1]["text"]
    return int(text.split("?")[0].split()[-1])


def echo(body: Body) -> Said:
    return said(f" {number(body)}\n")


WHOLE = [str(number) for number in range(COUNT)]


def test_answers_stand_in_the_order_of_the_questions_however_they_come(root):
    def slow_on_some(body: Body) -> Said:
        return replace(echo(body), delay=0.03 * (number(body) % 3 == 0))

    with judging(slow_on_some) as server:
        assert run(root, server.url) == WHOLE
        assert run(root, server.url) == WHOLE
    assert len(server.asked) == COUNT


def test_as_many_questions_are_under_way_as_the_runtime_says_and_no_more(root):
    gate, running, most = threading.Barrier(AT_ONCE, timeout=10), [0], []

    def together(body: Body) -> Said:
        running[0] += 1
        most.append(running[0])
        if number(body) < COUNT - COUNT % AT_ONCE:
            gate.wait()  # which opens only for so many
        time.sleep(0.01)
        running[0] -= 1
        return echo(body)

    with judging(together) as server:
        assert run(root, server.url) == WHOLE
    assert max(most) == AT_ONCE


def test_what_is_sent_is_one_message_with_the_picture_before_the_text(root):
    with judging(echo) as server:
        run(root, server.url)
    bodies = {number(body): body for body in server.asked}
    assert {**bodies[1], "messages": None} == {"model": "m", "messages": None, "temperature": 0.0, "max_tokens": 3}
    (plain,), (seen,) = bodies[1]["messages"], bodies[5]["messages"]
    assert (plain["role"], plain["content"].splitlines()[0]) == ("user", "Number 1?")
    assert [part["type"] for part in seen["content"]] == ["image_url", "text"]
    file = root / "data" / "scienceqa" / "images" / "test" / "5" / "image.jpg"
    assert sent(seen["content"]) == ("image/jpeg", file.read_bytes())


def test_a_drawn_answer_is_asked_for_with_the_seed_of_its_question(root):
    with judging(echo) as server:
        run(root, server.url, temperature=0.2, seed=0)
    assert {body["temperature"] for body in server.asked} == {0.2}
    seeds = {body["seed"] for body in server.asked}
    assert len(seeds) == COUNT
    assert all(0 <= seed < 1 << 31 for seed in seeds)


def sent(content: list[dict[str, Any]]) -> tuple[str, bytes]:
    """The picture's type and bytes."""
    kind, data = content[0]["image_url"]["url"].removeprefix("data:").split(";base64,")
    return kind, base64.b64decode(data)


def put(picture: Picture) -> tuple[str, bytes]:
    """What reaches the server of a picture."""
    with judging(lambda _: said("yes")) as server, opened(Server("m", server.url), 1, lambda: False) as asked:
        (batch,) = asked.batches([Question("What?", picture, Decoding(3), "v7w, 1")])
        assert asked.answers(asked.prepare(batch)) == ["yes"]
    return sent(server.asked[0]["messages"][0]["content"])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_unmarked_picture_travels_as_its_file(tmp_path, kind):
    file = tmp_path / "a"
    Image.effect_noise((60, 40), 90).convert("RGB").save(file, kind)
    assert put(Picture(file, "9f")) == (f"image/{kind.lower()}", file.read_bytes())


@pytest.mark.parametrize(
    ("mode", "kind", "how"),
    [
        ("RGB", "JPEG", {"exif": TURN}),
        ("CMYK", "JPEG", {}),
        ("RGBA", "PNG", {}),
        ("P", "GIF", {}),
        ("RGB", "BMP", {}),
        ("RGB", "WEBP", {"save_all": True, "append_images": [Image.new("RGB", (60, 40))]}),
    ],
)
def test_a_picture_that_readers_see_differently_travels_as_it_is_read_here(tmp_path, mode, kind, how):
    file = tmp_path / "a"
    Image.effect_noise((60, 40), 90).convert("RGB").convert(mode).save(file, kind, **how)
    told, data = put(Picture(file, "9f"))
    assert told == "image/png"
    assert Image.open(BytesIO(data)).tobytes() == read_image(file).tobytes()


def test_marks_are_drawn_in_what_is_sent(tmp_path):
    file, marks = tmp_path / "a", (constant_mark("rectangle", region((5, 5, 50, 30)), "red"),)
    Image.effect_noise((60, 40), 90).convert("RGB").save(file, "JPEG")
    told, data = put(Picture(file, "9f", marks))
    assert told == "image/png"
    assert Image.open(BytesIO(data)).tobytes() == draw(read_image(file), marks).tobytes() != read_image(file).tobytes()


def test_a_broken_picture_is_named_and_not_sent(root):
    (root / "data" / "scienceqa" / "images" / "test" / "5" / "image.jpg").write_bytes(b"\xff\xd8\xff")
    with judging(echo) as server, pytest.raises(DataError, match=r"image\.jpg .*scienceqa, 5"):
        run(root, server.url)
    assert 5 not in map(number, server.asked)


def test_after_a_server_died_the_same_command_asks_only_what_is_missing(root):
    answered: list[str] = []
    is_up = [False]

    def dying(body: Body) -> Said:
        if len(answered) >= 13 and not is_up[0]:
            return DEAD
        answered.append(str(number(body)))
        return echo(body)

    with judging(dying) as server:
        with pytest.raises(VertebraError, match=r"scienceqa, \d+: the model m at .*Connection error") as error:
            run(root, server.url)
        assert error.value.exit_code == 1
        assert "the same command asks what is missing" in str(error.value)
        assert sorted(kept(root)) == sorted(answered)
        assert not (root / "work" / "out" / "answers.jsonl").exists()
        is_up[0] = True
        assert run(root, server.url) == WHOLE
    assert sorted(answered) == sorted(WHOLE)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (failed(400, "too long"), "HTTP 400: too long"),
        (Said(said("Dog").body.replace(b'"stop"', b'"content_filter"')), "content filter"),
        (said(None), "no text"),
        (Said(b"<html>"), "no chat completion"),
        (said("7", delay=7), "within 5 seconds"),
    ],
    ids=["bad", "filtered", "empty", "garbled", "late"],
)
def test_a_question_that_gets_no_answer_is_named_and_those_under_way_are_kept(root, reply, why):
    answered: list[str] = []
    is_mended = [False]

    def choosy(body: Body) -> Said:
        if number(body) == 7 and not is_mended[0]:
            return reply
        answered.append(str(number(body)))
        return replace(echo(body), delay=0.3 * (number(body) == 8))

    with judging(choosy) as server:
        with pytest.raises(VertebraError, match=f"scienceqa, 7: .*{why}"):
            run(root, server.url)
        assert "8" in answered
        assert sorted(kept(root)) == sorted(answered)
        is_mended[0] = True
        assert run(root, server.url) == WHOLE
    assert sorted(answered) == sorted(WHOLE)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_ends_the_step_at_once_in_one_paragraph_without_the_key(root, status):
    with judging(lambda _: failed(status, "no sk-canary")) as server, pytest.raises(VertebraError) as error:
        run(root, server.url)
    assert str(error.value).startswith(f"The model m at {server.url} refuses (HTTP {status}). Check")
    assert (error.value.exit_code, "canary" in str(error.value)) == (1, False)
    assert len(server.asked) <= AT_ONCE


def test_a_signal_leaves_what_is_under_way_some_time_and_keeps_it(root, monkeypatch):
    monkeypatch.setattr(endpoint, "_LAST_WORDS", 1.0)
    signal, end = threading.Event(), threading.Event()

    def slow(body: Body) -> Said:
        if number(body) == 8:
            signal.set()
            end.wait(20)
        if number(body) in (6, 7):
            signal.wait(20)
            time.sleep(0.4)
        return echo(body)

    with judging(slow) as server:
        with pytest.raises(Stopped):
            answer_by(Server("m", server.url), bench(root, signal.is_set), Runtime(concurrency=AT_ONCE))
        end.set()
        asked = [*map(number, server.asked)]
        assert {6, 7, 8} <= {*asked} < {*range(COUNT)}
        assert {*map(int, kept(root))} == {*asked} - {8}
        assert run(root, server.url) == WHOLE
    assert sorted(map(number, server.asked)) == sorted([*range(COUNT), 8])


def test_questions_about_one_picture_follow_each_other(tmp_path):
    one, other = (Picture(tmp_path / name, name) for name in "ab")
    questions = [Question(str(number), seen, Decoding(3), "") for number, seen in enumerate((one, other, None, one))]
    with opened(Server("m", "http://127.0.0.1:9/v1"), 1, lambda: False) as asked:
        assert [question.text for ((_, (question,)),) in asked.batches(questions)] == ["0", "3", "1", "2"]


def test_beams_are_refused_and_nothing_is_asked(root):
    with judging(echo) as server, pytest.raises(Refused, match=r"scienceqa, 0: .*5 beams"):
        run(root, server.url, beams=5)
    assert server.asked == []


def test_openai_is_not_asked_without_a_key_and_no_url_with_a_password(root):
    for url, why in (("https://api.openai.com/v1/", "OPENAI_API_KEY"), ("http://me:secret@h/v1", "without user")):
        with pytest.raises(ConfigError, match=why) as error:
            predict(bench(root, model={"endpoint": url, "name": "m"}), Runtime(), SecretStr(""))
        assert "secret" not in str(error.value)


def test_another_model_or_server_is_asked_anew(root):
    with judging(echo) as server:
        for name, url in (("m", server.url), ("m", f"{server.url}/"), ("other", server.url)):
            answer_by(Server(name, url), bench(root), Runtime())
    assert [body["model"] for body in server.asked] == ["m"] * COUNT + ["other"] * COUNT
