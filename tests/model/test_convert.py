"""Original checkpoints in every layout they are published in, converted and compared with the original's forward."""

import json
import shutil

import pytest
import torch
from PIL import Image
from tests.anatomy import BACKBONES, parts
from tests.model.test_weights import Payload
from tests.original import LAYERS, PATCHES, TYPES, Source, eyes, shards, write
from transformers import AutoModelForImageTextToText, AutoProcessor

from vertebra.catalog import Catalog
from vertebra.errors import ConfigError, DataError, Refused, UnknownName
from vertebra.model import load
from vertebra.model.convert import Sources, convert

EVERY = [(family, name) for family in LAYERS for name in BACKBONES]
VICUNA = Source("vip_llava", "vicuna-s")
CHANGED = {"mm_vision_select_feature": "cls_patch", "mm_projector_type": "linear", "image_aspect_ratio": "anyres"}


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tower")
    eyes().save_pretrained(folder)
    return folder


@pytest.fixture
def run(tmp_path, tower):
    def run(folder, base=None, backbone=None, chat=None, vision=tower):
        return convert(Sources(folder, vision, base), tmp_path / "out", Catalog.installed(), backbone, chat)

    return run


def agrees(source: Source, out, language=None) -> None:
    """Plain transformers gets the logits of the original from the converted folder."""
    network = AutoModelForImageTextToText.from_pretrained(out, trust_remote_code=False, dtype=torch.float32)
    pixels = torch.randn(1, 3, 28, 28, generator=torch.Generator().manual_seed(3))
    ids, at = list(range(5, 25)), 7
    image = [network.config.image_token_index] * PATCHES
    with torch.no_grad():
        got = network(input_ids=torch.tensor([ids[:at] + image + ids[at:]]), pixel_values=pixels).logits
    expected = source.logits(ids, at, pixels, language)
    torch.testing.assert_close(got[..., : expected.shape[-1]], expected, rtol=0, atol=1e-5)
    rest = got[..., expected.shape[-1] :]
    assert not rest.numel() or (rest.amax(-1) < expected.amax(-1)).all()


@pytest.mark.parametrize(("family", "name"), EVERY)
def test_sharded_safetensors_give_the_originals_logits(family, name, run, tmp_path):
    source = Source(family, name)
    run(source.write(tmp_path / "in"))
    agrees(source, tmp_path / "out")


@pytest.mark.parametrize("family", LAYERS)
@pytest.mark.parametrize(("name", "tied"), [("mistral", False), ("llama-3", True), ("phi-3", True)])
def test_a_sliding_window_and_tied_embeddings_are_kept(family, name, tied, run, tmp_path):
    source = Source(family, name, tied=tied)
    run(source.write(tmp_path / "in"))
    agrees(source, tmp_path / "out")
    said = AutoModelForImageTextToText.from_pretrained(tmp_path / "out").config
    assert said.get_text_config().tie_word_embeddings == said.tie_word_embeddings == tied
    assert getattr(said.get_text_config(), "sliding_window", None) == source.config.to_dict().get("sliding_window")


@pytest.mark.parametrize(("family", "name"), EVERY[::2])
def test_pickled_shards_with_the_tower_elsewhere_give_the_originals_logits(family, name, run, tmp_path):
    source = Source(family, name)
    run(source.write(tmp_path / "in", "pytorch_model.bin", tower=False))
    agrees(source, tmp_path / "out")


@pytest.mark.parametrize(("family", "name"), EVERY[1::2])
def test_a_projector_in_a_file_of_its_own_is_found(family, name, run, tmp_path):
    source = Source(family, name)
    folder = source.describe(tmp_path / "in")
    write(folder / "model.safetensors", source.tensors(projector=False))
    write(folder / "mm_projector.bin", source.projector())
    run(folder)
    agrees(source, tmp_path / "out")


def test_a_lone_projector_takes_its_language_model_from_the_base(run, tmp_path):
    folder = VICUNA.describe(tmp_path / "in")
    write(folder / "mm_projector.bin", VICUNA.projector())
    with pytest.raises(ConfigError, match="--base"):
        run(folder)
    run(folder, base=parts() / "vicuna-s")
    agrees(VICUNA, tmp_path / "out")


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
def test_a_lora_becomes_part_of_its_base(name, suffix, run, tmp_path):
    source = Source("llava", name)
    folder = source.describe(tmp_path / "in")
    adapted = _adapt(source, folder, suffix)
    with pytest.raises(ConfigError, match="--base"):
        run(folder)
    run(folder, base=parts() / name)
    agrees(source, tmp_path / "out", adapted)


