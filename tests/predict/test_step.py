"""The step that answers a benchmark: rows, pictures, marks, what other steps are spared, runs that were cut off."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tests.anatomy import assembled, talkative

from vertebra.bench import Bench
from vertebra.benchmarks import benchmark
from vertebra.chat import Turn
from vertebra.data import Eyes
from vertebra.errors import DataError, Refused, Stopped
from vertebra.files import read_rows
from vertebra.model import load, save
from vertebra.predict import predict
from vertebra.report import Answering
from vertebra.runtime import Part, Runtime
from vertebra.visual.images import read_image
from vertebra.visual.marks import draw

SPEC: dict[str, Any] = {"benchmark": "scienceqa", "max_new_tokens": 3, "square": "pad"}
FEW = Runtime(pack_tokens=700)


def scienceqa(folder: Path, questions: int, own_words: bool = False) -> None:
    """ScienceQA in small: each fifth question has a picture, one picture for three of them."""
    problems = {}
    for number in range(questions):
        text = f"{number} {'seven ' * (number % 9)}?" if own_words else f"{'seven ' * (number % 9)}?"
        problem = {"question": text, "choices": ["two", "red"], "answer": 0, "subject": "s"}
        if number % 5 == 0:
            path = folder / "images" / "test" / str(number) / "image.png"
            path.parent.mkdir(parents=True)
            shade = number // 15
            Image.new("RGB", (20 + shade, 30), (6 * shade, 90, 0)).save(path)
            problem["image"] = "image.png"
        problems[str(number)] = problem
    (folder / "problems.json").write_text(json.dumps(problems))
    (folder / "pid_splits.json").write_text(json.dumps({"test": list(problems)[::-1]}))


def furnish(root: Path) -> None:
    """A finished training step's checkpoint, beside the list of its files."""
    save(talkative(assembled("vip_llava", "phi-3")), root / "model")
    (root / "manifest.json").write_text("{}")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study")
    furnish(root)
    scienceqa(root / "data" / "scienceqa", 40)
    predict(bench(root, "whole"), FEW)
    return root


def bench(root: Path, name: str, stop_after: int | None = None, **spec: Any) -> Bench:
    """A bench called `name`, with a ledger of its own; a signal comes once `stop_after` questions are answered."""
    done = [0]
    folder = root / name
    (folder / "out").mkdir(parents=True, exist_ok=True)
    return Bench(
        key="c4" * 32,
        label="vip-llava/phi-3/seed0/scienceqa/answers",
        spec=SPEC | spec,
        folder=folder,
        out=folder / "out",
        needs={},
        model=root / "model",
        data=root / "data",
        cache=root / "cache",
        answers=folder / "answers",
        progress=lambda number, total, unit, note="": done.append(number),
        stopping=lambda: stop_after is not None and done[-1] >= stop_after,
    )


def result(root: Path, name: str) -> bytes:
    return (root / name / "out" / "answers.jsonl").read_bytes()


def texts(root: Path, name: str) -> list[str]:
    return [json.loads(line)["text"] for line in result(root, name).splitlines()]


def ledger(root: Path, name: str, file: str = "1-of-1") -> Path:
    return root / name / "answers" / f"{file}.jsonl"


def asked(root: Path, name: str) -> list[str]:
    """The keys of what was asked, in its order."""
    files = sorted((root / name / "answers").glob("*.jsonl"))
    rows = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    return [key for row in rows for key in row["answers"]]


def test_answers_stand_in_the_official_order_with_the_fields_of_llava(study):
    rows = [json.loads(line) for line in result(study, "whole").splitlines()]
    questions = benchmark("scienceqa").load(study / "data" / "scienceqa")
    assert [(row["question_id"], row["prompt"]) for row in rows] == [(one.id, one.text) for one in questions]
    assert {row["model_id"] for row in rows} == {"vip-llava/phi-3/seed0"}
    assert len({row["answer_id"] for row in rows}) == 40
    assert set(rows[0]) == {"question_id", "prompt", "text", "answer_id", "model_id", "metadata"}
    assert len({row["text"] for row in rows}) > 5


