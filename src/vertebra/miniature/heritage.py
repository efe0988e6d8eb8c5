"""A language model that begins as a copy of another: the body as it is, embeddings word by word.

Looking things up takes a small model thousands of steps to learn and is the same in every chat format, so two of the
tiny backbones inherit it from the one with grouped-query attention: repeating its key and value heads, or fusing its
matrices as Phi-3 does, changes no product (J. Ainslie et al., arXiv:2305.13245, goes the other way).
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast


@torch.no_grad()
def inherit(
    heir: PreTrainedModel,
    words: PreTrainedTokenizerFast,
    ancestor: PreTrainedModel,
    its_words: PreTrainedTokenizerFast,
    roles: Mapping[str, str],
) -> None:
    """Overwrites the heir's weights; `roles` maps its special tokens to those of the ancestor that do the same.

    Both have the same width. Layers that the heir has beyond its ancestor's begin by adding nothing (as in LLaMA Pro,
    arXiv:2401.02415). Tokens that the ancestor does not know keep the embeddings they have.
    """
    body = {name: weight for name, weight in ancestor.state_dict().items() if "layers" in name or "model.norm" in name}
    heir.load_state_dict(_shaped(body, ancestor, heir), strict=False)
    for layer in heir.model.layers[ancestor.config.num_hidden_layers :]:
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    known = {surface(its_words, token): token for token in range(len(its_words))}
    for name, its_name in roles.items():
        known[name] = its_words.convert_tokens_to_ids(its_name)
    pairs = [(token, known[surface(words, token)]) for token in range(len(words)) if surface(words, token) in known]
    mine, its = (torch.tensor(column) for column in zip(*pairs, strict=True))
    for table in ("model.embed_tokens.weight", "lm_head.weight"):
        heir.state_dict()[table][mine] = ancestor.state_dict()[table][its]


def _shaped(body: Mapping[str, Tensor], ancestor: PreTrainedModel, heir: PreTrainedModel) -> dict[str, Tensor]:
    """The body with as many key and value heads as the heir has, fused where the heir fuses."""
    heads = ancestor.config.num_key_value_heads
    times = heir.config.num_key_value_heads // heads
    wide = {
        name: weight.view(heads, -1, weight.shape[1]).repeat_interleave(times, 0).flatten(0, 1)
        if name.endswith(("k_proj.weight", "v_proj.weight"))
        else weight
        for name, weight in body.items()
    }
    if not any("qkv_proj" in name for name in heir.state_dict()):
        return wide
    fused = {name: weight for name, weight in wide.items() if "o_proj" in name or "down_proj" in name or "norm" in name}
    for layer in range(ancestor.config.num_hidden_layers):
        attention, mlp = f"model.layers.{layer}.self_attn", f"model.layers.{layer}.mlp"
        fused[f"{attention}.qkv_proj.weight"] = torch.cat([wide[f"{attention}.{part}_proj.weight"] for part in "qkv"])
        fused[f"{mlp}.gate_up_proj.weight"] = torch.cat([wide[f"{mlp}.{part}_proj.weight"] for part in ("gate", "up")])
    return fused


def surface(words: PreTrainedTokenizerFast, token: int) -> str:
    """The text that a token stands for, its leading blank kept; a special token's own name."""
    name = str(words.convert_ids_to_tokens(token))
    if name.startswith("<0x"):
        return chr(int(name[3:5], 16))
    if token in words.all_special_ids or name.startswith("<|"):
        return name
    return name.replace("▁", " ").replace("Ġ", " ").replace("Ċ", "\n")