def _adapt(source, folder, suffix):
    """Writes a LoRA as the original code does; the language model with W + 2 B A in place of W."""
    language = source.language
    kind = "qkv_proj" if source.name == "phi-3" else "q_proj"
    adapter = {}
    for number, layer in enumerate(language.model.layers):
        module = getattr(layer.self_attn, kind)
        down, up = torch.randn(4, module.in_features) * 0.1, torch.randn(module.out_features, 4) * 0.1
        prefix = f"base_model.model.model.layers.{number}.self_attn.{kind}"
        adapter |= {f"{prefix}.lora_A.weight": down, f"{prefix}.lora_B.weight": up}
        module.weight.data += 2 * up @ down
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": [kind]}
    (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "elsewhere"}))
    write(folder / f"adapter_model.{suffix}", adapter)
    projector = {f"base_model.model.{key}": tensor for key, tensor in source.projector().items()}
    torch.save(projector, folder / "non_lora_trainables.bin")
    return language


def test_an_adapter_of_another_model_is_named(run, tmp_path):
    source = Source("llava", "vicuna-s")
    folder = source.describe(tmp_path / "in")
    _adapt(source, folder, "bin")
    held = torch.load(folder / "adapter_model.bin")
    torch.save({name.replace("layers.2", "layers.9"): held[name] for name in held}, folder / "adapter_model.bin")
    with pytest.raises(DataError, match=r"layers\.[29]"):
        run(folder, base=parts() / "vicuna-s")
    torch.save({name: tensor[:, :3] for name, tensor in held.items()}, folder / "adapter_model.bin")
    with pytest.raises(DataError, match="does not fit"):
        run(folder, base=parts() / "vicuna-s")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"peft_type": "NONE"}', '{"peft_type": "LORA", "r": "x", "target_modules": ["q_proj"]}']
)
def test_an_adapters_config_that_is_none_is_named(text, run, tmp_path):
    source = Source("llava", "vicuna-s")
    folder = source.describe(tmp_path / "in")
    _adapt(source, folder, "bin")
    (folder / "adapter_config.json").write_text(text)
    with pytest.raises(DataError, match="adapter_config"):
        run(folder, base=parts() / "vicuna-s")


def test_adapters_of_other_kinds_than_lora_are_refused(run, tmp_path):
    source = Source("llava", "vicuna-s")
    folder = source.describe(tmp_path / "in")
    _adapt(source, folder, "bin")
    (folder / "adapter_config.json").write_text('{"peft_type": "IA3", "target_modules": ["k_proj"]}')
    with pytest.raises(Refused, match="IA3"):
        run(folder, base=parts() / "vicuna-s")


def test_a_half_precision_model_with_a_full_precision_tower_loads_as_one(run, tmp_path):
    folder = VICUNA.describe(tmp_path / "in")
    halves = {name: tensor.half() for name, tensor in VICUNA.tensors(tower=False).items()}
    shards(folder, "pytorch_model.bin", halves)
    run(folder)
    assert {weight.dtype for weight in load(tmp_path / "out").network.parameters()} == {torch.float16}
    exact = AutoModelForImageTextToText.from_pretrained(tmp_path / "out", dtype=torch.float32)
    own = VICUNA.tower.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in exact.model.vision_tower.state_dict().items())


@pytest.mark.parametrize("name", BACKBONES)
def test_the_processor_pads_speaks_and_stops_as_the_backbone_does(name, run, tmp_path):
    source = Source("vip_llava", name)
    done = run(source.write(tmp_path / "in"))
    assert done.chat == {"vicuna-s": "llava_v1", "llama-3": "llama_3", "phi-3": "phi_3"}[name]
    out = tmp_path / "out"
    network = AutoModelForImageTextToText.from_pretrained(out)
    processor = AutoProcessor.from_pretrained(out)
    vocabulary = processor.tokenizer.get_vocab()
    assert network.generation_config.eos_token_id == [vocabulary[stop] for stop in BACKBONES[name].stop]
    assert network.generation_config.pad_token_id == vocabulary[BACKBONES[name].pad]
    message = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Hello?"}]}
    text = processor.apply_chat_template([message], add_generation_prompt=True)
    assert ("curious human" in text) == (name == "vicuna-s")
    inputs = processor(images=Image.new("RGB", (60, 20), (200, 0, 0)), text=text, return_tensors="pt")
    assert inputs["input_ids"][0].tolist().count(network.config.image_token_index) == PATCHES
    corner, middle = inputs["pixel_values"][0, :, 0, 0], inputs["pixel_values"][0, :, 14, 14]
    assert corner.abs().max() < 0.02
    assert middle[0] > 1
    with torch.no_grad():
        assert network(**inputs).logits.isfinite().all()


def test_llavas_model_speaks_its_backbones_format_and_another_may_be_given(run, tmp_path):
    folder = Source("llava", "vicuna-s").write(tmp_path / "in")
    assert run(folder).chat == "vicuna_v1"
    shutil.rmtree(tmp_path / "out")
    assert run(folder, chat="llava_v1").chat == "llava_v1"


