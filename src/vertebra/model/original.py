"""Checkpoints of the original LLaVA-1.5 and ViP-LLaVA code: what is in their folders, under which names.

    config.json        the language model's own settings, and mm_vision_tower, mm_projector_type, ... beside them
    pytorch_model.bin  model.layers.*, lm_head.*, model.mm_projector.*, often model.vision_tower.*
    mm_projector.bin   the projector alone, where the first stage saved nothing else
    adapter_model.*    LoRA on a base model, with non_lora_trainables.bin for the projector

https://github.com/haotian-liu/LLaVA (llava/model/builder.py), https://github.com/WisconsinAIVision/ViP-LLaVA
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor
from transformers import CLIPVisionConfig, LlamaConfig, MistralConfig, Phi3Config, PreTrainedConfig

from vertebra.errors import ConfigError, DataError, Refused, VertebraError
from vertebra.model.parts import INVALID, listed, tower_config
from vertebra.model.weights import has_weights, stored, tensors
from vertebra.reading import read_text
from vertebra.source import locate
from vertebra.spec import Family, Json

ADAPTER = ("adapter_model.safetensors", "adapter_model.bin")

Named = dict[str, Tensor]

_TOWER = "model.vision_tower."
_NAMES = (
    (r"model\.vision_tower\.vision_tower\.(?:vision_model\.)?", _TOWER),
    (r"model\.mm_projector\.(?:final_linear\.)?0\.", "model.multi_modal_projector.linear_1."),
    (r"model\.mm_projector\.(?:final_linear\.)?2\.", "model.multi_modal_projector.linear_2."),
    (r"model\.mm_projector\.clip_layernorm\.", "model.multi_modal_projector.projector_layernorm."),
    (r"model\.(?=embed_tokens\.|layers\.|norm\.)", "model.language_model."),
    (r"(?=lm_head\.)", ""),
)
_DROPPED = re.compile(r"rotary_emb\.inv_freq$|embeddings\.position_ids$")
"""Counted, not learnt: older transformers saved them, newer ones make them."""

_KINDS: Mapping[str, type[PreTrainedConfig]] = {
    "llava": LlamaConfig,
    "llava_llama": LlamaConfig,
    "llava_mistral": MistralConfig,
    "llava_phi": Phi3Config,
    "llava_phi3": Phi3Config,
}
"""By the `model_type` that the original code writes."""

_BOOKKEEPING = {
    *("_name_or_path", "architectures", "dtype", "model_type", "transformers_version", "use_cache"),
    *("id2label", "label2id", "problem_type", "return_dict", "output_attentions", "output_hidden_states"),
    *("chunk_size_feed_forward", "is_encoder_decoder", "pad_token_id", "vocab_size"),
}


class Original(NamedTuple):
    """A checkpoint as it lies there, its tensors already under transformers' names."""

    folder: Path
    settings: dict[str, Json]
    weights: Named
    adapter: Named | None
    """LoRA's matrices, under peft's names."""

    @property
    def model(self) -> str:
        """The family's network: only ViP-LLaVA normalises what it reads from the tower."""
        return "vip_llava" if "model.multi_modal_projector.projector_layernorm.weight" in self.weights else "llava"


def read(folder: Path, base: Path | None) -> Original:
    """Settings and tensors of a checkpoint; a LoRA's or a lone projector's language model comes from `base`."""
    settings = _settings(folder)
    adapter = dict(stored(folder, ADAPTER)) if (folder / "adapter_config.json").is_file() else None
    held = _held(folder, base, whole=adapter is None)
    weights, strange = {}, []
    for name, tensor in held.items():
        if _DROPPED.search(name):
            continue
        if (ours := _renamed(name)) is None:
            strange.append(name)
        else:
            weights[ours] = tensor
    if strange:
        raise DataError(f"{folder}: {listed(strange)} have no place in LLaVA-1.5 or ViP-LLaVA. Is it of another kind?")
    if "model.multi_modal_projector.linear_2.weight" not in weights:
        raise DataError(
            f"{folder} has no two-layer projector (mlp2x_gelu), neither in its weights nor mm_projector.bin."
        )
    return Original(folder, settings, weights, adapter)


def language_config(original: Original) -> PreTrainedConfig:
    """The language model's config: what the source says, checked by its weights."""
    settings, weights = original.settings, original.weights
    where = original.folder / "config.json"
    is_fused = any(name.endswith("qkv_proj.weight") for name in weights)
    kind = Phi3Config if is_fused else _KINDS.get(str(settings["model_type"]))
    if kind is None or (kind is Phi3Config and not is_fused):
        raise Refused(
            f"{where}: weights like these of model_type {settings['model_type']!r} cannot be converted. Known: "
            f"{', '.join(_KINDS)}; Phi-3's attention is fused (qkv_proj), the others' is not."
        )
    known = (kind().to_dict().keys() | {"rope_theta", "rope_scaling", "partial_rotary_factor"}) - _BOOKKEEPING
    rows = weights.get("model.language_model.embed_tokens.weight")
    depth = 1 + max((int(n.split(".")[3]) for n in weights if n.startswith("model.language_model.layers.")), default=-1)
    if rows is not None and rows.ndim != 2:
        raise DataError(f"{original.folder}: embed_tokens.weight has the shape {list(rows.shape)}, not rows by width.")
    if rows is None or settings.get("num_hidden_layers") != depth:
        said = settings.get("num_hidden_layers")
        raise DataError(f"{where} speaks of {said} layers, the weights hold {depth} and {_no(rows)}embeddings.")
    fields = {name: value for name, value in settings.items() if name in known}
    try:
        return kind(**fields, vocab_size=rows.shape[0], pad_token_id=None)
    except INVALID as error:
        raise DataError(f"{where} does not describe a {kind.__name__}: {error}") from error


