"""Small random parts for tests that need a model: a tower, and a backbone of each of the study's kinds."""

from functools import cache
from pathlib import Path
from shutil import copyfile
from tempfile import mkdtemp

import torch
from transformers import (
    CLIPVisionModel,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from vertebra.catalog import Catalog
from vertebra.miniature import language, tower
from vertebra.model import VisionLanguageModel, assemble
from vertebra.spec import Backbone, Family, Stage

BACKBONES = {
    "vicuna-s": Backbone(name="vicuna-s", weights="", chat="vicuna_v1", image="<image>", pad="<unk>", stop=("</s>",)),
    "llama-3": Backbone(
        name="llama-3",
        weights="",
        chat="llama_3",
        image="<|reserved_special_token_0|>",
        pad="<|reserved_special_token_1|>",
        stop=("<|eot_id|>", "<|end_of_text|>"),
    ),
    "phi-3": Backbone(
        name="phi-3",
        weights="",
        chat="phi_3",
        image="<|placeholder1|>",
        pad="<|placeholder2|>",
        stop=("<|end|>", "<|endoftext|>"),
    ),
}
SIZES = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512,
}  # fmt: skip
FURTHER = {
    "qwen3": ("llama-3", Qwen3ForCausalLM, Qwen3Config(**SIZES, head_dim=32, vocab_size=640)),
    "mistral": ("vicuna-s", MistralForCausalLM, MistralConfig(**SIZES, sliding_window=256, vocab_size=640)),
}
"""Other architectures, spoken to as one of the study's kinds is."""
LAYERS = {"llava": (-2,), "vip_llava": (-2, -3, -4, -5, 1)}


@cache
def parts() -> Path:
    """A folder with `tower` and one folder per backbone, random weights, trained tokenizers."""
    folder = Path(mkdtemp(prefix="vertebra-parts-"))
    torch.manual_seed(0)
    CLIPVisionModel(tower.config()).save_pretrained(folder / "tower")
    for name, backbone in BACKBONES.items():
        kind = language.KINDS[name]
        tokenizer = kind.tokenizer(language.corpus(Catalog.installed().template(backbone.chat), 0, size=60), (), 500)
        config = kind.config(len(tokenizer))
        model = (Phi3ForCausalLM if isinstance(config, Phi3Config) else LlamaForCausalLM)(config)
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


@cache
def further(name: str) -> Backbone:
    """A backbone of another architecture, its weights in place."""
    spoken, kind, config = FURTHER[name]
    folder = parts() / name
    torch.manual_seed(0)
    kind(config).save_pretrained(folder)
    for file in (parts() / spoken).glob("*tokenizer*"):
        copyfile(file, folder / file.name)
    return BACKBONES[spoken].model_copy(update={"name": name, "weights": str(folder)})


def backbone(name: str) -> Backbone:
    """The backbone of a kind, its weights in place."""
    return further(name) if name in FURTHER else BACKBONES[name].model_copy(update={"weights": str(parts() / name)})


def family(model: str) -> Family:
    """The family of a shell, on the random tower."""
    stage = Stage(mixture="none", learning_rate=1e-3, batch=4)
    return Family(
        name=model, model=model, vision=str(parts() / "tower"), layers=LAYERS[model], stages={"finetune": stage}
    )


def assembled(model: str, name: str, seed: int = 0) -> VisionLanguageModel:
    """A whole untrained model."""
    chosen = backbone(name)
    return assemble(family(model), chosen, Catalog.installed().template(chosen.chat), seed)


def talkative(model: VisionLanguageModel) -> VisionLanguageModel:
    """The model with its layers' words made louder than its embeddings, so that what it says depends on all it saw."""
    with torch.no_grad():
        for name, weight in model.network.model.language_model.layers.named_parameters():
            weight.mul_(1 if "norm" in name else 4)
    return model