@pytest.mark.parametrize("engine", [None, "reference"])
def test_answers_are_those_of_plain_transformers(study, engine):
    """Through the checkpoint's own processor and chat template."""
    predict(bench(study, f"engine-{engine}", engine=engine), FEW)
    found, model = texts(study, f"engine-{engine}"), load(study / "model")
    folder, processor = study / "data" / "scienceqa", model.processor
    for place, one in enumerate(benchmark("scienceqa").load(folder)):
        message = Turn("user", one.text, images=int(one.image is not None)).message()
        text = processor.apply_chat_template([message], add_generation_prompt=True)
        images = {"images": read_image(folder / one.image)} if one.image else {}
        inputs = processor(text=text, add_special_tokens=False, return_tensors="pt", **images)
        written = model.network.generate(**inputs, max_new_tokens=3, do_sample=False)
        fresh = written[0, inputs["input_ids"].shape[1] :]
        assert processor.tokenizer.decode(fresh, skip_special_tokens=True).strip() == found[place]


def test_what_is_the_same_is_asked_once(study):
    """Nine texts without a picture, and with one as many as there are pictures of its text."""
    keys = asked(study, "whole")
    questions = benchmark("scienceqa").load(study / "data" / "scienceqa")
    shown = {(one.text, one.image and (study / "data" / "scienceqa" / one.image).read_bytes()) for one in questions}
    assert len(keys) == len({*keys}) == len(shown) < 40
    log = read_rows(study / "whole" / "log.jsonl")
    assert [row["device"] for row in log if "device" in row] == ["cpu"]
    told = Answering.read(log)  # as a report reads it
    assert told
    assert (told.questions, told.asked) == (40, len(keys))
    assert told.seconds > 0


def test_answering_again_opens_no_model_and_gives_the_same_bytes(study):
    again = replace(bench(study, "again"), answers=study / "whole" / "answers", model=study / "model")
    before = ledger(study, "whole").read_bytes()
    predict(again, Runtime(device="cuda"))  # which is not there, and is not looked for
    assert result(study, "again") == result(study, "whole")
    assert ledger(study, "whole").read_bytes() == before


def test_how_much_is_read_at_a_time_moves_no_answer(study):
    for tokens in (100, 9000):
        predict(bench(study, f"tokens-{tokens}"), Runtime(pack_tokens=tokens))
        assert result(study, f"tokens-{tokens}") == result(study, "whole")


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("torn", [False, True])
def test_a_run_that_lost_its_last_answers_ends_with_the_same_bytes(study, kept, torn):
    name = f"lost-{kept}-{torn}"
    rows = ledger(study, "whole").read_bytes().splitlines(keepends=True)
    number = int(kept * len(rows))
    ledger(study, name).parent.mkdir(parents=True)
    ledger(study, name).write_bytes(b"".join(rows[:number]) + (rows[number][:-5] if torn else b""))
    predict(bench(study, name), FEW)
    assert result(study, name) == result(study, "whole")
    assert asked(study, name) == asked(study, "whole"), "in the same batches"


def test_a_stopped_run_keeps_its_answers_and_goes_on(study):
    with pytest.raises(Stopped):
        predict(bench(study, "stopped", stop_after=5), FEW)
    assert 5 <= len(asked(study, "stopped")) < len(asked(study, "whole"))
    assert not (study / "stopped" / "out" / "answers.jsonl").exists()
    predict(bench(study, "stopped"), FEW)
    assert result(study, "stopped") == result(study, "whole")


def parts(study: Path, name: str, of: int, numbers: Sequence[int]) -> None:
    for number in numbers:
        predict(bench(study, name), FEW.model_copy(update={"part": Part(number, of)}))


def test_processes_share_the_work_and_one_puts_it_together(study):
    parts(study, "shared", 3, (1, 2, 3))
    assert not (study / "shared" / "out" / "answers.jsonl").exists()
    each = [len(ledger(study, "shared", f"{number}-of-3").read_text().splitlines()) for number in (1, 2, 3)]
    assert max(each) - min(each) <= 1
    keys = asked(study, "shared")
    assert len(keys) == len({*keys})
    assert {*keys} == {*asked(study, "whole")}
    predict(bench(study, "shared"), FEW)
    assert not ledger(study, "shared").exists(), "nothing was left to ask"
    assert result(study, "shared") == result(study, "whole")


def test_a_part_that_is_lost_is_done_again_alone(study):
    parts(study, "hole", 3, (1, 2, 3))
    lost = len(ledger(study, "hole", "2-of-3").read_text().splitlines())
    ledger(study, "hole", "2-of-3").unlink()
    others = [ledger(study, "hole", f"{number}-of-3").read_bytes() for number in (1, 3)]
    parts(study, "hole", 3, (1, 2, 3))
    assert [ledger(study, "hole", f"{number}-of-3").read_bytes() for number in (1, 3)] == others
    assert len(ledger(study, "hole", "2-of-3").read_text().splitlines()) == lost


