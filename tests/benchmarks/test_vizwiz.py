"""VizWiz val, and LLaVA's upload file of the test split."""

import json

import pytest

from vertebra.benchmarks.vizwiz import BENCHMARK
from vertebra.errors import DataError
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import Answer, Sample
from vertebra.scoring.scorecard import score, score_folder

SUFFIX = (
    "\nWhen the provided information is insufficient, respond with 'Unanswerable'."
    "\nAnswer the question using a single word or phrase."
)
ASKED = [
    ("Can you tell me what this medicine is please?", "other", ["night time"] * 6 + ["NyQuil"] * 4),
    ("Is my monitor ON?", "unanswerable", ["unanswerable"] * 8 + ["yes", "no"]),
    ("what's this?", "other", ["T-shirt"] * 5 + ["don't know"] * 2 + ["dont know"] * 3),
]
ROWS = [
    {
        "image": f"VizWiz_val_0000000{place}.jpg",
        "question": question,
        "answers": [{"answer": said, "answer_confidence": "maybe"} for said in answers],
        "answer_type": kind,
        "answerable": 1,
    }
    for place, (question, kind, answers) in enumerate(ASKED)
]
TEST_ROWS = [
    {"question_id": place, "image": f"VizWiz_test_0000000{place}.jpg", "text": "What is this?" + SUFFIX}
    for place in range(2)
]


@pytest.fixture
def write(tmp_path):
    def write(rows: object = ROWS):
        (tmp_path / "val.json").write_text(json.dumps(rows))
        return tmp_path

    return write


@pytest.fixture
def read(write, tmp_path):
    """These (question_id, prompt, text) as answers, by image."""

    def read(*rows: tuple[object, str, str]):
        path = tmp_path / "answers.jsonl"
        written = [{"question_id": name, "prompt": prompt, "text": text} for name, prompt, text in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in written))
        return read_answers(path, BENCHMARK, BENCHMARK.load(write()))

    return read


def test_a_question_is_lower_cased_but_for_its_first_letter_and_named_by_its_image(write):
    second = BENCHMARK.load(write())[1]
    assert (second.id, second.image) == ("VizWiz_val_00000001.jpg", "val/VizWiz_val_00000001.jpg")
    assert second.text == "Is my monitor on?" + SUFFIX
    assert second.groups == {"answer_type": "unanswerable"}


@pytest.mark.parametrize(
    ("place", "text", "accuracy"),
    [
        (0, "Night time.", 1.0),
        (0, "NyQuil", 0.0),  # the annotators' capitals stay, the prediction's go
        (1, "Unanswerable", 1.0),
        (1, "Yes", 0.3),
        (2, "T-shirt", 0.0),
        (2, "dont know", 0.6),  # M4C has given it a straight apostrophe before VizWiz's curly table sees it
    ],
)
def test_predictions_are_normalised_and_annotators_are_not(write, place, text, accuracy):
    assert BENCHMARK.grade(BENCHMARK.load(write())[place], text).score == accuracy


def test_periods_are_deleted_twice_up_to_the_thirty_second():
    sample = Sample("a", "?", None, ("." * 6 + "x",) * 10, {}, "a")
    assert BENCHMARK.grade(sample, "." * 70 + "x").score == 1


def test_accuracy_is_over_all_questions_and_a_missing_answer_is_wrong(write):
    answers = {"VizWiz_val_00000000.jpg": Answer("night time"), "VizWiz_val_00000001.jpg": Answer("no")}
    card = score(BENCHMARK, BENCHMARK.load(write() / "val.json"), answers)
    assert (card.n, card.missing) == (3, 1)
    assert card.scores.metrics["accuracy"] == pytest.approx(100 * 1.3 / 3)
    assert card.scores.groups["answer_type"] == {"other": {"accuracy": 50.0}, "unanswerable": {"accuracy": 30.0}}


def test_an_answer_carries_the_image_s_name_or_the_place_of_its_question(read):
    answers = read(
        (2, "What's this?" + SUFFIX, "tee"), ("VizWiz_val_00000000.jpg", "", "nyquil"), ("1", "", "no"), (1, "", "yes")
    )
    assert {name: answer.text for name, answer in answers.items()} == {
        "VizWiz_val_00000002.jpg": "tee",
        "VizWiz_val_00000000.jpg": "nyquil",
        "VizWiz_val_00000001.jpg": "yes",
    }


@pytest.mark.parametrize("row", [(0, "What's this?" + SUFFIX, "a"), (3, "", "a"), ("VizWiz_test_00000000.jpg", "", "")])
def test_answers_to_other_questions_are_refused_with_their_line(read, row):
    with pytest.raises(DataError, match=r"answers\.jsonl:2: vizwiz has no question"):
        read((1, "", "yes"), row)


def test_llava_s_test_questions_make_the_file_of_its_converter(tmp_path):
    path = tmp_path / "llava_test.jsonl"
    path.write_text("\n".join(map(json.dumps, TEST_ROWS[::-1])))
    samples = BENCHMARK.load(path)
    assert (samples[0].id, samples[0].text) == ("1", "What is this?" + SUFFIX)
    assert BENCHMARK.upload is not None
    assert BENCHMARK.upload(samples, {"0": Answer("Unanswerable"), "1": Answer("Macy’s, “NY”.")}) == (
        '[{"image": "VizWiz_test_00000001.jpg", "answer": "macy\\u2019s \\u201cny\\u201d"}, '
        '{"image": "VizWiz_test_00000000.jpg", "answer": "unanswerable"}]'
    )


def test_an_upload_that_leaves_a_question_out_is_refused_as_officially(write):
    assert BENCHMARK.upload is not None
    with pytest.raises(DataError, match=r"No answer to question 'VizWiz_val_00000001\.jpg'"):
        BENCHMARK.upload(BENCHMARK.load(write()), {"VizWiz_val_00000000.jpg": Answer("no")})


def test_a_study_cannot_be_scored_without_right_answers(write):
    folder = write([{"image": "VizWiz_test_00000000.jpg", "question": "What?"}])
    (folder / "answers.jsonl").write_text('{"question_id": 0, "text": "yes"}\n')
    with pytest.raises(DataError, match="without right answers"):
        score_folder(BENCHMARK, folder, folder / "answers.jsonl")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([ROWS[0], {**ROWS[1], "answers": ROWS[1]["answers"][:9]}], r"val\.json: record 1: `answers`"),
        ([ROWS[0], {**ROWS[1], "image": None}], r"val\.json: record 1: `image`"),
        ([ROWS[0], ROWS[0]], r"'VizWiz_val_00000000\.jpg' is there twice"),
        ({"questions": []}, r"expected a JSON list"),
        ([], "no question of vizwiz"),
    ],
)
def test_broken_annotations_are_refused(write, rows, told):
    with pytest.raises(DataError, match=told):
        BENCHMARK.load(write(rows))
