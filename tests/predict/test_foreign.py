"""Checkpoints of any architecture: what plain transformers answers one by one is what is answered."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.anatomy import BACKBONES, assembled
from tests.foreigners import KINDS, SIDE, checkpoint, llava_hf
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BatchFeature,
    PreTrainedModel,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from vertebra.asking.questions import Decoding, Picture, Question, questions_of
from vertebra.bench import Bench
from vertebra.errors import ConfigError, DataError, Refused
from vertebra.files import read_rows
from vertebra.model.checkpoint import Checkpoint, read
from vertebra.predict import predict
from vertebra.predict.foreign import Foreign
from vertebra.predict.likeness import as_ours
from vertebra.runtime import Runtime
from vertebra.visual.images import read_image
from vertebra.visual.marks import constant_mark, draw
from vertebra.visual.regions import region

LENGTH = 5
SHAPES = {"0": (40, 90, 3), "2": (80, 30, 3), "3": (130, 120, 3)}
"""ScienceQA's questions that have a picture, and its rows and columns."""
MARKS = (constant_mark("rectangle", region((5, 5, 60, 30)), "red"),)
EVERY = pytest.mark.parametrize("kind", KINDS)
STRANGE = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "llava_hf"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ScienceQA in small: five questions of different lengths, three of them about pictures of noise."""
    folder = tmp_path_factory.mktemp("data") / "scienceqa"
    noise = np.random.default_rng(0)
    problems: dict[str, dict[str, Any]] = {}
    for number in range(5):
        name = str(number)
        problems[name] = {"question": "seven " * (3 * number) + "?", "choices": ["two", "red"], "answer": 0}
        problems[name] |= {"subject": "s", "hint": "", "lecture": "", "solution": ""}
        if name in SHAPES:
            path = folder / "images" / "test" / name / "image.png"
            path.parent.mkdir(parents=True)
            Image.fromarray(noise.integers(0, 256, SHAPES[name], dtype=np.uint8)).save(path)
            problems[name]["image"] = "image.png"
    (folder / "problems.json").write_text(json.dumps(problems))
    (folder / "pid_splits.json").write_text(json.dumps({"test": list(problems)}))
    return folder.parent


class Told(list[str]):
    """The notes of a run, and what it answered."""

    rows: list[dict[str, Any]]


ADOPTED = {"weights": "somewhere", "files": {"model.safetensors": "9f"}, "family": None}


def run(checkpoint: Path, data: Path, folder: Path, **spec: Any) -> Told:
    """Answers ScienceQA."""
    told = Told()
    (folder / "out").mkdir(parents=True, exist_ok=True)
    bench = Bench(
        key="c4" * 32,
        label="any/model/seed0/scienceqa/answers",
        spec={"benchmark": "scienceqa", "max_new_tokens": LENGTH, "model": ADOPTED, **spec},
        folder=folder,
        out=folder / "out",
        needs={},
        model=checkpoint,
        data=data,
        cache=folder / "cache",
        answers=folder / "answers",
        progress=lambda done, total, unit, note="": None,
        stopping=lambda: False,
        note=told.append,
    )
    predict(bench, Runtime())
    told.rows = list(read_rows(folder / "out" / "answers.jsonl"))
    return told


def image_of(row: dict[str, Any], data: Path) -> Image.Image | None:
    name = row["question_id"]
    return read_image(data / "scienceqa/images/test" / name / "image.png") if name in SHAPES else None


def inputs_by_hand(model: Path, text: str, image: Image.Image | None) -> BatchFeature:
    """What the checkpoint's own processor makes of one question."""
    content = [{"type": "image"}] * (image is not None) + [{"type": "text", "text": text}]
    messages = [{"role": "user", "content": content}]
    if (model / "processor_config.json").is_file():
        processor = AutoProcessor.from_pretrained(model)
        prompt = processor.apply_chat_template(messages, add_generation_prompt=True)
        begun = bool(processor.tokenizer.bos_token) and prompt.startswith(processor.tokenizer.bos_token)
        seen = {} if image is None else {"images": [[image]]}
        return processor(text=[prompt], **seen, add_special_tokens=not begun, return_tensors="pt")
    return qwen_by_hand(model, messages, image)