def test_torchruns_processes_answer_a_part_each(study):
    predict(bench(study, "ranks"), FEW.model_copy(update={"devices": 2, "device": "cpu"}))
    assert result(study, "ranks") == result(study, "whole")
    assert all(ledger(study, "ranks", f"{number}-of-2").exists() for number in (1, 2))
    assert not ledger(study, "ranks").exists()


def changed(study: Path, name: str, **changes: Any) -> int:
    """How many questions are asked again when something is another."""
    step = bench(study, name)
    step = replace(step, answers=study / "whole" / "answers", **changes)
    before = len(asked(study, "whole"))
    predict(step, FEW)
    again = len(asked(study, "whole")) - before
    ledger(study, "whole").write_text("".join(ledger(study, "whole").read_text().splitlines(keepends=True)[: ROWS[0]]))
    return again


ROWS = [0]


def test_whatever_decides_an_answer_and_is_another_has_it_asked_again(study, tmp_path):
    ROWS[0] = len(ledger(study, "whole").read_text().splitlines())
    everything = len(asked(study, "whole"))
    assert changed(study, "same") == 0
    for number, spec in enumerate(
        ({"max_new_tokens": 4}, {"engine": "reference"}, {"temperature": 1.0, "seed": 0}, {"beams": 2})
    ):
        assert changed(study, f"spec-{number}", spec=SPEC | spec) >= everything
    released = {"model": {"weights": "w", "files": {"model.safetensors": "another"}, "family": "vip_llava"}}
    assert changed(study, "model", spec=SPEC | released) == everything
    other = tmp_path / "data" / "scienceqa"
    scienceqa(other, 40)
    assert changed(study, "copied", data=tmp_path / "data") == 0
    shown = sorted(other.rglob("image.png"))
    Image.new("RGB", (9, 9)).save(shown[0])
    assert changed(study, "picture", data=tmp_path / "data") == 1


def test_a_step_with_a_temperature_draws_its_answers_and_draws_them_again(study):
    for name in ("one", "other"):
        predict(bench(study, name, temperature=1.0, seed=0), FEW)
    assert result(study, "one") == result(study, "other") != result(study, "whole")


def test_beams_find_what_transformers_finds(study):
    predict(bench(study, "beams", beams=3), FEW)
    folder, model = study / "data" / "scienceqa", load(study / "model")
    one = next(one for one in benchmark("scienceqa").load(folder) if one.image is None)
    text = model.processor.apply_chat_template([Turn("user", one.text).message()], add_generation_prompt=True)
    inputs = model.processor(text=text, add_special_tokens=False, return_tensors="pt")
    written = model.network.generate(**inputs, max_new_tokens=3, do_sample=False, num_beams=3)
    fresh = written[0, inputs["input_ids"].shape[1] :]
    row = next(
        json.loads(line) for line in result(study, "beams").splitlines() if json.loads(line)["question_id"] == one.id
    )
    assert row["text"] == model.processor.tokenizer.decode(fresh, skip_special_tokens=True).strip()


def test_some_answers_are_told_as_they_come(study):
    told: list[str] = []
    predict(replace(bench(study, "shown"), note=told.append), FEW.model_copy(update={"show": 3}))
    assert len(told) == 3
    assert all(note.startswith("scienceqa, ") for note in told)


def test_how_far_and_how_fast_it_is_told(study):
    told: list[tuple[int, int, str, str]] = []
    predict(replace(bench(study, "far"), progress=lambda *place: told.append(place)), FEW)
    done = [place[0] for place in told]
    assert done == sorted(done)
    assert done[-1] == told[-1][1] == len(asked(study, "far"))
    assert all(place[3].endswith("/s") for place in told)


def v7w(folder: Path) -> list[list[int]]:
    folder.mkdir()
    Image.new("RGB", (60, 40), (90, 90, 90)).save(folder / "a.png")
    boxes = [[2, 2, 20, 12], [30, 2, 50, 12], [2, 20, 20, 35], [30, 20, 50, 35]]
    record = {"id": "v7w-1", "image": "a.png", "question": "Which?", "bboxes": boxes, "answer": boxes[1]}
    (folder / "v7w-test.json").write_text(json.dumps([record]))
    return boxes


