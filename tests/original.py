"""Small random checkpoints in the layout of the original LLaVA code, and its forward pass written down plainly."""

import json
import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file
from tests.anatomy import BACKBONES, parts
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    CLIPVisionConfig,
    CLIPVisionModel,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedModel,
)

PATCHES = 4
LAYERS = {"llava": (-2,), "vip_llava": (-2, -5, -8, -11, 6)}
TYPES = {"vicuna-s": "llava", "llama-3": "llava_llama", "phi-3": "llava_phi3", "mistral": "llava_mistral"}
TOKENIZERS = {"mistral": "vicuna-s"}
"""Whose tokenizer a kind has that has none of its own here."""

SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")


@cache
def eyes(heads: int = 2) -> CLIPVisionModel:
    """A tower with enough layers for ViP-LLaVA; four patches."""
    torch.manual_seed(1)
    config = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=48,
        num_hidden_layers=12,
        num_attention_heads=heads,
        image_size=28,
        patch_size=14,
    )
    return CLIPVisionModel(config).eval()


@dataclass(frozen=True)
class Source:
    """A family's model on a backbone, from parts that no code of ours has touched."""

    family: str
    name: str
    tower: CLIPVisionModel = field(default_factory=eyes)
    tied: bool = False

    @property
    def config(self) -> PreTrainedConfig:
        config = AutoConfig.from_pretrained(parts() / TOKENIZERS.get(self.name, self.name))
        if self.name == "mistral":
            sizes = {name: getattr(config, name) for name in SIZES}
            config = MistralConfig(**sizes, head_dim=16, num_key_value_heads=2, sliding_window=12)
        config.tie_word_embeddings = self.tied
        return config

    @property
    def language(self) -> PreTrainedModel:
        if self.name in BACKBONES and not self.tied:
            return AutoModelForCausalLM.from_pretrained(parts() / self.name).eval()
        torch.manual_seed(3)
        return AutoModelForCausalLM.from_config(self.config).eval()

    def projector(self) -> dict[str, Tensor]:
        torch.manual_seed(2)
        read, wide = 64 * len(LAYERS[self.family]), 128
        inner = "final_linear." if self.family == "vip_llava" else ""
        shapes = {f"{inner}0.weight": (wide, read), f"{inner}0.bias": (wide,)}
        shapes |= {f"{inner}2.weight": (wide, wide), f"{inner}2.bias": (wide,)}
        if inner:
            shapes |= {"clip_layernorm.weight": (read,), "clip_layernorm.bias": (read,)}
        return {f"model.mm_projector.{name}": torch.randn(shape) * 0.2 for name, shape in shapes.items()}

    def tensors(self, tower: bool = True, projector: bool = True) -> dict[str, Tensor]:
        """Everything under the original's names, with the buffers that old versions stored."""
        held = {name: tensor.clone() for name, tensor in self.language.state_dict().items()}
        if self.tied:
            del held["lm_head.weight"]
        held["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
        inside = "model.vision_tower.vision_tower.vision_model."
        if tower:
            held |= {inside + name: tensor.clone() for name, tensor in self.tower.state_dict().items()}
            held[inside + "embeddings.position_ids"] = torch.arange(PATCHES + 1)
        return held | (self.projector() if projector else {})

    def describe(self, folder: Path, **changes: object) -> Path:
        """Writes config and tokenizer."""
        folder.mkdir(parents=True, exist_ok=True)
        config = self.config.to_dict()
        theta = config.pop("rope_parameters")["rope_theta"]
        config |= {"model_type": TYPES[self.name], "rope_theta": theta, "rope_scaling": None}
        config |= {"architectures": ["LlavaLlamaForCausalLM"], "torch_dtype": "float32", "use_cache": False}
        config |= {"auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"}}
        magic = "clip_4layers_336" if self.family == "vip_llava" else "openai/clip-vit-large-patch14-336"
        config |= {"mm_vision_tower": magic, "mm_vision_select_layer": -2, "mm_vision_select_feature": "patch"}
        config |= {"mm_projector_type": "mlp2x_gelu", "image_aspect_ratio": "pad", "mm_use_im_start_end": False}
        (folder / "config.json").write_text(json.dumps(config | changes))
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(parts() / TOKENIZERS.get(self.name, self.name) / file, folder)
        return folder

    def write(self, folder: Path, layout: str = "model.safetensors", tower: bool = True) -> Path:
        """A whole checkpoint in two shards of a layout."""
        shards(self.describe(folder), layout, self.tensors(tower))
        return folder

    @torch.no_grad()
    def logits(self, ids: list[int], at: int, pixels: Tensor, language: PreTrainedModel | None = None) -> Tensor:
        """The original's forward: an image's features go between the embedded texts before and after it."""
        language = language or self.language
        states = self.tower(pixels, output_hidden_states=True).hidden_states
        seen = torch.cat([states[layer][:, 1:] for layer in LAYERS[self.family]], dim=-1)
        weights = {name.removeprefix("model.mm_projector."): tensor for name, tensor in self.projector().items()}
        if self.family == "vip_llava":
            norm = weights["clip_layernorm.weight"], weights["clip_layernorm.bias"]
            seen = nn.functional.layer_norm(seen, (seen.shape[-1],), *norm, eps=1e-5)
            weights = {name.removeprefix("final_linear."): tensor for name, tensor in weights.items()}
        hidden = nn.functional.gelu(nn.functional.linear(seen, weights["0.weight"], weights["0.bias"]))
        features = nn.functional.linear(hidden, weights["2.weight"], weights["2.bias"])
        words = language.get_input_embeddings()(torch.tensor([ids]))
        return language(inputs_embeds=torch.cat([words[:, :at], features, words[:, at:]], dim=1)).logits


def shards(folder: Path, layout: str, tensors: dict[str, Tensor]) -> None:
    """Writes tensors as two shards and their index."""
    stem, suffix = layout.rsplit(".", 1)
    names = sorted(tensors)
    placed = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"{stem}-0000{number}-of-00002.{suffix}"
        write(folder / file, {name: tensors[name] for name in part})
        placed |= dict.fromkeys(part, file)
    (folder / f"{layout}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))


def write(path: Path, tensors: dict[str, Tensor]) -> None:
    """One file, in the format of its suffix."""
    if path.suffix == ".bin":
        torch.save(tensors, path)
    else:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