def qwen_by_hand(model: Path, messages: list[dict[str, Any]], image: Image.Image | None) -> BatchFeature:
    """As Qwen2-VL's processor does it, which cannot be opened without torchvision."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    template = (model / "chat_template.jinja").read_text()
    prompt = tokenizer.apply_chat_template(messages, chat_template=template, add_generation_prompt=True, tokenize=False)
    pixels: dict[str, torch.Tensor] = {}
    if image is not None:
        pixels = dict(Qwen2VLImageProcessorPil.from_pretrained(model)(images=[image], return_tensors="pt"))
        prompt = prompt.replace("<|image_pad|>", "<|image_pad|>" * (int(pixels["image_grid_thw"].prod()) // 4))
    ids = tokenizer(prompt, return_tensors="pt")
    kinds = (ids["input_ids"] == tokenizer.convert_tokens_to_ids("<|image_pad|>")).int()
    return BatchFeature({**ids, **pixels, "mm_token_type_ids": kinds})


def by_hand(network: PreTrainedModel, inputs: BatchFeature, model: Path, **how: Any) -> str:
    """The answer of batch-1 `generate`."""
    written = network.generate(**inputs, max_new_tokens=LENGTH, do_sample=False, **how)
    fresh = written[0, inputs["input_ids"].shape[1] :]
    text: str = AutoTokenizer.from_pretrained(model).decode(fresh, skip_special_tokens=True)
    return text.strip()


def expected(model: Path, told: Told, data: Path, **how: Any) -> list[str]:
    network = AutoModelForImageTextToText.from_pretrained(model).eval()
    return [
        by_hand(network, inputs_by_hand(model, row["prompt"], image_of(row, data)), model, **how) for row in told.rows
    ]


@EVERY
def test_answers_with_and_without_pictures_are_those_of_plain_transformers_one_by_one(kind, data, tmp_path):
    told = run(checkpoint(kind), data, tmp_path)
    answers = [row["text"] for row in told.rows]
    assert answers == expected(checkpoint(kind), told, data)
    assert len({*answers}) > 2
    assert told == []


def test_the_reference_engine_and_beams_answer_as_generate_does(data, tmp_path):
    model = checkpoint("qwen2_vl")
    assert run(model, data, tmp_path / "one", engine="reference").rows == run(model, data, tmp_path / "many").rows
    told = run(model, data, tmp_path / "beams", beams=3)
    assert [row["text"] for row in told.rows] == expected(model, told, data, num_beams=3)


def opened(kind: str, size: int = 8) -> Foreign:
    return Foreign(read(checkpoint(kind)), size)


def about(data: Path, text: str, marks: tuple[Any, ...] = (), **how: Any) -> Question:
    path = data / "scienceqa/images/test/0/image.png"
    return Question(text, Picture(path, "0", marks), Decoding(**{"max_new_tokens": LENGTH, **how}), f"t, {text}")


def said(model: Foreign, *questions: Question) -> list[str]:
    found: dict[Question, str] = {}
    for batch in model.batches(questions):
        found |= zip(questions_of(batch), model.answers(model.prepare(batch)), strict=True)
    return [found[question] for question in questions]


@STRANGE
def test_marks_reach_the_model(kind, data):
    plain, marked = about(data, "Which?"), about(data, "Which?", MARKS)
    model = opened(kind, 1)
    image = read_image(plain.picture.path)
    seen = [model.prepare(batch).inputs["pixel_values"] for batch in model.batches([plain, marked])]
    wanted = [inputs_by_hand(checkpoint(kind), "Which?", one)["pixel_values"] for one in (image, draw(image, MARKS))]
    assert torch.equal(seen[0], wanted[0])
    assert torch.equal(seen[1], wanted[1])
    assert not torch.equal(*seen)


def test_what_is_drawn_by_chance_does_not_depend_on_its_batch(data):
    asked = [about(data, f"Which {number}?", temperature=1.0, seed=number) for number in range(4)]
    together = said(opened("llava_next"), *asked)
    assert together == said(opened("llava_next", 1), *asked)
    assert together != said(opened("llava_next"), *(about(data, one.text) for one in asked))


def test_a_batch_that_does_not_fit_is_asked_in_halves(data, monkeypatch):
    model = opened("idefics3")
    asked = [about(data, f"Which {number}?") for number in range(4)]
    whole, sizes, generate = said(model, *asked), list[int](), model.checkpoint.network.generate

    def small(**inputs: Any) -> torch.Tensor:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("full")
        return generate(**inputs)

    monkeypatch.setattr(model.checkpoint.network, "generate", small)
    assert said(model, *asked) == whole
    assert sizes == [4, 2, 2]


def careless(_: object, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Has a network take what fills a row up for words."""
    return args, {**named, "attention_mask": None}


