"""VCR as ViP-LLaVA asks and counts it: Q -> A and QA -> R."""

import json
import re
import subprocess
import sys

import pytest

from vertebra.benchmarks import vcr_qa, vcr_qar
from vertebra.errors import DataError
from vertebra.scoring.benchmark import Sample
from vertebra.visual.marks import COLOURS

ANSWERS, REASONS = vcr_qa.BENCHMARK, vcr_qar.BENCHMARK
RECORD = {
    "id": "vcr-12",
    "image": "vcr1images/a.jpg",
    "meta_dir": "./dataset/vcr1images/a.json",
    "class_names": ["person", "person", "cup", "dog"],
    "question": ["What", "is", [1], "holding", "?"],
    "answer_choices": [["A", "book", "."], [[2], "."], [[1, 0], "sleep", "."], ["Nothing", ",", "I", "think", "."]],
    "answer_label": 1,
    "rationale_choices": [[[3], "barks", "."], ["It", "is", "so", "."], ["No", "!"], [[2], "is", "by", [1], "."]],
    "rationale_label": 3,
}
SUFFIX = "Answer with the option's letter from the given choices directly."


def meta(objects: int) -> dict[str, object]:
    """Objects side by side, each second with outlines and one scrap of three corners, which is no outline."""
    outlined = [[[1, 0], [9, 0], [9, 40], [1, 40]], [[0, 0], [1, 1], [2, 2]]]
    return {
        "boxes": [[10 * number, 0, 10 * number + 9, 40, 0.9] for number in range(objects)],
        "segms": [outlined if number % 2 else [] for number in range(objects)],
    }


@pytest.fixture
def write(tmp_path):
    def write(*records: object, told: object = None):
        (tmp_path / "vcr1images").mkdir(exist_ok=True)
        (tmp_path / "vcr1images" / "a.json").write_text(json.dumps(told or meta(4)))
        (tmp_path / "vcr-val.json").write_text(json.dumps(records))
        return tmp_path

    return write


def drawn(sample: Sample) -> list[tuple[float, str]]:
    """The left side of each marked box, and the colour's name."""
    names = {ink: name for name, ink in COLOURS.items()}
    return [(mark.region.box.x1, names.get(mark.colour, "")) for mark in sample.marks]


def test_a_question_is_asked_with_its_four_answers(write):
    (sample,) = ANSWERS.load(write(RECORD))
    assert sample.text.split("\n") == [
        "What is the person at the fuchsia point holding?",
        "A. A book.",
        "B. The cup at the lime point.",
        "C. The person at the fuchsia point and the person at the yellow point sleep.",
        "D. Nothing, I think.",
        SUFFIX,
    ]
    assert (sample.gold, sample.image, sample.cluster) == (("B",), "vcr1images/a.jpg", "vcr1images/a.jpg")
    assert drawn(sample) == [(0, "yellow"), (10, "fuchsia"), (20, "lime")]


def test_a_reason_is_asked_of_the_right_answer(write):
    (sample,) = REASONS.load(write(RECORD))
    assert sample.text.split("\n") == [
        "I give you a question and its answer, I need you to provide a rationale explaining why the answer is right. "
        '"What is the person at the yellow point holding?" The answer is "The cup at the fuchsia point.".'
        "What is the rationale for this decision?",
        "A. The dog at the lime point barks.",
        "B. It is so.",
        "C. No!",
        "D. The cup at the fuchsia point is by the person at yellow point.",
        SUFFIX,
    ]
    assert sample.gold == ("D",)
    assert drawn(sample) == [(10, "yellow"), (20, "fuchsia"), (30, "lime")]


def test_objects_are_half_transparent_points_of_one_size(write):
    (sample,) = ANSWERS.load(write(RECORD))
    assert {(mark.kind, mark.constant, mark.alpha) for mark in sample.marks} == {("point", True, 128)}
    assert [len(mark.region.polygons) for mark in sample.marks] == [0, 1, 0]
    assert len({mark.seed for mark in sample.marks}) == 3


