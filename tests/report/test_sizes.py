"""What a checkpoint's files say of its size."""

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.anatomy import BACKBONES, assembled

from vertebra.chat import Conversation, Turn
from vertebra.model import VisionLanguageModel
from vertebra.model.checkpoint import save
from vertebra.report.sizes import parameters, prompter, tokens_per_question
from vertebra.scoring.benchmark import Sample

TEXTS = ("Is there a dog in the picture?", "Which one?\nAnswer with the option's letter.", "什么颜色？")


@pytest.fixture(scope="module", params=BACKBONES)
def model(request: pytest.FixtureRequest) -> VisionLanguageModel:
    return assembled("llava", request.param)


@pytest.fixture
def folder(model: VisionLanguageModel, tmp_path: Path) -> Path:
    save(model, tmp_path / "model")
    return tmp_path / "model"


def test_parameters_are_those_of_the_loaded_model(model: VisionLanguageModel, folder: Path) -> None:
    assert parameters(folder) == sum(weight.numel() for weight in model.network.parameters())


@pytest.mark.parametrize("image", ["1.jpg", None])
def test_tokens_are_those_that_the_model_is_given(model: VisionLanguageModel, folder: Path, image: str | None) -> None:
    samples = [Sample(text, text, image, (), {}, text) for text in TEXTS]
    asked = prompter(folder)
    assert asked is not None
    turns = [Turn("user", text, images=int(image is not None)) for text in TEXTS]
    counts = [len(model.prompt_ids(Conversation((turn,)))) for turn in turns]
    assert [asked.tokens(sample) for sample in samples] == counts
    assert tokens_per_question(asked, samples) == pytest.approx(sum(counts) / len(counts))


def test_a_folder_that_lacks_a_part_tells_no_tokens(folder: Path, tmp_path: Path) -> None:
    for number, (name, text) in enumerate(
        [("tokenizer.json", "{"), ("tokenizer.json", None), ("config.json", "[]"), ("chat_template.jinja", None)]
    ):
        broken = copytree(folder, tmp_path / str(number))
        (broken / name).unlink()
        if text is not None:
            (broken / name).write_text(text)
        assert prompter(broken) is None


def test_a_question_with_a_reserved_token_leaves_the_tokens_unknown(folder: Path) -> None:
    asked = prompter(folder)
    assert asked is not None
    assert tokens_per_question(asked, [Sample("1", asked.chat.image_token, None, (), {}, "1")]) is None


def test_shards_are_added_up_and_counters_are_no_parameters(tmp_path: Path) -> None:
    save_file({"a": np.zeros((3, 4), np.float16), "position_ids": np.zeros(9, np.int64)}, tmp_path / "1.safetensors")
    save_file({"b": np.zeros((5,), np.float32)}, tmp_path / "2.safetensors")
    index = {"weight_map": {"a": "1.safetensors", "position_ids": "1.safetensors", "b": "2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert parameters(tmp_path) == 17
    (tmp_path / "2.safetensors").unlink()
    assert parameters(tmp_path) is None


def test_packed_or_broken_weights_are_not_counted(tmp_path: Path) -> None:
    assert parameters(tmp_path) is None
    save_file({"a": np.zeros((3, 4), np.uint8)}, tmp_path / "model.safetensors")
    assert parameters(tmp_path) is None
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    assert parameters(tmp_path) is None