def test_a_model_that_minds_its_batch_is_asked_one_by_one_and_that_is_told(data, tmp_path, monkeypatch):
    folder = copytree(checkpoint("llava_next"), tmp_path / "model")
    found = read(folder)
    found.network.register_forward_pre_hook(careless, with_kwargs=True)
    monkeypatch.setattr("vertebra.predict.step.read", lambda folder: found)
    (note,) = told = run(folder, data, tmp_path / "run")
    assert "asked one by one, which takes longer: in a batch of two its logits differ by up to" in note
    assert [row["text"] for row in told.rows] == expected(folder, told, data)


def test_a_llava_whose_processor_does_what_we_do_is_answered_by_our_engine():
    found = as_ours(opened("llava_hf"))
    assert (found.eyes.how, len(found.first)) == ("crop", 1)


def test_a_llava_whose_processor_sees_otherwise_is_shown_what_its_own_makes(data, tmp_path):
    model = tmp_path / "model"
    llava_hf(model, size={"height": SIDE, "width": SIDE}, do_center_crop=False)
    (note,) = told = run(model, data, tmp_path / "run")
    assert note.startswith("Its own processor makes other tokens or pixels than LLaVA's published pipeline")
    assert [row["text"] for row in told.rows] == expected(model, told, data)


@pytest.mark.parametrize("shell", ["llava", "vip_llava"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_what_we_assemble_is_ours_by_its_processor_too(shell, backbone):
    found = as_ours(Foreign(Checkpoint(*assembled(shell, backbone))))
    assert (found.eyes.how, found.first) == ("pad", ())


@pytest.mark.parametrize(
    ("eyes", "same"), [({"resample": 2}, False), ({"do_normalize": False}, False), ({"image_mean": [0.5] * 3}, True)]
)
def test_a_llava_is_ours_where_all_that_its_processor_does_is_known_to_ours(eyes, same, tmp_path):
    llava_hf(tmp_path, **eyes)
    assert (as_ours(Foreign(read(tmp_path))) is not None) == same


def test_a_study_that_names_a_family_refuses_other_architectures_and_one_that_names_none_takes_them(data, tmp_path):
    model = checkpoint("qwen2_vl")
    adopted = {"weights": "any/model", "files": [], "family": "llava"}
    with pytest.raises(Refused, match="holds a Qwen2VLForConditionalGeneration, which is neither"):
        run(model, data, tmp_path / "run", model=adopted, square="pad")
    assert run(model, data, tmp_path / "run", model={**adopted, "family": None}, square="pad").rows


def test_a_question_that_spells_a_picture_is_named(data):
    with pytest.raises(DataError, match=r"t, What is <image>\?: its text holds '<image>'"):
        said(opened("idefics3"), about(data, "Is it?"), about(data, "What is <image>?"))


def test_a_picture_that_the_processor_does_not_take_is_named(data, tmp_path):
    Image.new("RGB", (1000, 2)).save(tmp_path / "thin.png")
    thin = Question("Long?", Picture(tmp_path / "thin.png", "thin"), Decoding(LENGTH), "mme, 7")
    with pytest.raises(DataError, match=r"mme, 7: the model's processor does not take it: .*aspect ratio"):
        said(opened("qwen2_vl"), about(data, "Which?"), thin)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A checkpoint to be spoilt."""
    return copytree(checkpoint("idefics3"), tmp_path / "model")


def test_a_checkpoint_that_nothing_says_how_to_speak_to_is_told(folder, data, tmp_path):
    template = folder / "chat_template.jinja"
    template.write_text("{% for message in messages %}{{ message.content }}{% endfor %}")
    with pytest.raises(DataError, match="its chat template is not made for pictures"):
        run(folder, data, tmp_path)
    template.unlink()
    with pytest.raises(DataError, match="has no chat template, so nothing says"):
        run(copytree(folder, tmp_path / "mute"), data, tmp_path)


@pytest.mark.skipif(find_spec("num2words") is not None, reason="it is installed")
def test_a_package_that_is_missing_is_named(folder):
    path = folder / "config.json"
    path.write_text(path.read_text().replace("idefics3", "smolvlm"))
    with pytest.raises(ConfigError, match="takes a package that is not installed: Package `num2words` is required"):
        read(folder)


def test_code_in_a_checkpoint_is_never_run(folder):
    path = folder / "config.json"
    auto = {"AutoConfig": "code.Config", "AutoModelForImageTextToText": "code.Model"}
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_type": "mine", "auto_map": auto}))
    (folder / "code.py").write_text("raise SystemExit('run')")
    with pytest.raises(DataError, match="it brings code of its own, which is never run"):
        read(folder)


def test_weights_that_are_no_safetensors_are_not_opened(folder):
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match="does not hold a loadable checkpoint"):
        read(folder)
