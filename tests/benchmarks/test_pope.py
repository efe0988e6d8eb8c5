"""POPE against the numbers that LLaVA's eval_pope.py prints on the published LLaVA-1.5-13B answers."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.benchmarks.pope import BENCHMARK, SUBSETS
from vertebra.errors import DataError, VertebraError
from vertebra.scoring.benchmark import SHORT_ANSWER, Answer, Sample
from vertebra.scoring.scorecard import score, score_folder
from vertebra.store import file_digest

POPE = Path(__file__).parents[2].parent / "shared" / "data" / "pope"
SAMPLE = Sample("1", "Is there a dog in the image?", None, ("no",), {"subset": "random"}, "a.jpg")


def write_release(folder: Path, questions: dict[str, list[str]], labels: dict[str, list[str]]) -> Path:
    """A release whose questions and labels are about these things, alternately there and not."""
    asked = []
    for subset in SUBSETS:
        for index, thing in enumerate(questions[subset]):
            text = f"Is there a {thing} in the image?{SHORT_ANSWER}"
            row = {"question_id": len(asked) + 1, "image": f"{index // 6}.jpg", "text": text, "category": subset}
            asked.append(row)
        rows = [
            {
                "image": f"{index // 6}.jpg",
                "text": f"Is there a {thing} in the image?",
                "label": ["yes", "no"][index % 2],
            }
            for index, thing in enumerate(labels[subset])
        ]
        (folder / f"coco_pope_{subset}.json").write_text("\n".join(map(json.dumps, rows)))
    (folder / "llava_pope_test.jsonl").write_text("\n".join(map(json.dumps, asked)))
    return folder


@pytest.fixture
def release(tmp_path):
    things = {subset: ["dog", "cat", "cup", "car"] for subset in SUBSETS}
    return write_release(tmp_path, things, things)


@pytest.mark.skipif(not POPE.is_dir(), reason="the shared POPE files are not here")
def test_the_published_answers_get_the_published_numbers_to_the_last_digit():
    card, rows = score_folder(BENCHMARK, POPE / "annotations", POPE / "answers_llava-v1.5-13b.jsonl")
    expected = json.loads((POPE / "expected.json").read_text())
    assert {key: card[key] for key in expected} == expected
    assert len(rows) == 8910
    low, high = card["ci95"]["f1"]
    assert low < expected["metrics"]["f1"] < high


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NO", "yes"),
        ("Not", "yes"),
        ("None", "yes"),
        ("no!", "yes"),
        ("No\nthere is", "yes"),
        ("There isn't", "yes"),
        ("I don't know", "yes"),
        ("", "yes"),
        ("It is. no", "yes"),
        ("Yes. No dog", "yes"),
        ("No, there is not", "no"),
        ("There is no.dog", "no"),
        (" no", "no"),
        ("n,o", "no"),
        ("it is not", "no"),
    ],
)
def test_an_answer_is_no_only_by_the_official_words_in_its_first_sentence(text, said):
    assert BENCHMARK.grade(SAMPLE, text).parsed == said


def test_samples_carry_the_image_folder_and_the_suffix(release):
    first = BENCHMARK.load(release)[0]
    assert (first.image, first.gold, first.groups) == ("val2014/0.jpg", ("yes",), {"subset": "adversarial"})
    assert first.text == "Is there a dog in the image?" + SHORT_ANSWER


def test_the_later_release_of_the_labels_is_refused_by_its_count(tmp_path):
    questions = {subset: ["dog", "cat"] for subset in SUBSETS}
    write_release(tmp_path, questions, {**questions, "random": ["dog", "cat", "cup"]})
    with pytest.raises(DataError, match=r"coco_pope_random\.json has 3 labels.*asks 2.*later release.*e3e3926"):
        BENCHMARK.load(tmp_path)


def test_labels_of_other_questions_are_refused_with_the_line(tmp_path):
    questions = {subset: ["dog", "imange"] for subset in SUBSETS}
    write_release(tmp_path, questions, {**questions, "popular": ["dog", "image"]})
    with pytest.raises(DataError, match=r"llava_pope_test\.jsonl:6: question 6 .*later release"):
        BENCHMARK.load(tmp_path)


def test_officially_a_label_counts_for_the_question_in_its_place(tmp_path):
    questions = {subset: ["dog", "cat", "cup", "car"] for subset in SUBSETS}
    write_release(tmp_path, questions, {**questions, "random": ["bee", "dog", "cat", "cup", "car"]})
    (tmp_path / "answers.jsonl").write_text(
        "".join(json.dumps({"question_id": 4 * place + at + 1, "text": "Yes" if at % 2 == 0 else "No"}) + "\n"
                for place in range(3) for at in range(4))
    )  # fmt: skip
    labels = tmp_path / "coco_pope_random.json"
    rows = labels.read_text().split("\n")
    labels.write_text("\n".join(rows[1:2] + rows[:1] + rows[2:]))
    card, _ = score_folder(BENCHMARK.under("official"), tmp_path, tmp_path / "answers.jsonl")
    assert card["protocol"] == "llava+official"
    f1 = {subset: found["f1"] for subset, found in card["groups"]["subset"].items()}
    assert f1 == {"adversarial": 100, "popular": 100, "random": 50}


def test_officially_too_a_question_needs_a_label(tmp_path):
    questions = {subset: ["dog", "cat"] for subset in SUBSETS}
    write_release(tmp_path, questions, {**questions, "random": ["dog"]})
    with pytest.raises(DataError, match="has 1 labels"):
        BENCHMARK.under("official").load(tmp_path)


@pytest.mark.skipif(not POPE.is_dir(), reason="the shared POPE files are not here")
def test_the_shared_digests_are_those_of_the_official_files():
    for name, digest in BENCHMARK.releases[0].sha256.items():
        assert file_digest(POPE / "annotations" / name) == digest


def test_without_a_predicted_yes_precision_and_f1_are_zero(release):
    samples = BENCHMARK.load(release)
    scores = score(BENCHMARK, samples, {sample.id: Answer("No") for sample in samples}).scores
    assert scores.metrics == {"f1": 0.0, "accuracy": 50.0}
    assert scores.groups["subset"]["random"]["precision"] == 0.0


def test_a_missing_answer_is_reported_and_is_in_no_cell(release):
    samples = BENCHMARK.load(release)
    card = score(BENCHMARK, samples, {sample.id: Answer("Yes") for sample in samples[1:]})
    assert card.missing == 1
    cells = card.scores.groups["subset"]["adversarial"]
    assert [cells[name] for name in ("tp", "fp", "tn", "fn", "yes_ratio")] == [1, 2, 0, 0, 1]


@given(line=st.integers(0, 3), field=st.sampled_from(["image", "text", "label"]), value=st.none() | st.integers())
def test_a_wrong_field_is_refused_with_file_and_line(tmp_path_factory, line, field, value):
    things = {subset: ["dog", "cat", "cup", "car"] for subset in SUBSETS}
    folder = write_release(tmp_path_factory.getbasetemp(), things, things)
    path = folder / "coco_pope_random.json"
    rows = [json.loads(row) for row in path.read_text().split("\n")]
    rows[line][field] = value
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(VertebraError, match=rf"coco_pope_random\.json:{line + 1}: `{field}`"):
        BENCHMARK.load(folder)
