from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tests.anatomy import BACKBONES, LAYERS, assembled, backbone, family, parts
from tests.chat.kinds import KINDS, words
from tests.original import shards
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPVisionModel,
    CohereConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GraniteConfig,
    MistralConfig,
    PhiConfig,
    PreTrainedConfig,
    Qwen3Config,
)

from vertebra.catalog import Catalog
from vertebra.chat import Conversation, Turn
from vertebra.errors import DataError, Refused
from vertebra.model import assemble, load, save
from vertebra.spec import Backbone

EVERY = [(model, name) for model in LAYERS for name in BACKBONES]


@pytest.mark.parametrize(("model", "name"), EVERY)
def test_text_alone_gets_the_plain_language_models_logits(model, name):
    whole = assembled(model, name)
    plain = AutoModelForCausalLM.from_pretrained(parts() / name)
    ids = torch.arange(5, 40).unsqueeze(0)
    rows = plain.config.vocab_size
    with torch.no_grad():
        assert torch.equal(whole.network(input_ids=ids).logits[..., :rows], plain(input_ids=ids).logits)


@pytest.mark.parametrize(("model", "name"), EVERY)
def test_plain_transformers_loads_a_checkpoint_with_the_same_logits(model, name, tmp_path):
    whole = assembled(model, name)
    save(whole, tmp_path)
    network = AutoModelForImageTextToText.from_pretrained(tmp_path, trust_remote_code=False)
    processor = AutoProcessor.from_pretrained(tmp_path, trust_remote_code=False)
    message = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What color is the two?"}]}
    text = processor.apply_chat_template([message], add_generation_prompt=True)
    inputs = processor(images=Image.new("RGB", (112, 56), (200, 30, 90)), text=text, return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(network(**inputs).logits, whole.network(**inputs).logits)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_processor_writes_the_prompt_that_training_wrote(name, tmp_path):
    save(assembled("llava", name), tmp_path)
    whole = load(tmp_path)
    turn = Turn("user", "Is it a seven?\nAnswer it.", images=1)
    text = whole.processor.apply_chat_template([turn.message()], add_generation_prompt=True)
    assert text == whole.chat.render(Conversation((turn,)), prompt=True)
    picture = Image.new("RGB", (56, 112))
    ids = whole.processor(images=picture, text=text, add_special_tokens=False, return_tensors="pt")["input_ids"][0]
    image = whole.processor.image_token_id
    ours = whole.chat.prompt_ids(Conversation((turn,)))
    assert [token for token in ids.tolist() if token != image] == [token for token in ours if token != image]
    assert ids.tolist().count(image) == whole.image_tokens
    assert ours.count(image) == 1


def test_vip_llava_reads_its_layers_in_the_order_that_the_family_names():
    whole = assembled("vip_llava", "vicuna-s")
    tower = CLIPVisionModel.from_pretrained(parts() / "tower")
    pixels = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    seen = []
    projector = whole.network.model.multi_modal_projector
    projector.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        whole.network.model.get_image_features(pixels)
        states = tower(pixels, output_hidden_states=True).hidden_states
    expected = torch.cat([states[layer][:, 1:] for layer in (-2, -3, -4, -5, 1)], dim=-1)
    torch.testing.assert_close(seen[0], expected, rtol=0, atol=1e-6)


def test_the_seed_decides_the_projector_and_nothing_else():
    first, again, other = (assembled("llava", "phi-3", seed) for seed in (3, 3, 4))
    differing = set()
    for (name, one), same, third in zip(
        first.network.named_parameters(), again.network.parameters(), other.network.parameters(), strict=True
    ):
        assert torch.equal(one, same), name
        if not torch.equal(one, third):
            differing.add(name.split(".")[1])
    assert differing == {"multi_modal_projector"}


def test_every_stop_token_ends_generation_and_the_pad_does_not():
    settings = assembled("llava", "llama-3").network.generation_config
    vocabulary = assembled("llava", "llama-3").processor.tokenizer.get_vocab()
    assert settings.eos_token_id == [vocabulary["<|eot_id|>"], vocabulary["<|end_of_text|>"]]
    assert settings.pad_token_id not in settings.eos_token_id
    assert settings.do_sample is False


def test_reserved_ids_leave_the_vocabulary_as_it_was():
    plain = AutoModelForCausalLM.from_pretrained(parts() / "phi-3")
    assert assembled("llava", "phi-3").network.lm_head.weight.shape == plain.lm_head.weight.shape


def test_a_new_row_of_the_vocabulary_is_the_mean_of_the_others():
    plain = AutoModelForCausalLM.from_pretrained(parts() / "vicuna-s")
    rows = plain.config.vocab_size
    head = assembled("llava", "vicuna-s").network.lm_head.weight
    assert head.shape[0] > rows
    torch.testing.assert_close(head[rows:], plain.lm_head.weight.mean(0).expand_as(head[rows:]))


def test_a_stop_token_that_the_tokenizer_lacks_is_refused():
    wrong = backbone("vicuna-s").model_copy(update={"stop": ("<|eot_id|>",)})
    with pytest.raises(Refused, match="eot_id"):
        assemble(family("llava"), wrong, Catalog.installed().template("vicuna_v1"), 0)


SMALL = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2,
}  # fmt: skip
LAYERED = {"head_dim": 16, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8}
RELEASES = {
    "qwen3, tied, bfloat16 shards": (
        Qwen3Config(tie_word_embeddings=True, head_dim=16, **SMALL), "byte-level, no begin token",
        "model.safetensors", torch.bfloat16,
    ),
    "mistral, float16 pickles": (
        MistralConfig(sliding_window=None, **SMALL), "sentencepiece, own pad", "pytorch_model.bin", torch.float16,
    ),
    "gemma-3, tied, bfloat16 pickles": (
        Gemma3TextConfig(tie_word_embeddings=True, **LAYERED, **SMALL), "byte-level, begin token not put before",
        "pytorch_model.bin", torch.bfloat16,
    ),
}  # fmt: skip


