"""MMBench's circular score, in English and Chinese, on small files in the official layout."""

import base64
import json

import pytest

from vertebra.benchmarks import mmbench, mmbench_cn
from vertebra.errors import DataError, UnknownName
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import OPTION_LETTER, Answer
from vertebra.scoring.scorecard import score
from vertebra.scoring.sheets import sheet_rows

BENCHMARK = mmbench.BENCHMARK
HEADER = "index question hint A B C D answer category image source l2-category comment split".split()  # noqa: SIM905
IMAGE = base64.b64encode(b"\xff\xd8picture" * 20_000).decode()


def row(index: int, options: list[str], answer: str, **cells: str) -> dict[str, str]:
    letters = dict(zip("ABCD", options, strict=False))
    return {
        "index": str(index),
        "question": "Which?",
        **letters,
        "answer": answer,
        "category": "color",
        "l2-category": "coarse",
        "image": IMAGE,
        "split": "dev",
        **cells,
    }


ROWS = [
    # Two options in two rows; four options in the three rows of "All of these"; three in three.
    row(7, ["cat", "dog"], "A", hint="Look."),
    row(1_000_007, ["dog", "cat"], "B", hint="Look."),
    row(8, ["x", "y", "z", "All of these"], "D", category="shape"),
    row(1_000_008, ["z", "x", "y", "All of these"], "D"),
    row(2_000_008, ["y", "z", "x", "All of these"], "D"),
    row(9, ["1", "2", "3"], "C"),
    row(1_000_009, ["3", "1", "2"], "A"),
    row(2_000_009, ["2", "3", "1"], "B"),
]
RIGHT = {row["index"]: row["answer"] for row in ROWS}


@pytest.fixture
def write(tmp_path):
    def write(rows=ROWS, header=HEADER, name="mmbench_dev_20230712.tsv"):
        lines = ["\t".join(header), *("\t".join(row.get(column, "") for column in header) for row in rows)]
        path = tmp_path / name
        path.write_bytes(("\n".join(lines) + "\n").encode(errors="surrogateescape"))
        return path

    return write


def worth(path, answers, benchmark=BENCHMARK):
    return score(benchmark, benchmark.load(path), {index: Answer(text) for index, text in answers.items()})


def test_a_question_is_right_when_all_its_rows_are_however_many(write):
    card = worth(write(), {**RIGHT, "2000009": "A"})
    assert (card.n, card.missing) == (8, 0)
    assert card.scores.metrics == {
        "circular_accuracy": pytest.approx(200 / 3),
        "row_accuracy": 87.5,
        "base_accuracy": 100.0,
    }


def test_groups_are_those_of_the_base_row(write):
    groups = worth(write(), {**RIGHT, "2000008": "A"}).scores.groups
    assert groups["category"]["color"]["circular_accuracy"] == 100.0
    assert groups["category"]["shape"]["circular_accuracy"] == 0.0
    assert groups["category"]["shape"]["row_accuracy"] == pytest.approx(200 / 3)
    assert groups["l2-category"]["coarse"]["circular_accuracy"] == pytest.approx(200 / 3)


def test_a_missing_row_fails_its_question(write):
    card = worth(write(), {index: answer for index, answer in RIGHT.items() if index != "1000007"})
    assert card.missing == 1
    assert card.scores.metrics["circular_accuracy"] == pytest.approx(200 / 3)


def test_the_prompt_has_the_hint_and_the_options_that_are_there(write):
    first, *_ = BENCHMARK.load(write())
    assert first.text == "Look.\nWhich?\nA. cat\nB. dog" + OPTION_LETTER
    assert (first.image, first.cluster) == ("images/7.jpg", "7")


def test_chinese_differs_in_the_last_line_alone(write):
    path = write(name="mmbench_dev_cn_20231003.tsv")
    first, *_ = mmbench_cn.BENCHMARK.load(path.parent)
    assert first.text == "Look.\nWhich?\nA. cat\nB. dog\n请直接回答选项字母。"


@pytest.mark.parametrize("missing", ["", "nan", "NaN", "None", "N/A", "NONE"])
def test_options_end_at_the_first_that_is_missing(write, missing):
    (sample,) = BENCHMARK.load(write([row(1, ["x", "y", missing, "z"], "A", hint=missing)]))
    assert sample.text == "Which?\nA. x\nB. y" + OPTION_LETTER