def test_regions_are_asked_about_as_their_benchmark_says(study, monkeypatch):
    v7w(study / "data" / "v7w")
    caught: list[torch.Tensor] = []
    squares = Eyes.squares
    monkeypatch.setattr(Eyes, "squares", lambda eyes, images: caught.append(squares(eyes, images)) or caught[-1])
    predict(bench(study, "regions", benchmark="v7w", max_new_tokens=9), FEW)
    (one,) = benchmark("v7w").load(study / "data" / "v7w")
    plain = read_image(study / "data" / "v7w" / "a.png")
    eyes = Eyes.of(load(study / "model"), "pad")
    (seen,) = caught
    assert torch.equal(seen, squares(eyes, [draw(plain, one.marks)]))
    assert not torch.equal(seen, squares(eyes, [plain]))


def gqa(folder: Path, picture: Path) -> None:
    """A question about a picture of ScienceQA's, and one about another."""
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "same.jpg").write_bytes(picture.read_bytes())
    Image.new("RGB", (9, 9)).save(folder / "images" / "own.jpg")
    question = {"question": "Is it?", "answer": "no", "isBalanced": True, "types": {}}
    rows = {name: question | {"imageId": name} for name in ("same", "own")}
    (folder / "testdev_balanced_questions.json").write_text(json.dumps(rows))


def test_other_benchmarks_questions_about_a_picture_are_asked_along(study):
    gqa(study / "data" / "gqa", study / "data" / "scienceqa" / "images" / "test" / "0" / "image.png")
    step, spec = bench(study, "along"), SPEC | {"benchmark": "gqa"}
    predict(replace(step, beside=(spec, SPEC | {"benchmark": "mme"})), FEW)  # whose files are missing: its own affair
    assert len(asked(study, "along")) == len(asked(study, "whole")) + 1
    assert result(study, "along") == result(study, "whole")
    predict(replace(bench(study, "own", benchmark="gqa"), answers=step.answers), FEW)
    assert len(asked(study, "along")) == len(asked(study, "whole")) + 2
    assert len(texts(study, "own")) == 2


def test_a_picture_that_is_missing_or_broken_is_named_with_its_question(study, tmp_path):
    folder = tmp_path / "data" / "scienceqa"
    scienceqa(folder, 10)
    picture = folder / "images" / "test" / "5" / "image.png"
    step = replace(bench(study, "broken"), data=tmp_path / "data")
    picture.write_bytes(picture.read_bytes()[:40])
    with pytest.raises(DataError, match=r"image\.png .*scienceqa, 5"):
        predict(step, FEW)
    picture.unlink()
    with pytest.raises(DataError, match=r"image\.png is missing.*scienceqa, question 5"):
        predict(step, FEW)
    assert not (step.out / "answers.jsonl").exists()


def test_an_adopted_checkpoint_of_another_family_is_refused(study):
    for family in ("vip_llava", "llava"):
        adopting = bench(study, f"adopted-{family}", model={"weights": "released", "files": {}, "family": family})
        if family == "llava":
            with pytest.raises(Refused, match="released is a vip_llava checkpoint, but the study adopts it as llava"):
                predict(adopting, FEW)
        else:
            predict(adopting, FEW)
    assert texts(study, "whole") == texts(study, "adopted-vip_llava")


def test_a_model_that_cannot_share_is_asked_all_the_same_and_says_so(study, tmp_path):
    model = load(study / "model")
    model.network.generation_config.no_repeat_ngram_size = 2
    save(model, tmp_path / "model")
    (tmp_path / "manifest.json").write_text("{}")
    told: list[str] = []
    predict(replace(bench(study, "padded"), model=tmp_path / "model", note=told.append), FEW)
    assert len(texts(study, "padded")) == 40
    (note,) = told
    assert "padded batches of 32" in note
    assert "no_repeat_ngram_size 2" in note


def test_order_of_files_is_no_matter(study):
    """Answers of several processes in files whose names sort otherwise than they were written."""
    rows = ledger(study, "whole").read_bytes().splitlines(keepends=True)
    random.Random(0).shuffle(rows)
    folder = ledger(study, "mixed").parent
    folder.mkdir(parents=True)
    for number, row in enumerate(rows):
        (folder / f"{number + 1}-of-{len(rows)}.jsonl").write_bytes(row)
    predict(bench(study, "mixed"), FEW)
    assert result(study, "mixed") == result(study, "whole")
