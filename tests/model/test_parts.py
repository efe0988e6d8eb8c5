"""Language models and towers in folders that lack something, are torn, or are not what they are said to be."""

import json
from pathlib import Path

import pytest
import torch
from tests.anatomy import backbone, parts
from tests.model.test_weights import Payload
from tests.original import eyes, shards, write
from transformers import AutoModelForCausalLM, CLIPVisionModel, Gemma3TextConfig, LlamaConfig

from vertebra.errors import ConfigError, DataError, Refused
from vertebra.model.parts import config_of, language_of, tower_of
from vertebra.spec import Backbone

LAYOUTS = ["model.safetensors", "pytorch_model.bin"]
VICUNA = backbone("vicuna-s")


def weights_of(name: str) -> dict[str, torch.Tensor]:
    return AutoModelForCausalLM.from_pretrained(parts() / name).state_dict()


def described(folder: Path, **changes: object) -> Path:
    """The folder with Vicuna's config in it."""
    folder.mkdir(exist_ok=True)
    config = json.loads((parts() / "vicuna-s" / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    return folder


def loaded(folder: Path, precision: torch.dtype = torch.float32, **changes: object):
    return language_of(folder, VICUNA.model_copy(update=changes), precision)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stored", [torch.float32, torch.float16, torch.bfloat16])
def test_every_weight_is_the_stored_one_cast(layout, stored, tmp_path):
    held = {name: tensor.to(stored) for name, tensor in weights_of("vicuna-s").items()}
    shards(described(tmp_path), layout, held)
    for precision in (torch.float32, torch.bfloat16):
        found = loaded(tmp_path, precision).state_dict()
        assert found.keys() == held.keys()
        assert all(torch.equal(found[name], tensor.to(precision)) for name, tensor in held.items())


def test_pickles_from_before_zip_files_are_read(tmp_path):
    held = {name: tensor.half() for name, tensor in weights_of("vicuna-s").items()}
    torch.save(held, described(tmp_path) / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    found = loaded(tmp_path).state_dict()
    assert all(torch.equal(found[name], tensor.float()) for name, tensor in held.items())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_missing_shard_is_named(layout, tmp_path):
    shards(described(tmp_path), layout, weights_of("vicuna-s"))
    shard = next(tmp_path.glob("*00002-of*"))
    shard.unlink()
    with pytest.raises(DataError, match=shard.name):
        loaded(tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_torn_shard_is_named(layout, tmp_path):
    shards(described(tmp_path), layout, weights_of("vicuna-s"))
    shard = next(tmp_path.glob("*00002-of*"))
    shard.write_bytes(shard.read_bytes()[:-1000])
    with pytest.raises(DataError, match=f"{shard.name} is torn"):
        loaded(tmp_path)


def test_a_payload_among_the_weights_is_never_run(tmp_path):
    mark = tmp_path / "made by the payload"
    torch.save({**weights_of("vicuna-s"), "x": Payload(mark)}, described(tmp_path) / "pytorch_model.bin")
    with pytest.raises(DataError, match="run code"):
        loaded(tmp_path)
    assert not mark.exists()


def test_a_weight_that_no_shard_holds_is_never_made_up(tmp_path):
    held = weights_of("vicuna-s")
    del held["model.layers.0.mlp.up_proj.weight"]
    write(described(tmp_path) / "model.safetensors", held)
    with pytest.raises(DataError, match=r"lack model\.layers\.0\.mlp\.up_proj\.weight"):
        loaded(tmp_path)


def test_a_weight_of_another_shape_is_named(tmp_path):
    write(described(tmp_path) / "model.safetensors", weights_of("vicuna-s") | {"model.norm.weight": torch.ones(3)})
    with pytest.raises(DataError, match=r"norm\.weight is \[3\], but by config\.json it has to be \[128\]"):
        loaded(tmp_path)


def test_an_architecture_that_transformers_does_not_know_is_refused(tmp_path):
    with pytest.raises(Refused, match="hydra"):
        loaded(described(tmp_path, model_type="hydra"))


@pytest.mark.parametrize("kind", ["clip_vision_model", "vit"])
def test_what_is_no_causal_language_model_is_refused(kind, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(Refused, match="no causal language model"):
        loaded(tmp_path)


@pytest.mark.parametrize("change", [{"num_attention_heads": 0}, {"hidden_size": "wide"}, {"rope_parameters": 3}])
def test_a_config_that_makes_no_sense_is_refused(change, tmp_path):
    with pytest.raises(Refused):
        loaded(described(tmp_path, **change))


@pytest.mark.parametrize("text", ["", "{", "[" * 99_999])
def test_a_damaged_config_is_named(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(DataError, match=r"config\.json"):
        loaded(tmp_path)


def test_quantised_weights_are_refused(tmp_path):
    with pytest.raises(Refused, match="quantised"):
        loaded(described(tmp_path, quantization_config={"quant_method": "gptq", "bits": 4}))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"model_type": "mistral"}, "model_type 'llama', not 'mistral'"),
        ({"vocab_size": 32000}, r"vocab_size \d+, not 32000"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings False, not True"),
        ({"rope_theta": 5.0}, "rope_theta 10000.0, not 5.0"),
        ({"no_such_field": 1}, "no_such_field not at all, not 1"),
    ],
)
def test_facts_that_the_folder_contradicts_are_refused(facts, reason):
    with pytest.raises(Refused, match=reason):
        loaded(parts() / "vicuna-s", config=facts)


@pytest.mark.parametrize(
    "written", [{"rope_theta": 5e5}, {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}]
)
def test_a_fact_on_rotary_positions_holds_wherever_config_json_has_it(written, tmp_path):
    config = LlamaConfig().to_dict()
    config.pop("rope_parameters")
    (tmp_path / "config.json").write_text(json.dumps(config | written))
    told = VICUNA.model_copy(update={"config": {"model_type": "llama", "rope_theta": 500000, "hidden_size": 4096}})
    assert config_of(told, tmp_path).hidden_size == 4096


def test_a_fact_may_hold_for_one_kind_of_layer(tmp_path):
    Gemma3TextConfig().save_pretrained(tmp_path)
    told = Backbone(name="g", weights="", config={"rope_theta": 1e6}, chat="", image="", pad="", stop=("x",))
    assert config_of(told, tmp_path).model_type == "gemma3_text"


def test_without_a_config_and_facts_nothing_is_known(tmp_path):
    with pytest.raises(ConfigError, match="model_type"):
        config_of(VICUNA, tmp_path)


def clip(folder: Path, layout: str, weights: dict[str, torch.Tensor], kind: str = "clip") -> Path:
    """A CLIP model as OpenAI's are published: a text side and old buffers beside the tower, in half precision."""
    folder.mkdir(exist_ok=True)
    config = {"model_type": kind, "vision_config": eyes().config.to_dict(), "text_config": {}}
    (folder / "config.json").write_text(json.dumps(config))
    held = {f"vision_model.{name}": tensor.half() for name, tensor in weights.items()}
    held |= {"text_model.final_layer_norm.bias": torch.ones(3), "logit_scale": torch.ones(())}
    held |= {"vision_model.embeddings.position_ids": torch.arange(5), "visual_projection.weight": torch.ones(2, 2)}
    write(folder / layout, held)
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_tower_of_a_whole_clip_is_found(layout, tmp_path):
    exact = {name: tensor.half().float() for name, tensor in eyes().state_dict().items()}
    tower = tower_of(clip(tmp_path, layout, exact), torch.float32)
    assert isinstance(tower, CLIPVisionModel)
    found = tower.state_dict()
    assert found.keys() == exact.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in exact.items())


def test_towers_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(Refused, match="siglip"):
        tower_of(clip(tmp_path, LAYOUTS[0], eyes().state_dict(), "siglip"), torch.float32)


def test_a_tower_that_is_not_whole_is_a_data_error(tmp_path):
    held = dict(eyes().state_dict())
    del held["post_layernorm.weight"]
    with pytest.raises(DataError, match=r"lack .*post_layernorm\.weight"):
        tower_of(clip(tmp_path, LAYOUTS[0], held), torch.float32)
