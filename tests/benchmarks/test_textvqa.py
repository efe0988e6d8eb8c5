"""TextVQA as LLaVA's eval_textvqa.py pairs and counts it."""

import json

import pytest

from vertebra.benchmarks.textvqa import ANNOTATIONS, BENCHMARK, QUESTIONS
from vertebra.errors import DataError
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import SHORT_ANSWER, Answer
from vertebra.scoring.scorecard import score

CAMERA, CLOCK = "003a8ae2ef43b901", "4c7e5f1bf1ee9ad6"
ASKED = [
    (34602, CAMERA, "what is the brand of this camera?", ["dakota"] * 3 + ["Dakota digital"] * 5 + ["Macy's", "a"]),
    (34603, CAMERA, "What does the small WHITE text spell?", ["copenhagen"] * 10),
    (34604, CLOCK, "what time is it?", ["2:50"] * 2 + ["10"] * 8),
]
RELEASE = {
    "dataset_version": "0.5.1",
    "data": [
        {"question_id": number, "image_id": image, "question": question, "answers": answers}
        for number, image, question, answers in ASKED
    ],
}
PROMPTS = [
    f"{question.capitalize()}\nReference OCR token: {words}{SHORT_ANSWER}"
    for (_, _, question, _), words in zip(ASKED, ["DAKOTA, DIGITAL", "", "10, :"], strict=True)
]
ROWS = [
    {"question_id": image, "image": f"{image}.jpg", "text": prompt}
    for (_, image, _, _), prompt in zip(ASKED, PROMPTS, strict=True)
]


@pytest.fixture
def write(tmp_path):
    def write(release: object = RELEASE, rows: object = ROWS):
        (tmp_path / ANNOTATIONS).write_text(json.dumps(release))
        (tmp_path / QUESTIONS).write_text("\n".join(map(json.dumps, rows)))
        return tmp_path

    return write


@pytest.fixture
def answered(write, tmp_path):
    """The score of these (question_id, prompt, text) as official answers."""

    def answered(*rows: tuple[object, str, str]):
        path = tmp_path / "answers.jsonl"
        written = [{"question_id": name, "prompt": prompt, "text": text} for name, prompt, text in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in written))
        samples = BENCHMARK.load(write() / ANNOTATIONS)
        return score(BENCHMARK, samples, read_answers(path, BENCHMARK, samples))

    return answered


@pytest.mark.parametrize(
    ("prompts", "name"),
    [
        (PROMPTS, "ocr"),
        ([""], "ocr"),
        ([f"What time is it?{SHORT_ANSWER}"], "no-ocr"),
        ([PROMPTS[0], f"What time is it?{SHORT_ANSWER}"], "some-ocr"),
    ],
)
def test_the_stored_prompts_tell_whether_words_were_shown(prompts, name):
    answers = {str(number): Answer("", prompt) for number, prompt in enumerate(prompts)}
    assert BENCHMARK.as_asked(answers).protocol == f"val-0.5.1+{name}"


def test_a_prompt_is_the_question_the_words_read_and_the_suffix(write):
    first, second, _ = BENCHMARK.load(write())
    assert first.text == (
        "What is the brand of this camera?\nReference OCR token: DAKOTA, DIGITAL\n"
        "Answer the question using a single word or phrase."
    )
    assert second.text.split("\n")[:2] == ["What does the small white text spell?", "Reference OCR token: "]
    assert (first.id, first.image, first.cluster) == ("34602", f"train_images/{CAMERA}.jpg", CAMERA)


def test_answers_are_paired_by_image_and_question(answered):
    card = answered(
        (CLOCK, PROMPTS[2], "2:50."),
        (CAMERA, PROMPTS[1], "Copenhagen,"),
        (CAMERA, PROMPTS[0], "DAKOTA"),
    )
    assert (card.n, card.missing) == (3, 0)
    assert card.scores.metrics["accuracy"] == pytest.approx(100 * (0.9 + 1 + 0.6) / 3)
    assert card.scores.groups == {}