def test_colours_are_named_and_different_while_there_are_any(write):
    names = [f"thing{number}" for number in range(11)]
    (sample,) = ANSWERS.load(write({**RECORD, "class_names": names, "question": [[*range(11)], "?"]}, told=meta(11)))
    named = [name for _, name in drawn(sample)]
    assert sorted(filter(None, named)) == sorted(COLOURS)
    told = re.findall(r"thing\d+ at (?:the )?(?:(\w+) )?point", sample.text.split("\n")[0])
    assert told == named


def test_the_only_object_of_a_question_may_have_a_colour_without_a_name(write):
    alone = {**RECORD, "answer_choices": [["Yes"], ["No"], ["Maybe"], ["Never"]]}
    samples = ANSWERS.load(write(*({**alone, "id": f"vcr-{number}"} for number in range(200))))
    unnamed = [sample for sample in samples if re.match("What is the person at (the )?point holding", sample.text)]
    assert len(unnamed) == pytest.approx(100, abs=30)
    assert {name for sample in unnamed for _, name in drawn(sample)} == {""}


def test_everything_follows_from_the_id_in_every_process(write):
    folder = write(*({**RECORD, "id": f"vcr-{number}"} for number in range(20)))
    samples = REASONS.load(folder)
    assert len({sample.text for sample in samples}) > 15
    code = (
        "import sys, pathlib; from vertebra.benchmarks.vcr_qar import BENCHMARK; "
        "print(BENCHMARK.load(pathlib.Path(sys.argv[1])))"
    )
    other = subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True, text=True)
    assert other.stdout.strip() == str(samples)


@pytest.mark.parametrize("task", [ANSWERS, REASONS])
def test_the_records_alone_are_enough_for_a_score(write, task):
    folder = write(RECORD)
    (whole,) = task.load(folder)
    (folder / "vcr1images" / "a.json").unlink()
    (alone,) = task.load(folder / "vcr-val.json")
    assert (alone.id, alone.text, alone.gold) == (whole.id, whole.text, whole.gold)
    assert alone.marks == ()


@pytest.mark.parametrize("task", [ANSWERS, REASONS])
@pytest.mark.parametrize(
    ("text", "score", "leniently"), [("B", 1, 1), (" b\n", 1, 1), ("B.", 0, 1), ("(B) A cup", 0, 0), ("(B) it", 0, 1)]
)
def test_only_the_bare_letter_counts_unless_leniently(task, text, score, leniently):
    sample = Sample("1", "?", None, ("B",), {}, "a")
    assert task.grade(sample, text).score == score
    assert task.under("vip-llava+lenient").grade(sample, text).score == leniently


@pytest.mark.parametrize("task", [ANSWERS, REASONS])
@pytest.mark.parametrize(
    "broken",
    [
        {"answer_label": 4},
        {"rationale_label": None},
        {"question": ["What", [4], "?"]},
        {"answer_choices": RECORD["answer_choices"][:3]},
        {"image": None},
        {"meta_dir": "../a.json"},
        {"meta_dir": "vcr1images/gone.json"},
        {"id": None},
    ],
)
def test_a_broken_record_is_named(write, task, broken):
    with pytest.raises(DataError, match=r"vcr-val\.json: record 1|vcr1images/gone\.json cannot be read"):
        task.load(write(RECORD, {**RECORD, "id": "vcr-13", **broken}))


@pytest.mark.parametrize("told", [{"boxes": []}, meta(2), {"boxes": [[0, 0, 0, 0, 1]] * 4, "segms": [[]] * 4}])
def test_a_file_that_lacks_a_mentioned_object_is_named_with_its_record(write, told):
    with pytest.raises(DataError, match=r"record 0 \(id vcr-12\)"):
        ANSWERS.load(write(RECORD, told=told))