def take_tower(original: Original, family: Family, vision: Path | None) -> CLIPVisionConfig:
    """The tower's config; its weights are added where the source has none of its own."""
    has_own = any(name.startswith(_TOWER) for name in original.weights)
    name = str(original.settings["mm_vision_tower"])
    if name.startswith("clip_") or name == family.vision.partition("@")[0]:
        # ViP-LLaVA's names tell how the family's tower is read; LLaVA's has no revision
        name = family.vision
    try:
        folder = vision or locate(name)
    except VertebraError as error:
        if has_own and name.startswith("openai/clip-vit-"):
            return _openai(original)
        raise DataError(f"{error} Or give the vision tower's folder: --vision DIR.") from error
    if not has_own:
        original.weights.update(_tower(folder))
    return tower_config(folder)


def _settings(folder: Path) -> dict[str, Json]:
    path = folder / "config.json"
    try:
        settings = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON. Fetch the checkpoint again.") from error
    if not isinstance(settings, dict) or "mm_vision_tower" not in settings or "model_type" not in settings:
        raise DataError(
            f"{path} has no mm_vision_tower and model_type: this is no checkpoint of the original LLaVA code. What "
            "transformers itself wrote needs no conversion."
        )
    for name, usual in _USUAL.items():
        if settings.get(name) not in (None, *usual):
            raise Refused(f"{path}: {name} is {settings[name]!r}; only {usual[0]!r} can be converted.")
    return settings


_USUAL: Mapping[str, tuple[Json, ...]] = {
    "mm_vision_select_feature": ("patch",),
    "mm_projector_type": ("mlp2x_gelu",),
    "image_aspect_ratio": ("pad", "square"),
    "mm_use_im_start_end": (False,),
    "mm_use_im_patch_token": (False,),
}
"""What LLaVA-1.5 and ViP-LLaVA leave as it is, and transformers' shells take for granted."""


def _held(folder: Path, base: Path | None, whole: bool) -> Named:
    """Every tensor under its original name."""
    projector = folder / ("mm_projector.bin" if whole else "non_lora_trainables.bin")
    if whole and has_weights(folder):
        held = dict(stored(folder))
    elif base is not None:
        held = dict(stored(base))
    elif projector.is_file():
        kind = "a projector" if whole else "a LoRA"
        raise ConfigError(f"{folder} holds {kind} without its language model. Give that model's folder: --base DIR.")
    else:
        held = dict(stored(folder))
    if not whole or not any(name.startswith("model.mm_projector.") for name in held):
        if not projector.is_file():
            raise DataError(f"{projector} is missing, and so is the projector. Fetch the checkpoint again.")
        prefix = "base_model.model."
        held |= {name.removeprefix(prefix): tensor for name, tensor in tensors(projector)}
    return held


def _renamed(name: str) -> str | None:
    for pattern, ours in _NAMES:
        if found := re.match(pattern, name):
            return ours + name[found.end() :]
    return None


def _tower(folder: Path) -> Named:
    """The tower's weights in a CLIP folder, with or without the text side."""
    held = {name: tensor for name, tensor in stored(folder) if not _DROPPED.search(name)}
    inside = "vision_model."
    is_nested = any(name.startswith(inside) for name in held)
    return {
        _TOWER + name.removeprefix(inside): tensor
        for name, tensor in held.items()
        if not is_nested or name.startswith(inside)
    }


def _openai(original: Original) -> CLIPVisionConfig:
    """OpenAI's vision transformers are told by their shapes: each head is 64 wide (arXiv:2103.00020, table 20)."""
    try:
        patches = original.weights[_TOWER + "embeddings.patch_embedding.weight"]
        positions = original.weights[_TOWER + "embeddings.position_embedding.weight"]
        wide = original.weights[_TOWER + "encoder.layers.0.mlp.fc1.weight"]
        width, _, _, patch = patches.shape
        heads = width // 64
        if not heads or width % 64:
            raise ValueError(width)
        side = round((positions.shape[0] - 1) ** 0.5) * patch
    except INVALID as error:
        raise DataError(f"{original.folder}: its vision tower is not whole. Give --vision DIR.") from error
    depth = len({name.split(".")[4] for name in original.weights if name.startswith(_TOWER + "encoder.layers.")})
    return CLIPVisionConfig(
        hidden_size=width, intermediate_size=wide.shape[0], num_hidden_layers=depth, num_attention_heads=heads,
        image_size=side, patch_size=patch, hidden_act="quick_gelu",
    )  # fmt: skip


def _no(thing: object) -> str:
    return "no " if thing is None else ""