@pytest.mark.parametrize(
    "prompt",
    [
        f"What TIME is it?{SHORT_ANSWER}",
        f"Reference OCR token: 10, :\nWhat time is it?{SHORT_ANSWER}",
        "OCR tokens: 10, :. Question: What time is it? Short answer:",
    ],
)
def test_the_official_forms_of_a_prompt_are_read(answered, prompt):
    assert answered((CLOCK, prompt, "ten")).scores.metrics == {"accuracy": 100.0}


def test_an_answer_may_carry_the_id_of_the_annotations(answered):
    assert answered((34604, "", "10")).scores.metrics == {"accuracy": 100.0}


def test_a_missing_answer_is_reported_and_is_not_in_the_mean(answered):
    card = answered((CLOCK, PROMPTS[2], "10"))
    assert (card.n, card.missing, card.scores.metrics) == (3, 2, {"accuracy": 100.0})


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        (CLOCK, PROMPTS[0]),
        (CLOCK, "What time is it?"),
        (CLOCK, "a\nb\nc"),
        (CLOCK, "OCR tokens: 10"),
        (CLOCK, ""),
        ("v1_0", PROMPTS[2]),
    ],
)
def test_an_answer_to_no_question_is_refused_with_its_line(answered, name, prompt):
    with pytest.raises(DataError, match=rf"answers\.jsonl:2: textvqa has no question '{name}'"):
        answered((CAMERA, PROMPTS[0], "dakota"), (name, prompt, "10"))


def test_a_second_answer_is_refused_with_its_line(answered):
    with pytest.raises(DataError, match=r"answers\.jsonl:2: .*twice"):
        answered((CLOCK, PROMPTS[2], "10"), (CLOCK, PROMPTS[2], "11"))


def test_a_very_long_answer_is_wrong(answered):
    assert answered((CLOCK, PROMPTS[2], "10. , " * 20_000)).scores.metrics == {"accuracy": 0.0}


def test_another_release_is_refused_by_its_number(write):
    with pytest.raises(DataError, match=r"is of TextVQA 0\.5\. .*0\.5\.1"):
        BENCHMARK.load(write({**RELEASE, "dataset_version": "0.5"}))


@pytest.mark.parametrize(
    ("broken", "field"),
    [({"answers": ["yes"] * 9}, "answers"), ({"image_id": 3}, "image_id"), ({"question_id": "a"}, "question_id")],
)
def test_a_wrong_field_is_named_with_its_record(write, broken, field):
    data = [RELEASE["data"][0], {**RELEASE["data"][1], **broken}]
    with pytest.raises(DataError, match=rf"val\.json: `data\.1\.{field}`"):
        BENCHMARK.load(write({"data": data}))


def test_a_question_asked_twice_of_an_image_is_refused(write):
    data = [*RELEASE["data"], {**RELEASE["data"][2], "question_id": 7, "question": "What time IS it?"}]
    with pytest.raises(DataError, match="'what time is it\\?' twice"):
        BENCHMARK.load(write({"data": data}))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (ROWS[:2], r"does not ask 'what time is it\?'"),
        ([*ROWS, ROWS[2]], r"ocr\.jsonl:4: asks .*again"),
        ([{**ROWS[0], "text": PROMPTS[2]}], r"ocr\.jsonl:1: asks 'what time.*but the annotations do not"),
        ([{**ROWS[0], "text": "What time is it?"}], r"ocr\.jsonl:1: asks ''"),
    ],
)
def test_prompts_of_other_questions_are_refused(write, rows, told):
    with pytest.raises(DataError, match=told):
        BENCHMARK.load(write(rows=rows))


def test_without_its_prompts_the_folder_is_refused(write):
    folder = write()
    (folder / QUESTIONS).unlink()
    with pytest.raises(DataError, match=f"{QUESTIONS} cannot be read"):
        BENCHMARK.load(folder)


def test_questions_without_answers_are_not_scored(write):
    data = [{key: value for key, value in row.items() if key != "answers"} for row in RELEASE["data"]]
    samples = BENCHMARK.load(write({"data": data}))
    assert score(BENCHMARK, samples, {"34602": Answer("dakota")}).scores.metrics == {}
