"""VQAv2 val as the VQA challenge grades what LLaVA sends."""

import json

import pytest

from vertebra.benchmarks.vqav2 import ANNOTATIONS, BENCHMARK, QUESTIONS
from vertebra.errors import DataError
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import Answer, Sample
from vertebra.scoring.scorecard import score

ASKED = [
    (262148000, 262148, "Where is he looking?", "other", ["down"] * 7 + ["at table"] * 2 + ["table"]),
    (262148001, 262148, "Is it day?", "yes/no", ["yes"] * 10),
    (393225002, 393225, "How many?", "number", ["2"] * 10),
    (393225003, 393225, "Which shop?", "other", ["macy's"] * 5 + ["store"] * 5),
]
QUESTION_ROWS = [{"question_id": name, "image_id": image, "question": text} for name, image, text, _, _ in ASKED]
ANNOTATION_ROWS = [
    {
        "question_id": name,
        "image_id": image,
        "answer_type": kind,
        "answers": [
            {"answer": said, "answer_confidence": "yes", "answer_id": number} for number, said in enumerate(answers, 1)
        ],
    }
    for name, image, _, kind, answers in ASKED
]


@pytest.fixture
def write(tmp_path):
    def write(questions: object = QUESTION_ROWS, annotations: object = ANNOTATION_ROWS):
        (tmp_path / QUESTIONS).write_text(json.dumps({"data_subtype": "val2014", "questions": questions}))
        (tmp_path / ANNOTATIONS).write_text(json.dumps({"annotations": annotations}))
        return tmp_path

    return write


def test_samples_are_the_questions_in_order_with_their_coco_images(write):
    first = BENCHMARK.load(write())[0]
    assert first == Sample(
        "262148000",
        "Where is he looking?\nAnswer the question using a single word or phrase.",
        "val2014/COCO_val2014_000000262148.jpg",
        ("down",) * 7 + ("at table",) * 2 + ("table",),
        {"answer_type": "other"},
        "262148",
    )


@pytest.mark.parametrize(
    ("place", "text", "accuracy"),
    [
        (0, "Down.", 1.0),
        (0, "at the table", 0.6),
        (0, "The Table!", 0.3),
        (0, "up", 0.0),
        (1, "Yes.", 1.0),
        (1, "yes it is", 0.0),
        (2, "two", 1.0),
        (3, "Macy's", 0.0),
        (3, "store", 1.0),
    ],
)
def test_what_llava_sends_is_what_the_challenge_grades(write, place, text, accuracy):
    sample = BENCHMARK.load(write())[place]
    assert BENCHMARK.grade(sample, text).score == accuracy


def test_accuracy_is_the_mean_over_all_questions_and_by_answer_type(write):
    answers = {"262148000": Answer("table"), "262148001": Answer("yes"), "393225003": Answer("store")}
    card = score(BENCHMARK, BENCHMARK.load(write()), answers)
    assert (card.n, card.missing) == (4, 1)
    assert card.scores.metrics["accuracy"] == pytest.approx(100 * 2.3 / 4)
    assert card.scores.groups == {
        "answer_type": {"other": {"accuracy": 65.0}, "yes/no": {"accuracy": 100.0}, "number": {"accuracy": 0.0}}
    }


def test_the_last_of_two_answers_counts_as_in_llava_s_converter(write, tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"question_id": 262148001, "text": "no"}\n{"question_id": 262148001, "text": "yes"}\n')
    assert read_answers(path, BENCHMARK, BENCHMARK.load(write()))["262148001"].text == "yes"


def test_test_questions_alone_make_an_upload_with_all_ids_in_order(tmp_path):
    path = tmp_path / "v2_OpenEnded_mscoco_test2015_questions.json"
    path.write_text(json.dumps({"data_subtype": "test2015", "questions": QUESTION_ROWS[::-1]}))
    samples = BENCHMARK.load(path)
    assert (samples[0].image, samples[0].gold) == ("test2015/COCO_test2015_000000393225.jpg", ())
    assert BENCHMARK.upload is not None
    assert BENCHMARK.upload(samples, {"262148000": Answer("At the table."), "393225003": Answer("Macy's")}) == (
        '[{"question_id": 393225003, "answer": "macy \'s"}, {"question_id": 393225002, "answer": ""}, '
        '{"question_id": 262148001, "answer": ""}, {"question_id": 262148000, "answer": "at table"}]'
    )


def test_the_images_of_test_dev_are_those_of_test(tmp_path):
    path = tmp_path / "v2_OpenEnded_mscoco_test-dev2015_questions.json"
    path.write_text(json.dumps({"data_subtype": "test-dev2015", "questions": QUESTION_ROWS}))
    assert BENCHMARK.load(path)[0].image == "test2015/COCO_test2015_000000262148.jpg"


@pytest.mark.parametrize(
    ("questions", "annotations", "told"),
    [
        (QUESTION_ROWS[1:], ANNOTATION_ROWS, rf"262148000 is in {ANNOTATIONS} and not in {QUESTIONS}"),
        (QUESTION_ROWS, ANNOTATION_ROWS[:3], rf"393225003 is in {QUESTIONS} and not in {ANNOTATIONS}"),
        ([*QUESTION_ROWS, QUESTION_ROWS[0]], ANNOTATION_ROWS, "'262148000' is there twice"),
        (QUESTION_ROWS, [*ANNOTATION_ROWS, ANNOTATION_ROWS[0]], "262148000 is annotated twice"),
    ],
)
def test_questions_and_annotations_of_unlike_releases_are_refused(write, questions, annotations, told):
    with pytest.raises(DataError, match=told):
        BENCHMARK.load(write(questions, annotations))


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"answers": ANNOTATION_ROWS[0]["answers"][:9]}, r"answers`"),
        ({"answers": [{"answer": 2}] * 10}, r"answers\.0`"),
        ({"answers": "down"}, r"answers`"),
        ({"answer_type": None}, r"answer_type`"),
    ],
)
def test_a_wrong_field_is_named_with_its_record(write, broken, field):
    with pytest.raises(DataError, match=rf"annotations\.json: `annotations\.1\.{field}"):
        BENCHMARK.load(write(annotations=[ANNOTATION_ROWS[0], {**ANNOTATION_ROWS[1], **broken}]))


def test_answers_to_another_benchmark_are_refused_with_their_line(write, tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"question_id": 393225002, "text": "2"}\n{"question_id": "VizWiz_val_00000000.jpg", "text": "a"}')
    with pytest.raises(DataError, match=r"answers\.jsonl:2: vqav2 has no question 'VizWiz"):
        read_answers(path, BENCHMARK, BENCHMARK.load(write()))
