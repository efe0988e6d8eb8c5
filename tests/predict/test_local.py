"""Answering: batches, pictures and marks, and runs that were cut off."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.anatomy import BACKBONES, assembled

from vertebra.bench import Bench
from vertebra.benchmarks import benchmark
from vertebra.chat import Turn
from vertebra.data import Eyes
from vertebra.errors import DataError, Refused, Stopped
from vertebra.model import VisionLanguageModel, load, save
from vertebra.predict import predict
from vertebra.predict.local import BATCH, Sampling, answers, asked, grid
from vertebra.scoring.benchmark import Sample
from vertebra.spec import Runtime
from vertebra.visual.images import read_image
from vertebra.visual.marks import constant_mark, draw
from vertebra.visual.regions import region

LENGTH = 6
QUESTIONS = {
    "1": ("What?", None),
    "2": ("What color is the seven?\nAnswer the question using a single word or phrase.", "0.png"),
    "3": ("Which number is the largest of them, three or four or five or six?", None),
    "4": ("Is it?", "1.png"),
    "5": ("Is it?", "0.png"),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pictures of noise, one wide and one tall."""
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0)
    for number, shape in enumerate([(40, 90, 3), (80, 30, 3)]):
        Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module", params=[*(("llava", name) for name in BACKBONES), ("vip_llava", "llama-3")])
def model(request: pytest.FixtureRequest) -> VisionLanguageModel:
    return talkative(assembled(*request.param))


def talkative(model: VisionLanguageModel) -> VisionLanguageModel:
    """The model with its layers' words made louder than its embeddings, so that what it says depends on all it saw."""
    with torch.no_grad():
        for name, weight in model.network.model.language_model.layers.named_parameters():
            weight.mul_(1 if "norm" in name else 4)
    return model


def sample(name: str, text: str, image: str | None = None, **more: Any) -> Sample:
    return Sample(name, text, image, (), {}, name, **more)


def samples() -> list[Sample]:
    return [sample(name, text, image) for name, (text, image) in QUESTIONS.items()]


def put(model: VisionLanguageModel, folder: Path, *questions: Sample, length: int = LENGTH) -> list[str]:
    return answers(model, [asked(model, question) for question in questions], folder, length)


