"""MME against the numbers of the official calculation.py, and its layouts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.benchmarks.mme import BENCHMARK, SUBTASKS
from vertebra.errors import DataError
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import SHORT_ANSWER, Sample
from vertebra.scoring.scorecard import score, score_folder

MME = Path(__file__).parents[2].parent / "shared" / "data" / "mme"
SAMPLE = Sample("1", "?", None, ("yes",), {"subtask": "OCR"}, "1")
QUESTIONS = (("Is it red? Please answer yes or no.", "Yes"), ("Is it blue?  Please answer yes or no.", "No"))


@pytest.fixture
def release(tmp_path):
    """Two pictures a subtask, in the layout of `Your_Results`."""
    for subtask in SUBTASKS:
        lines = [f"{file}\t{asked}\t{truth}\n" for file in ("1.png", "2.png") for asked, truth in QUESTIONS]
        (tmp_path / f"{subtask}.txt").write_text("".join(lines))
    return tmp_path


@pytest.fixture
def answered(release):
    """What the answers of a function of subtask, file and truth are worth."""

    def answered(say):
        rows = []
        for subtask in SUBTASKS:
            for file in ("1.png", "2.png"):
                for asked, truth in QUESTIONS:
                    prompt = asked.removesuffix("Please answer yes or no.").strip() + SHORT_ANSWER
                    rows.append(
                        {"question_id": f"{subtask}/{file}", "prompt": prompt, "text": say(subtask, file, truth)}
                    )
        path = release / "answers.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        samples = BENCHMARK.load(release)
        return score(BENCHMARK, samples, read_answers(path, BENCHMARK, samples))

    return answered


@pytest.mark.skipif(not MME.is_dir(), reason="the shared MME files are not here")
@pytest.mark.parametrize("answers", ["answers_llava-v1.5-13b.jsonl", "answers_lavin"])
def test_the_published_answers_get_the_official_numbers_to_the_last_digit(answers):
    card, rows = score_folder(BENCHMARK, MME / "annotations", MME / answers)
    expected = json.loads((MME / "expected.json").read_text())[answers]
    assert {key: card[key] for key in expected} == expected
    assert len(rows) == 2374


@pytest.mark.skipif(not MME.is_dir(), reason="the shared MME files are not here")
def test_prompts_and_images_are_those_of_the_published_question_file():
    asked = [json.loads(line) for line in (MME / "llava_mme.jsonl").read_text().split("\n") if line]
    samples = BENCHMARK.load(MME / "annotations")
    assert {(sample.image, sample.text) for sample in samples} == {(row["image"], row["text"]) for row in asked}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yes", "yes"),
        ("Yes, it is", "yes"),
        ("YES", "yes"),
        (" yes", "yes"),
        ("**Yes**", None),
        ("Not sure", "no"),
        ("None", "no"),
        ("know", "no"),
        ("no\n", "no"),
        ("The answer is yes", None),
        ("N", None),
        ("Y", None),
        ("unknown", None),
        ("Church", None),
        ("", None),
    ],
)
def test_the_first_four_characters_decide(text, said):
    assert BENCHMARK.grade(SAMPLE, text).parsed == said


@given(st.text())
def test_nothing_after_the_fourth_character_matters(text):
    assert BENCHMARK.grade(SAMPLE, "No, " + text).parsed == "no"
    assert BENCHMARK.grade(SAMPLE, "It is" + text).parsed is None


def test_a_subtask_scores_its_accuracy_and_that_of_its_pairs(answered):
    card = answered(lambda subtask, file, truth: truth if file == "1.png" else "Yes")
    assert card.scores.groups["subtask"]["OCR"] == {"score": 125.0, "accuracy": 75.0, "accuracy_plus": 50.0}
    assert card.scores.metrics == {"perception": 1250.0, "cognition": 500.0}
    assert (card.n, card.missing) == (56, 0)


def test_a_tab_or_line_break_in_an_answer_does_not_stop_the_count(answered):
    card = answered(lambda subtask, file, truth: f"{truth}\t{truth}\nbecause" * 10_000)
    assert card.scores.metrics == {"perception": 2000.0, "cognition": 800.0}


def test_the_release_tree_holds_the_same_questions(release, tmp_path_factory):
    tree = tmp_path_factory.mktemp("release")
    for subtask in SUBTASKS:
        apart = subtask in {"artwork", "celebrity", "landmark", "posters", "scene"}
        texts = tree / subtask / "questions_answers_YN" if apart else tree / subtask
        pictures = tree / subtask / "images" if apart else tree / subtask
        texts.mkdir(parents=True)
        pictures.mkdir(parents=True, exist_ok=True)
        for name in ("1", "2"):
            (texts / f"{name}.txt").write_text("".join(f"{asked}\t{truth}\n" for asked, truth in QUESTIONS))
            (pictures / f"{name}.png").touch()
    assert BENCHMARK.load(tree) == BENCHMARK.load(release)


def test_images_lie_where_llava_s_question_file_has_them(release):
    images = {sample.image for sample in BENCHMARK.load(release)}
    assert {"OCR/1.png", "artwork/images/1.png"} <= images
    assert {sample.label for sample in BENCHMARK.load(release)} >= {"OCR/1.png", "artwork/1.png"}


def test_an_id_with_the_release_s_folder_names_the_same_question(release):
    path = release / "answers.jsonl"
    path.write_text(json.dumps({"question_id": "artwork/images/2.jpg", "prompt": "Is it blue?", "text": "No"}))
    assert list(read_answers(path, BENCHMARK, BENCHMARK.load(release))) == ["artwork/2.png#2"]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (
            {"question_id": "OCR/1.png", "text": "No"},
            r"jsonl:1: mme has no question 'OCR/1\.png', and no .prompt. is stored",
        ),
        ({"question_id": "OCR/1.png", "prompt": "Is it green?", "text": "No"}, r"with the prompt 'Is it green\?'"),
        ({"question_id": "1", "prompt": "Is it red?", "text": "No"}, "another benchmark"),
    ],
)
def test_an_answer_to_no_question_is_named(release, row, complaint):
    path = release / "answers.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(DataError, match=complaint):
        read_answers(path, BENCHMARK, BENCHMARK.load(release))


def test_a_question_answered_twice_is_refused(release):
    path = release / "answers.jsonl"
    path.write_text(2 * '{"question_id": "OCR/1.png", "prompt": "Is it red?", "text": "No"}\n')
    with pytest.raises(DataError, match=r"jsonl:2: question 'OCR/1\.png' is answered twice"):
        read_answers(path, BENCHMARK, BENCHMARK.load(release))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1.png\tIs it red?\n", r"OCR\.txt:1: 2 columns where MME has 3"),
        ("1.png\tIs it red?\tYes\n", r"OCR has 1 questions, no pairs"),
        ("1.png\tIs it red?\tYes\n1.png\tIs it?\tMaybe\n", r"OCR\.txt:2: the truth must be Yes or No"),
        ("1.png\tIs it red?\tYes\n1.png\t\udcff?\tNo\n", r"OCR\.txt:2: not UTF-8"),
    ],
)
def test_a_broken_annotation_is_named(release, text, complaint):
    (release / "OCR.txt").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=complaint):
        BENCHMARK.load(release)


def test_a_missing_subtask_is_named(release):
    (release / "count.txt").unlink()
    with pytest.raises(DataError, match=r"count\.txt cannot be read"):
        BENCHMARK.load(release)


def test_a_folder_of_answers_needs_a_fourth_column(release):
    samples = BENCHMARK.load(release)
    with pytest.raises(DataError, match=r"existence\.txt:1: 3 columns where MME has 4"):
        read_answers(release, BENCHMARK, samples)
