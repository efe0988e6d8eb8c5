"""Checkpoints that are loaded: what is refused, and what is filled in."""

import json

import pytest
import torch
from tests.anatomy import assembled
from transformers import LlavaNextConfig, LlavaNextForConditionalGeneration

from vertebra.errors import ConfigError, DataError, Refused
from vertebra.model import load, save
from vertebra.model.checkpoint import device_for
from vertebra.runtime import Runtime


@pytest.fixture
def folder(tmp_path):
    save(assembled("llava", "phi-3"), tmp_path / "model")
    return tmp_path / "model"


def test_a_family_is_told_by_its_shell(tmp_path):
    for family in ("llava", "vip_llava"):
        save(assembled(family, "phi-3"), tmp_path / family)
        assert load(tmp_path / family).family == family


def test_a_checkpoint_without_a_chat_template_is_told(folder):
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(DataError, match="has no chat template"):
        load(folder)


def test_a_pad_token_that_generation_does_not_name_is_the_tokenizers(folder):
    named = json.loads((folder / "generation_config.json").read_text())
    pad = named.pop("pad_token_id")
    (folder / "generation_config.json").write_text(json.dumps(named))
    assert load(folder).network.generation_config.pad_token_id == pad


def test_a_model_that_sees_but_is_no_llava_is_refused(folder):
    network = load(folder).network
    config = LlavaNextConfig(vision_config=network.config.vision_config, text_config=network.config.text_config)
    LlavaNextForConditionalGeneration(config).save_pretrained(folder)
    with pytest.raises(Refused, match="holds a LlavaNextForConditionalGeneration, which is neither"):
        load(folder)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator")
def test_an_accelerator_that_is_not_there_is_asked_for_in_vain():
    assert device_for(Runtime()) == device_for(Runtime(device="cpu")) == "cpu"
    with pytest.raises(ConfigError, match="no accelerator on this machine"):
        device_for(Runtime(device="cuda"))