def test_cells_may_be_quoted_and_hold_line_breaks_and_backslashes(write):
    (sample,) = BENCHMARK.load(write([row(1, [r"a\nb", '"c ""d"""'], "A", question='"two\nlines\tand a tab"')]))
    assert sample.text == 'two\nlines\tand a tab\nA. a\\nb\nB. c "d"' + OPTION_LETTER


def test_a_file_without_images_and_abilities_is_read(write):
    header = ["index", "question", "A", "B", "C", "D", "answer"]
    card = worth(write(header=header), RIGHT)
    assert card.scores.metrics["circular_accuracy"] == 100.0
    assert card.scores.groups == {}


def test_images_are_unpacked_one_a_question(write):
    folder = write().parent
    BENCHMARK.unpack(folder)
    assert sorted(path.name for path in (folder / "images").iterdir()) == ["7.jpg", "8.jpg", "9.jpg"]
    assert (folder / "images" / "7.jpg").read_bytes() == base64.b64decode(IMAGE)


@pytest.mark.parametrize(("image", "complaint"), [("", "no image"), ("a", "not base64")])
def test_an_image_that_cannot_be_unpacked_is_named(write, image, complaint):
    folder = write([ROWS[0], row(8, ["x", "y"], "A", image=image)]).parent
    with pytest.raises(DataError, match=rf"tsv:3: .*{complaint}"):
        BENCHMARK.unpack(folder)


def test_the_upload_is_the_official_sheet_and_is_read_as_answers(write, tmp_path):
    samples = BENCHMARK.load(write())
    answers = {index: Answer(text) for index, text in RIGHT.items() if index != "9"} | {"7": Answer("=A")}
    path = tmp_path / "upload.xlsx"
    path.write_bytes(BENCHMARK.upload(samples, answers))
    rows = [row for _, row in sheet_rows(path, ("index",))]
    assert list(rows[0]) == ["index", "question", "A", "B", "C", "D", "prediction", "answer", "split"]
    assert list(rows[0].values()) == [7, "Which?", "cat", "dog", None, None, "=A", "A", "dev"]
    assert read_answers(path, BENCHMARK, samples) == answers


def test_the_last_of_two_answers_counts_and_long_ones_are_read(write, tmp_path):
    path = tmp_path / "answers.jsonl"
    given = [{"question_id": 7, "text": "B"}, {"question_id": 7, "text": "A" + " ." * 50_000}]
    path.write_text("\n".join(map(json.dumps, given)))
    samples = BENCHMARK.load(write())
    card = score(BENCHMARK, samples, read_answers(path, BENCHMARK, samples))
    assert card.scores.metrics["row_accuracy"] == 12.5


@pytest.mark.parametrize("index", ["10", "3000007", "v1_0"])
def test_an_answer_to_another_release_is_named(write, tmp_path, index):
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps({"question_id": index, "text": "A"}))
    with pytest.raises(DataError, match=rf"jsonl:1: mmbench has no question '{index}'.*another release"):
        read_answers(path, BENCHMARK, BENCHMARK.load(write()))


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([row(1_000_007, ["a", "b"], "A")], "tsv:2: row 1000007 turns question 7, which is not there"),
        ([ROWS[0], row(8, ["a", "b"], "E")], "tsv:3: the answer must be A, B, C or D"),
        ([ROWS[0], row(8, ["a", "\udcff"], "A")], "tsv:3: not UTF-8"),
        ([{**ROWS[0], "index": "x"}], "tsv:2: the index must be a whole number"),
        ([ROWS[0], ROWS[0]], "question '7' is there twice"),
        ([], "holds no question"),
        ([row(8, ["a", "b"], "A", comment='"open')], "tsv:2: 13 columns, but 14 in the header"),
    ],
)
def test_a_broken_file_is_named(write, rows, complaint):
    with pytest.raises(DataError, match=complaint):
        BENCHMARK.load(write(rows))


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "questions.tsv"
    path.write_text("question_id\ttext\n1\thello\n")
    with pytest.raises(DataError, match="no column index, question, A, B"):
        BENCHMARK.load(path)


def test_variants_read_letters_by_other_rules_under_names_of_their_own(write):
    answers = {**RIGHT, "7": "The answer is A", "9": "答案是C"}
    scores = [
        worth(write(), answers, BENCHMARK.under(name)).scores.metrics["row_accuracy"]
        for name in ("dev", "dev+2023", "dev+lenient")
    ]
    assert scores == [87.5, 75.0, 100.0]
    with pytest.raises(UnknownName, match=r"protocol of mmbench.*'dev\+2023'"):
        BENCHMARK.under("dev+2022")