def seen(model: VisionLanguageModel, folder: Path, *questions: Sample) -> torch.Tensor:
    """The pixels that reach the tower."""
    caught: list[torch.Tensor] = []

    def catch(_: object, pixels: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> None:
        caught.append(pixels[0] if pixels else named["pixel_values"])

    hook = model.network.model.vision_tower.register_forward_pre_hook(catch, with_kwargs=True)
    put(model, folder, *questions, length=1)
    hook.remove()
    (pixels,) = caught
    return pixels


def test_an_answer_does_not_depend_on_its_batch(model, pictures):
    together = put(model, pictures, *samples())
    assert together == [put(model, pictures, one)[0] for one in samples()]
    assert len(set(together)) == len(together)


def test_an_answer_is_the_one_of_plain_transformers(model, pictures):
    processor, network = model.processor, model.network
    for one, answer in zip(samples(), put(model, pictures, *samples()), strict=True):
        message = Turn("user", one.text, images=int(one.image is not None)).message()
        text = processor.apply_chat_template([message], add_generation_prompt=True)
        images = {"images": read_image(pictures / one.image)} if one.image else {}
        inputs = processor(text=text, add_special_tokens=False, return_tensors="pt", **images)
        written = network.generate(**inputs, max_new_tokens=LENGTH, do_sample=False)
        fresh = written[0, inputs["input_ids"].shape[1] :]
        assert processor.tokenizer.decode(fresh, skip_special_tokens=True).strip() == answer


def test_a_prompt_holds_a_position_for_every_patch(model):
    image = model.processor.image_token_id
    assert [asked(model, one).ids.count(image) for one in samples()] == [0, 16, 0, 16, 16]


def test_pictures_reach_the_tower_in_the_order_of_their_questions(model, pictures):
    one, other = (read_image(pictures / f"{number}.png") for number in (1, 0))
    assert torch.equal(seen(model, pictures, *samples()[2:]), Eyes.of(model, "pad").pixels([one, other]))


def test_marks_are_drawn_before_the_picture_becomes_square(model, pictures):
    marks = (
        constant_mark("rectangle", region((5, 5, 60, 30)), "red"),
        constant_mark("rectangle", region((10, 2, 20, 35)), "lime"),
    )
    plain = read_image(pictures / "0.png")
    pixels = seen(model, pictures, sample("1", "Which?", "0.png", marks=marks), sample("2", "Which?", "0.png"))
    assert torch.equal(pixels, Eyes.of(model, "pad").pixels([draw(plain, marks), plain]))
    assert not torch.equal(pixels[0], pixels[1])


def test_special_tokens_are_no_part_of_an_answer(pictures):
    whole = assembled("llava", "vicuna-s")
    tokenizer, settings = whole.processor.tokenizer, whole.network.generation_config
    said = tokenizer.convert_tokens_to_ids("<s>")
    settings.suppress_tokens = [token for token in range(whole.network.lm_head.out_features) if token != said]
    assert put(whole, pictures, *samples()) == [""] * 5


def test_an_answer_ends_at_a_stop_token(pictures):
    whole = assembled("llava", "llama-3")
    ids = whole.network.generation_config.eos_token_id
    assert len(ids) == 2
    others = [token for token in range(whole.network.lm_head.out_features) if token not in ids]
    whole.network.generation_config.suppress_tokens = others
    assert put(whole, pictures, *samples(), length=100) == [""] * 5


def test_a_drawn_answer_follows_from_seed_and_question_and_not_from_its_batch(model, pictures):
    questions = [asked(model, one) for one in samples()]
    drawn = [answers(model, questions, pictures, LENGTH, Sampling(1.0, seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] != answers(model, questions, pictures, LENGTH)
    alone = [answers(model, [question], pictures, LENGTH, Sampling(1.0, 0))[0] for question in questions]
    assert alone == drawn[0]


def test_the_same_question_under_another_id_is_drawn_anew_and_at_almost_no_temperature_greedily(model, pictures):
    questions = [asked(model, sample(str(number), "What?")) for number in range(8)]
    assert len(set(answers(model, questions, pictures, LENGTH, Sampling(1.0, 0)))) > 4
    cold = answers(model, questions, pictures, LENGTH, Sampling(1e-6, 0))
    assert cold == answers(model, questions, pictures, LENGTH)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_tokens_are_drawn_as_often_as_the_temperature_says(pictures, temperature):
    whole = talkative(assembled("llava", "llama-3"))
    words = {token: word for word, token in whole.processor.tokenizer.get_vocab().items() if word.isalpha()}
    few = sorted(words)[:4]
    size = whole.network.lm_head.out_features
    whole.network.generation_config.suppress_tokens = [token for token in range(size) if token not in few]
    one = asked(whole, sample("0", "What?"))
    logits = whole.network(input_ids=torch.tensor([one.ids])).logits[0, -1, few].detach()
    expected = torch.softmax(logits.float() / temperature, 0)
    questions = [one._replace(sample=sample(str(number), "What?")) for number in range(1000)]
    said = Counter(answers(whole, questions, pictures, 1, Sampling(temperature, 0)))
    found = [said[whole.processor.tokenizer.decode([token]).strip()] / 1000 for token in few]
    assert found == pytest.approx(expected.tolist(), abs=0.06)
    assert sum(found) == pytest.approx(1)


def test_the_grid_follows_from_the_questions_alone(model):
    many = [asked(model, sample(str(number), "seven " * (number % 7))) for number in range(2 * BATCH + 3)]
    batches = grid(many)
    assert [len(batch) for batch in batches] == [BATCH, BATCH, 3]
    assert grid(many[::-1]) == grid(many[5:] + many[:5]) == batches
    lengths = [len(question.ids) for batch in batches for question in batch]
    assert lengths == sorted(lengths)


def test_a_question_that_spells_the_image_token_is_named(model):
    with pytest.raises(DataError, match=r"Question 7: .*reserved"):
        asked(model, sample("7", f"What is {model.processor.image_token}?"))


def test_a_question_without_its_picture_is_named(model, tmp_path):
    with pytest.raises(DataError, match=r"gone\.png .*question 7"):
        put(model, tmp_path, sample("7", "What?", "gone.png"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model, and ScienceQA in small: 40 questions, each fifth with a picture."""
    root = tmp_path_factory.mktemp("study")
    save(talkative(assembled("vip_llava", "phi-3")), root / "model")
    folder = root / "data" / "scienceqa"
    problems = {}
    for number in range(40):
        problem = {"question": "seven " * (number % 9) + "?", "choices": ["two", "red"], "answer": 0, "subject": "s"}
        if number % 5 == 0:
            path = folder / "images" / "test" / str(number) / "image.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (20 + number, 30), (6 * number, 90, 0)).save(path)
            problem["image"] = "image.png"
        problems[str(number)] = problem
    (folder / "problems.json").write_text(json.dumps(problems))
    (folder / "pid_splits.json").write_text(json.dumps({"test": list(problems)[::-1]}))
    predict(bench(root, "whole"), Runtime())
    return root


SPEC: dict[str, Any] = {"benchmark": "scienceqa", "max_new_tokens": 3}


def bench(root: Path, name: str, stop_after: int | None = None) -> Bench:
    """A bench called `name`; a signal comes once `stop_after` questions are answered."""
    done = [0]
    folder = root / name
    (folder / "out").mkdir(parents=True, exist_ok=True)
    return Bench(
        key="c4" * 32,
        label="vip-llava/phi-3/seed0/scienceqa/answers",
        spec=SPEC,
        folder=folder,
        out=folder / "out",
        needs={},
        model=root / "model",
        data=root / "data",
        cache=root / "cache",
        progress=lambda number, total, unit, note="": done.append(number),
        stopping=lambda: stop_after is not None and done[-1] >= stop_after,
    )


def result(root: Path, name: str) -> bytes:
    return (root / name / "out" / "answers.jsonl").read_bytes()


def test_answers_stand_in_the_official_order_with_the_fields_of_llava(study):
    rows = [json.loads(line) for line in result(study, "whole").splitlines()]
    questions = benchmark("scienceqa").load(study / "data" / "scienceqa")
    assert [(row["question_id"], row["prompt"]) for row in rows] == [(one.id, one.text) for one in questions]
    assert {row["model_id"] for row in rows} == {"vip-llava/phi-3/seed0"}
    assert len({row["answer_id"] for row in rows}) == 40
    assert set(rows[0]) == {"question_id", "prompt", "text", "answer_id", "model_id", "metadata"}
    assert len({row["text"] for row in rows}) > 5


def test_every_question_gets_the_answer_that_it_gets_alone(study):
    rows = [json.loads(line) for line in result(study, "whole").splitlines()]
    folder, model = study / "data" / "scienceqa", load(study / "model")
    questions = benchmark("scienceqa").load(folder)
    for index in range(0, 40, 3):
        assert rows[index]["text"] == put(model, folder, questions[index], length=3)[0]


def test_answering_again_gives_the_same_bytes(study):
    predict(bench(study, "again"), Runtime())
    assert result(study, "again") == result(study, "whole")


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, BATCH / 40, 0.9, 0.999])
@pytest.mark.parametrize("torn", [False, True])
def test_a_run_that_lost_its_last_answers_ends_with_the_same_bytes(study, kept, torn):
    folder = study / f"lost-{kept}-{torn}"
    growing = (study / "whole" / "answers.jsonl").read_bytes()
    rows = growing.splitlines(keepends=True)
    number = int(kept * len(rows))
    folder.mkdir()
    (folder / "answers.jsonl").write_bytes(b"".join(rows[:number]) + (rows[number][:-5] if torn else b""))
    predict(bench(study, folder.name), Runtime())
    assert result(study, folder.name) == result(study, "whole")
    assert (folder / "answers.jsonl").read_bytes() == growing


def test_a_step_with_a_temperature_draws_its_answers_and_draws_them_again(study):
    drawn = [replace(bench(study, name), spec={**SPEC, "temperature": 1.0, "seed": 0}) for name in ("one", "other")]
    for each in drawn:
        predict(each, Runtime())
    assert result(study, "one") == result(study, "other") != result(study, "whole")


def test_a_stopped_run_keeps_its_answers_and_goes_on(study):
    with pytest.raises(Stopped):
        predict(bench(study, "stopped", stop_after=BATCH), Runtime())
    assert len((study / "stopped" / "answers.jsonl").read_bytes().splitlines()) == BATCH
    assert not (study / "stopped" / "out" / "answers.jsonl").exists()
    predict(bench(study, "stopped"), Runtime())
    assert result(study, "stopped") == result(study, "whole")


def test_an_adopted_checkpoint_of_another_family_is_refused(study):
    for family in ("vip_llava", "llava"):
        adopting = bench(study, f"adopted-{family}")
        adopting = replace(adopting, spec={**adopting.spec, "model": {"weights": "released", "family": family}})
        if family == "llava":
            with pytest.raises(Refused, match="released is a vip_llava checkpoint, but the study adopts it as llava"):
                predict(adopting, Runtime())
        else:
            predict(adopting, Runtime())
    texts = [
        [json.loads(line)["text"] for line in result(study, name).splitlines()]
        for name in ("whole", "adopted-vip_llava")
    ]
    assert texts[0] == texts[1]


def test_regions_are_asked_about_as_their_benchmark_says(study):
    folder = study / "data" / "v7w"
    folder.mkdir()
    Image.new("RGB", (60, 40), (90, 90, 90)).save(folder / "a.png")
    boxes = [[2, 2, 20, 12], [30, 2, 50, 12], [2, 20, 20, 35], [30, 20, 50, 35]]
    record = {"id": "v7w-1", "image": "a.png", "question": "Which?", "bboxes": boxes, "answer": boxes[1]}
    (folder / "v7w-test.json").write_text(json.dumps([record]))
    laid = replace(bench(study, "regions"), spec={"benchmark": "v7w", "max_new_tokens": 9})
    predict(laid, Runtime())
    (row,) = [json.loads(line) for line in result(study, "regions").splitlines()]
    (question,) = benchmark("v7w").load(folder)
    assert (row["question_id"], row["prompt"]) == (question.id, question.text)
    model = load(study / "model")
    assert row["text"] == put(model, folder, question, length=9)[0]
    assert row["text"] != put(model, folder, replace(question, marks=()), length=9)[0]