@pytest.mark.parametrize(("name", "grows"), [("vicuna-s", True), ("llama-3", False), ("phi-3", False)])
def test_the_vocabulary_grows_only_for_tokens_that_it_lacks(name, grows, run, tmp_path):
    source = Source("llava", name)
    rows = source.language.config.vocab_size
    done = run(source.write(tmp_path / "in"))
    assert (
        (done.rows % 64 == 0 and done.added == done.rows - rows > 0) if grows else (done.rows, done.added) == (rows, 0)
    )


def test_llavas_layer_is_the_one_that_its_config_names(run, tmp_path):
    source = Source("llava", "llama-3")
    source.write(tmp_path / "in")
    run(source.describe(tmp_path / "in", mm_vision_select_layer=-4))
    network = AutoModelForImageTextToText.from_pretrained(tmp_path / "out")
    assert network.config.vision_feature_layer == -4


def test_a_tower_of_openais_is_told_by_its_shapes(run, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    source = Source("llava", "llama-3", eyes(heads=1))
    run(source.write(tmp_path / "in"), vision=None)
    agrees(source, tmp_path / "out")


def test_a_tower_that_the_config_names_by_its_folder_is_found(run, tmp_path, tower):
    source = Source("llava", "llama-3")
    source.write(tmp_path / "in", tower=False)
    run(source.describe(tmp_path / "in", mm_vision_tower=str(tower)), vision=None)
    agrees(source, tmp_path / "out")


def test_the_tower_that_the_original_names_is_the_familys_pinned_one(run, tmp_path, tower, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    name, _, revision = Catalog.installed().family("llava-1.5").vision.partition("@")
    shutil.copytree(tower, tmp_path / "hub" / f"models--{name.replace('/', '--')}" / "snapshots" / revision)
    source = Source("llava", "llama-3")
    run(source.write(tmp_path / "in", tower=False), vision=None)
    agrees(source, tmp_path / "out")


def test_a_tower_that_is_nowhere_is_asked_for(run, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(DataError, match=r"clip-vit-large-patch14-336.*--vision DIR"):
        run(VICUNA.write(tmp_path / "in", tower=False), vision=None)


def test_a_tower_with_its_text_side_gives_its_eyes_alone(run, tmp_path):
    whole = {f"vision_model.{name}": tensor for name, tensor in eyes().state_dict().items()}
    folder = tmp_path / "clip"
    folder.mkdir()
    write(folder / "pytorch_model.bin", whole | {"text_model.final_layer_norm.bias": torch.ones(3)})
    config = {"model_type": "clip", "vision_config": eyes().config.to_dict(), "text_config": {}}
    (folder / "config.json").write_text(json.dumps(config))
    run(VICUNA.write(tmp_path / "in", tower=False), vision=folder)
    agrees(VICUNA, tmp_path / "out")


def test_backbones_that_fit_alike_are_listed(tmp_path, tower):
    (tmp_path / "more" / "backbones").mkdir(parents=True)
    twin = Catalog.installed().path("backbones", "vicuna-7b").read_text().replace("vicuna_v1", "llava_v1")
    (tmp_path / "more" / "backbones" / "twin.yaml").write_text(twin)
    catalog = Catalog.installed().with_folder(tmp_path / "more")
    sources = Sources(VICUNA.write(tmp_path / "in"), tower)
    with pytest.raises(ConfigError, match=r"twin.*--backbone"):
        convert(sources, tmp_path / "out", catalog, None, None)
    assert convert(sources, tmp_path / "out", catalog, "twin", None).chat == "llava_v1"


def test_unknown_names_and_backbones_of_another_tokenizer_are_told(run, tmp_path):
    folder = VICUNA.write(tmp_path / "in")
    with pytest.raises(UnknownName, match="vicuna-7b"):
        run(folder, backbone="vicuna-7")
    with pytest.raises(UnknownName, match="llava_v1"):
        run(folder, chat="llava_v2")
    with pytest.raises(Refused, match="eot_id"):
        run(folder, backbone="llama-3-8b")


@pytest.mark.parametrize("name", CHANGED)
def test_what_the_shells_would_compute_differently_is_refused(name, run, tmp_path):
    VICUNA.write(tmp_path / "in")
    with pytest.raises(Refused, match=name):
        run(VICUNA.describe(tmp_path / "in", **{name: CHANGED[name]}))


@pytest.mark.parametrize(("name", "kind"), [("vicuna-s", "llava_mpt"), ("vicuna-s", "llava_phi3")])
def test_an_unknown_architecture_is_refused(name, kind, run, tmp_path):
    VICUNA.write(tmp_path / "in")
    with pytest.raises(Refused, match=kind):
        run(VICUNA.describe(tmp_path / "in", model_type=kind))


def test_fused_attention_is_phi_3s_whatever_the_config_says(run, tmp_path):
    source = Source("llava", "phi-3")
    source.write(tmp_path / "in")
    assert run(source.describe(tmp_path / "in", model_type=TYPES["llama-3"])).language == "Phi3"


@pytest.mark.parametrize(
    "change",
    [
        {"num_hidden_layers": 4}, {"num_hidden_layers": 10**12}, {"hidden_size": "wide"}, {"hidden_size": 64},
        {"num_attention_heads": 0}, {"intermediate_size": 10**30}, {"hidden_act": "no such"}, {"rope_theta": "x"},
        {"rope_scaling": {"type": "no such"}}, {"num_key_value_heads": 3}, {"mm_vision_select_layer": "x"},
        {"mm_vision_select_layer": 99}, {"mm_vision_tower": None},
    ],
)  # fmt: skip
def test_a_config_that_does_not_fit_is_a_data_error(change, run, tmp_path):
    source = Source("llava", "vicuna-s")
    source.write(tmp_path / "in", tower="mm_vision_tower" not in change)
    with pytest.raises(DataError):
        run(source.describe(tmp_path / "in", **change), **({"vision": None} if "mm_vision_tower" in change else {}))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"model_type": "llava", "text_config": {}}', "[" * 99_999])
def test_a_config_that_is_none_of_the_originals_is_named(text, run, tmp_path):
    folder = VICUNA.write(tmp_path / "in")
    (folder / "config.json").write_text(text)
    with pytest.raises(DataError, match=r"config\.json"):
        run(folder)


def _without(held, name):
    return {key: tensor for key, tensor in held.items() if key != name}


BROKEN = {
    "extra.weight": lambda held: held | {"extra.weight": torch.ones(2)},
    "model.layers.0.extra": lambda held: held | {"model.layers.0.extra": torch.ones(2)},
    "image_newline": lambda held: held | {"model.image_newline": torch.ones(2)},
    "norm.weight": lambda held: _without(held, "model.norm.weight"),
    "embeddings": lambda held: _without(held, "model.embed_tokens.weight"),
    "mm_projector": lambda held: {name: held[name] for name in held if "mm_projector" not in name},
    "linear_1.bias": lambda held: held | {"model.mm_projector.final_linear.0.bias": torch.empty(0)},
    "o_proj": lambda held: held | {"model.layers.1.self_attn.o_proj.weight": torch.ones(128, 3)},
    "lm_head": lambda held: held | {"lm_head.weight": held["lm_head.weight"][:-7]},
    "embed_tokens": lambda held: held | {"model.embed_tokens.weight": torch.ones(3)},
    "class_embedding": lambda held: {name: held[name] for name in held if not name.endswith("class_embedding")},
}


@pytest.mark.parametrize("named", BROKEN)
def test_tensors_that_are_missing_strange_or_misshapen_are_named(named, run, tmp_path):
    folder = VICUNA.describe(tmp_path / "in")
    write(folder / "model.safetensors", BROKEN[named](VICUNA.tensors()))
    with pytest.raises(DataError, match=named):
        run(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("name", ["mm_projector.bin", "pytorch_model.bin"])
def test_a_payload_in_any_of_the_files_is_never_run(name, run, tmp_path):
    folder = VICUNA.describe(tmp_path / "in")
    write(folder / "pytorch_model.bin", VICUNA.tensors(projector=False))
    mark = tmp_path / "made by the payload"
    torch.save({**VICUNA.projector(), "x": Payload(mark)}, folder / name)
    with pytest.raises(DataError, match=name):
        run(folder)
    assert not mark.exists()


@pytest.mark.parametrize("text", ["", "{", "{}", None])
def test_a_tokenizer_that_cannot_be_read_is_a_data_error(text, run, tmp_path):
    folder = VICUNA.write(tmp_path / "in")
    if text is None:
        (folder / "tokenizer.json").unlink()
    else:
        (folder / "tokenizer.json").write_text(text)
    with pytest.raises(DataError, match="tokenizer"):
        run(folder)


def test_a_base_gives_the_tokenizer_that_the_source_lacks(run, tmp_path):
    folder = VICUNA.write(tmp_path / "in")
    (folder / "tokenizer.json").unlink()
    run(folder, base=parts() / "vicuna-s")
    agrees(VICUNA, tmp_path / "out")


def test_a_folder_that_is_taken_stays_as_it_is(run, tmp_path):
    folder = VICUNA.write(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists"):
        run(folder)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(run, tmp_path):
    (tmp_path / "out").mkdir()
    run(VICUNA.write(tmp_path / "in"))
    assert (tmp_path / "out" / "model.safetensors").is_file()
