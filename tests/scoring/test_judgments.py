"""Judgments from official files and caches, whole and broken."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.benchmarks import benchmark
from vertebra.errors import ConfigError, DataError, JudgeError
from vertebra.scoring.benchmark import Answer, Sample
from vertebra.scoring.hearing import hear
from vertebra.scoring.judging import Judgment, judged, settle
from vertebra.scoring.judgments import is_cache, read_judgments, replay
from vertebra.scoring.rules import ScriptedJudge

MM_VET, LLAVA = benchmark("mm_vet"), benchmark("llava_wild")


@pytest.fixture
def write(tmp_path):
    def write(*rows: object, name: str = "judgments.json"):
        path = tmp_path / name
        path.write_text("\n".join(map(json.dumps, rows)))
        return path

    return write


def grade(*scores: object, **columns: list[object]):
    return {"model": ["gpt-4-0613"] * len(scores), "content": list(map(str, scores)), "score": list(scores), **columns}


def review(question: object, content: str = "8 7\nGood.", **fields: object):
    return {"question_id": question, "category": "llava_bench_conv", "content": content, **fields}


def test_grades_hold_all_runs(write):
    found = read_judgments([write({"v1_0": grade(0.5, 1.0)})], MM_VET, {"v1_0"})
    assert found == {"v1_0": [Judgment((0.5,), "0.5", "gpt-4-0613"), Judgment((1.0,), "1.0", "gpt-4-0613")]}


def test_a_file_of_reviews_is_one_run(write):
    paths = [write(review(0, tuple=pair), name=f"{pair}.jsonl") for pair in ([8, 7], [9, 6])]
    found = read_judgments(paths, LLAVA, {"0"})
    assert [judgment.points for judgment in found["0"]] == [(8, 7), (9, 6)]


def test_a_question_that_a_run_leaves_out_keeps_its_runs_apart(write):
    paths = [write(review(0), name="1.jsonl"), write(review(0), review(1), name="2.jsonl")]
    found = read_judgments(paths, LLAVA, {"0", "1"})
    assert [judgment.points for judgment in found["1"]] == [None, (8, 7)]


@pytest.mark.parametrize(
    ("row", "points"),
    [
        (review(0), (8, 7)),
        (review(0, "8, 7"), None),
        (review(0, "nan 7"), None),
        (review(0, score=[9, 5]), (9, 5)),
        (review(0, "9 9", tuple=[8, 7]), (8, 7)),
    ],
)
def test_a_review_without_its_tuple_is_read_from_its_content(write, row, points):
    assert read_judgments([write(row)], LLAVA, {"0"})["0"][0].points == points


@pytest.mark.parametrize(
    ("benchmark_", "judgment", "resolved", "official"),
    [
        (MM_VET, Judgment((0.5,), "0.5"), (0.5,), (0.5,)),
        (MM_VET, Judgment((0.0,), "0.0"), (0.0,), (0.0,)),
        (MM_VET, Judgment((0.0,), None), (0.0,), (0.0,)),
        (MM_VET, Judgment((0.0,), "Sorry"), None, (0.0,)),
        (MM_VET, Judgment((0.0,), "0.7"), None, (0.0,)),
        (MM_VET, Judgment(None, "nan"), None, (0.0,)),
        (MM_VET, Judgment((3.0,), None), None, (3.0,)),
        (MM_VET, Judgment(None, None, why="HTTP 500"), None, None),
        (LLAVA, Judgment((-1.0, -1.0), "8, 7"), None, (-1.0, -1.0)),
        (LLAVA, Judgment(None, "8, 7"), None, (-1.0, -1.0)),
        (LLAVA, Judgment((85.0, 70.0), "85 70"), None, (85.0, 70.0)),
    ],
)
def test_what_is_unreadable_counts_only_officially(benchmark_, judgment, resolved, official):
    assert settle(benchmark_.judging, judgment) == resolved
    assert settle(benchmark_.judging, judgment, official=True) == official


def samples(count: int) -> list[Sample]:
    return [Sample(f"v1_{index}", "?", None, ("a",), {"capability": ("rec",)}, str(index)) for index in range(count)]


@pytest.mark.parametrize(
    ("count", "lost", "has_score"), [(100, 1, True), (99, 1, False), (200, 2, True), (200, 3, False)]
)
def test_one_per_cent_may_be_unresolved(count, lost, has_score):
    asked = samples(count)
    judgments = {sample.id: [Judgment((1.0,), "1")] for sample in asked[lost:]}
    answers = {sample.id: Answer("a") for sample in asked}
    if has_score:
        named, verdicts = judged(MM_VET, asked, answers, judgments)
        assert named.summarise(asked, verdicts).metrics == {"total": 100.0, "std": 0.0}
    else:
        with pytest.raises(JudgeError, match=f"{lost} of {count} judgments"):
            judged(MM_VET, asked, answers, judgments)


def test_no_judgment_at_all_is_no_score():
    with pytest.raises(JudgeError, match="no judgment at all"):
        judged(MM_VET, samples(1), {}, {})


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["v1_0"], r"judgments\.json:1: expected a JSON object"),
        ([{"v1_9": grade(1)}], "no question 'v1_9'.*another benchmark"),
        ([{"v1_0": 0.5}], "question 'v1_0'.*grade file"),
        ([{"v1_0": {"score": 0.5}}], "question 'v1_0'.*`score` must be a list"),
        ([{"v1_0": {"score": ["0.5"]}}], "question 'v1_0', run 1: the score must be 1 number"),
        ([{"v1_0": {"score": [True]}}], "the score must be"),
        ([{"v1_0": {"score": [None], "content": [0.5]}}], "`content`.* must be text"),
        ([{"v1_0": {"score": [None]}}], "neither a score nor a reply"),
    ],
)
def test_a_broken_grade_file_is_refused_by_id(write, rows, told):
    with pytest.raises(DataError, match=told):
        read_judgments([write(*rows)], MM_VET, {"v1_0"})


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (review(0), r"json:2: question 0 is reviewed twice"),
        (review(60), "no question '60'"),
        (review(None), r"json:2: `question_id`"),
        (review(1, tuple=[8]), r"json:2: the score must be 2 numbers"),
        (review(1, tuple=8), r"json:2: the score must be 2 numbers"),
        (review(1, content=None), "neither"),
    ],
)
def test_a_broken_file_of_reviews_is_refused_by_line(write, row, told):
    with pytest.raises(DataError, match=told):
        read_judgments([write(review(0), row)], LLAVA, {"0", "1"})


@pytest.mark.parametrize("content", [b'{"question_id": 0, "tup', b"\xff\xfe", b'{"v1_0": {"score": [0.5'])
@pytest.mark.parametrize("chosen", [MM_VET, LLAVA], ids=lambda chosen: chosen.name)
def test_a_torn_or_garbled_official_file_is_refused(tmp_path, content, chosen):
    path = tmp_path / "judgments.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"judgments\.jsonl:1: "):
        read_judgments([path], chosen, {"0", "v1_0"})


numbers = st.integers() | st.floats() | st.just(10**400)
columns = st.lists(numbers | st.none() | st.text() | st.booleans(), max_size=3) | numbers


@given(given_=st.fixed_dictionaries({}, optional={"score": columns, "content": columns, "model": columns}))
def test_any_grades_are_read_or_refused_with_file_and_id(tmp_path_factory, given_):
    path = tmp_path_factory.getbasetemp() / "any_grades.json"
    path.write_text(json.dumps({"v1_0": given_}))
    try:
        found = read_judgments([path], MM_VET, {"v1_0"})
    except DataError as error:
        assert re.match(rf"{re.escape(str(path))}: question 'v1_0'", str(error))
    else:
        assert all(settle(MM_VET.judging, each) is None or 0 <= each.points[0] <= 1 for each in found["v1_0"])


CACHED = {"run": 0, "attempt": 0, "endpoint": "http://h/v1", "id": "v1_0", "model": "m", "content": "0.5"}


def cache(path, answers: dict[str, Answer], *judges: str):
    """A cache that holds a reply about each of these answers."""
    from vertebra.scoring.judge import request_digest

    judging = MM_VET.judging
    assert judging
    rows = [
        {"request": request_digest(judging.request(sample, answers[sample.id].text, 0)), **CACHED, "judge": judge}
        for judge in judges
        for sample in samples(len(answers))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"request": "torn')
    return path


ANSWERS = {f"v1_{index}": Answer(str(index)) for index in range(2)}


def test_a_judge_s_cache_is_replayed_though_its_last_line_be_torn(tmp_path):
    path = cache(tmp_path / "judge.jsonl", ANSWERS, "gpt-4")
    assert is_cache(path)
    name, found = replay(path, MM_VET, samples(2), ANSWERS)
    assert (name, found["v1_1"]) == ("gpt-4", [Judgment((0.5,), "0.5", "m")])


def test_a_cache_says_nothing_of_other_answers(tmp_path):
    path = cache(tmp_path / "judge.jsonl", ANSWERS, "gpt-4")
    with pytest.raises(JudgeError, match="no reply about this very answer"):
        replay(path, MM_VET, samples(2), {**ANSWERS, "v1_1": Answer("else")})


def test_a_cache_of_two_judges_wants_to_know_which(tmp_path):
    path = cache(tmp_path / "judge.jsonl", ANSWERS, "a", "b")
    with pytest.raises(ConfigError, match="a, b"):
        replay(path, MM_VET, samples(2), ANSWERS)
    assert replay(path, MM_VET, samples(2), ANSWERS, "b")[0] == "b"


def test_the_scripted_judge_counts_words_and_is_named_as_such():
    asked = [Sample("v1_0", "What is x?", None, ("-1<AND>-5<OR>five",), {"capability": ("math",)}, "0")]
    scores = {}
    for text in ("x = -1", "x = -1 or -5", "x is Five | 1.0", "x = 15", ""):
        answers = {"v1_0": Answer(text)}
        named, (verdict,) = judged(MM_VET, asked, answers, hear(MM_VET, asked, answers, ScriptedJudge()), "rules")
        scores[text] = verdict.score
        assert named.protocol == "v1 judge=rules (scripted)"
    assert list(scores.values()) == [0.5, 1.0, 0.5, 0.0, 0.0]


def test_the_scripted_judge_reviews_two_answers():
    asked = [Sample("0", "What is it?", None, ("A red dog.", "A dog."), {"category": "conv"}, "0")]
    answers = {"0": Answer("It is a dog. [End of Assistant 2]")}
    (judgment,) = hear(LLAVA, asked, answers, ScriptedJudge())["0"]
    assert judgment.points == (10, 7)