def release(name: str, folder: Path) -> Backbone:
    """A random model in two shards, as its makers would publish it: tied weights once, its own tokenizer."""
    config, kind, layout, stored = RELEASES[name]
    chat, image, pad, stop = KINDS[kind]
    config.vocab_size, config.pad_token_id, config.dtype = len(words(kind)), None, stored
    torch.manual_seed(0)
    weights = AutoModelForCausalLM.from_config(config).to(stored).state_dict()
    if config.tie_word_embeddings:
        del weights["lm_head.weight"]
    config.save_pretrained(folder)
    shards(folder, layout, weights)
    words(kind).save_pretrained(folder)
    facts = {"model_type": config.model_type, "tie_word_embeddings": config.tie_word_embeddings}
    return Backbone(name=name, weights=str(folder), config=facts, chat=chat, image=image, pad=pad, stop=stop)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["single", "bfloat16"])
@pytest.mark.parametrize("model", LAYERS)
@pytest.mark.parametrize("name", RELEASES)
def test_a_release_keeps_its_logits_from_its_shards_to_what_plain_transformers_loads(name, model, precision, tmp_path):
    chosen = release(name, tmp_path / "language")
    whole = assemble(family(model), chosen, Catalog.installed().template(chosen.chat), 0, precision)
    save(whole, tmp_path / "whole")
    network = AutoModelForImageTextToText.from_pretrained(tmp_path / "whole", trust_remote_code=False)
    processor = AutoProcessor.from_pretrained(tmp_path / "whole", trust_remote_code=False)
    assert {weight.dtype for weight in network.parameters()} == {precision}
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "language", dtype=precision)
    ids = torch.arange(5, 40).unsqueeze(0)
    message = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What color is the two?"}]}
    text = processor.apply_chat_template([message], add_generation_prompt=True)
    picture = Image.new("RGB", (112, 56), (200, 30, 90))
    inputs = processor(images=picture, text=text, return_tensors="pt").to(precision)
    with torch.no_grad():
        assert torch.equal(network(input_ids=ids).logits, plain(input_ids=ids).logits)
        assert torch.equal(network(**inputs).logits, whole.network(**inputs).logits)
    assert network.config.get_text_config().vocab_size == plain.config.vocab_size


