"""ViP-Bench's two splits from its metadata and their own questions."""

import json

import pytest

from vertebra.benchmarks import benchmark
from vertebra.errors import DataError
from vertebra.scoring.answers import read_answers
from vertebra.scoring.benchmark import Answer

METADATA = {
    f"v1_{index}": {
        "image_source": "mm-vet",
        "image": f"v1_{index}.png",
        "question": "What is in <obj>?",
        "answer": "a dog<OR>a puppy",
        "capability": ["rec", "know"],
    }
    for index in range(2)
}
PLACES = {"bbox": "the red rectangle", "human": "the red scribble"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "vip-bench-meta-data.json").write_text(json.dumps(METADATA))
    for split, place in PLACES.items():
        (tmp_path / split).mkdir()
        rows = [
            {"question_id": index, "image": f"v1_{index}.png", "text": f"What is in {place}?"} for index in range(2)
        ]
        (tmp_path / split / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.parametrize("split", PLACES)
def test_each_split_asks_in_its_own_words_about_its_own_pictures(folder, split):
    chosen = benchmark(f"vip_bench_{split}")
    first = chosen.load(folder / "vip-bench-meta-data.json")[0]
    assert (first.id, first.text) == ("v1_0", f"What is in {PLACES[split]}?")
    assert first.image == f"{split}/images/v1_0.png"
    assert first.groups == {"capability": ("rec", "know")}
    assert chosen.files == ("vip-bench-meta-data.json", f"{split}/questions.jsonl")
    assert chosen.protocol == split


def test_the_prompt_names_rectangles_in_its_examples(folder):
    chosen = benchmark("vip_bench_human")
    assert chosen.judging
    text = chosen.judging.request(chosen.load(folder)[0], "a cat", 0).messages[0][1]
    assert text.count("rectangle") == 7
    assert text.endswith("\nWhat is in the red scribble? | a dog <OR> a puppy | a cat | ")


def test_without_the_split_s_questions_judgments_can_still_be_replayed_but_nobody_asked(folder):
    (folder / "bbox" / "questions.jsonl").unlink()
    chosen = benchmark("vip_bench_bbox")
    (first, _) = chosen.load(folder)
    assert chosen.judging
    with pytest.raises(DataError, match=r"questions\.jsonl"):
        chosen.judging.request(first, "a cat", 0)


def test_questions_of_another_release_are_refused(folder):
    (folder / "bbox" / "questions.jsonl").write_text('{"question_id": 0, "text": "?"}\n')
    with pytest.raises(DataError, match="does not ask question 'v1_1'"):
        benchmark("vip_bench_bbox").load(folder)


def test_answers_come_as_the_evaluator_takes_them(folder):
    path = folder / "answers.json"
    path.write_text('{"v1_0": "a dog", "v1_1": "a cat"}')
    chosen = benchmark("vip_bench_bbox")
    found = read_answers(path, chosen, chosen.load(folder))
    assert found == {"v1_0": Answer("a dog"), "v1_1": Answer("a cat")}
    assert chosen.upload
    assert json.loads(chosen.upload(chosen.load(folder), found)) == {"v1_0": "a dog", "v1_1": "a cat"}