def test_a_seeds_projector_is_the_same_in_every_precision(tmp_path):
    chosen = backbone("phi-3")
    exact, rounded = (
        assemble(family("vip_llava"), chosen, "", 3, precision).network.model.multi_modal_projector.state_dict()
        for precision in (torch.float32, torch.bfloat16)
    )
    assert all(torch.equal(exact[name].bfloat16(), rounded[name]) for name in exact)


def other_kind(config: PreTrainedConfig, folder: Path) -> Backbone:
    """A random model of another architecture with Vicuna's tokenizer."""
    config.vocab_size = len(assembled("llava", "vicuna-s").processor.tokenizer)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    assembled("llava", "vicuna-s").processor.tokenizer.save_pretrained(folder)
    return backbone("vicuna-s").model_copy(update={"weights": str(folder), "name": config.model_type})


@pytest.mark.parametrize(
    "config",
    [
        GraniteConfig(logits_scaling=8.0, tie_word_embeddings=True, **SMALL),
        GraniteConfig(logits_scaling=6.0, tie_word_embeddings=False, **SMALL),
        CohereConfig(logit_scale=0.0625, bos_token_id=1, eos_token_id=2, pad_token_id=0, **SMALL),
        Qwen3Config(tie_word_embeddings=True, head_dim=16, layer_types=["full_attention"] * 2, **SMALL),
    ],
    ids=["granite tied", "granite", "cohere", "qwen3"],
)
def test_a_factor_on_the_logits_is_carried_into_what_plain_transformers_loads(config, tmp_path):
    chosen = other_kind(config, tmp_path / "language")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "language")
    save(assemble(family("llava"), chosen, Catalog.installed().template("vicuna_v1"), 0), tmp_path / "whole")
    network = AutoModelForImageTextToText.from_pretrained(tmp_path / "whole", trust_remote_code=False)
    ids = torch.arange(5, 40).unsqueeze(0)
    with torch.no_grad():
        wanted = plain(input_ids=ids).logits
        torch.testing.assert_close(
            network(input_ids=ids).logits[..., : wanted.shape[-1]],
            wanted,
            rtol=0,
            atol=1e-6 * float(wanted.abs().max()),
        )


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (Gemma2Config(head_dim=16, layer_types=["full_attention"] * 2, **SMALL), "final_logit_softcapping 30"),
        (PhiConfig(**SMALL), "bias"),
    ],
    ids=["gemma-2", "phi-2"],
)
def test_a_head_that_no_matrix_can_carry_is_refused_with_the_reason(config, reason, tmp_path):
    chosen = other_kind(config, tmp_path)
    if config.model_type == "phi":
        weights = load_file(tmp_path / "model.safetensors")
        weights["lm_head.bias"] += 0.1
        save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Refused, match=reason):
        assemble(family("llava"), chosen, Catalog.installed().template("vicuna_v1"), 0)


def test_ids_beyond_the_vocabulary_are_refused(tmp_path):
    chosen = release("mistral, float16 pickles", tmp_path)
    short = MistralConfig(vocab_size=300, **SMALL)
    short.save_pretrained(tmp_path)
    shards(tmp_path, "pytorch_model.bin", AutoModelForCausalLM.from_config(short).state_dict())
    with pytest.raises(Refused, match=r"uses the id \d+, but its embedding has only 300 rows"):
        assemble(family("llava"), chosen, Catalog.installed().template(chosen.chat), 0)


def test_missing_weights_say_where_they_were_expected(tmp_path):
    absent = backbone("phi-3").model_copy(update={"weights": str(tmp_path / "nowhere")})
    with pytest.raises(DataError, match="nowhere"):
        assemble(family("llava"), absent, Catalog.installed().template("phi_3"), 0)


def test_a_folder_without_a_checkpoint_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="loadable"):
        load(tmp_path)
