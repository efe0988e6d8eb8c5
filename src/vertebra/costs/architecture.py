"""The sizes of a language model and of a CLIP tower, by the field names of their config.json.

    {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
     "num_key_value_heads": 32, "vocab_size": 32000}
    ->  Architecture(4096, 11008, 32, 32, 32, 128, 32000)       Vicuna-7B: 6.476 B in its layers, 0.131 B in its head

Counted are the matrices; norms and biases are less than a thousandth. The fields:
https://huggingface.co/docs/transformers/main_classes/configuration
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vertebra.spec import Json

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size")
_ATTENDING = {"full_attention", "sliding_attention", "chunked_attention"}
"""Kinds of layers that are alike but for how far they look, which is counted as all the way."""
_PLAIN = ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "relu2")
"""Values of `hidden_act` with which a feed-forward block has two matrices; gated ones that take a GELU say
`hidden_activation` (Gemma)."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A dense decoder-only language model."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    gated: bool = True
    """Whether the feed-forward block has a third matrix, that of the gate."""
    tied: bool = False
    """Whether the head is the embedding."""

    @classmethod
    def of(cls, config: Mapping[str, Json]) -> "Architecture | None":
        """What a config.json says; None where it lacks a size or its layers are not attention and one dense block."""
        sizes = [
            _size(config, name)
            for name in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
        ]
        kinds = config.get("layer_types")
        odd = isinstance(kinds, Sequence) and not _ATTENDING.issuperset(map(str, kinds))
        if 0 in sizes or odd or any(config.get(name) for name in _EXPERTS):
            return None
        hidden, intermediate, layers, heads, vocabulary = sizes
        return cls(
            hidden,
            intermediate,
            layers,
            heads,
            _size(config, "num_key_value_heads") or heads,
            _size(config, "head_dim") or hidden // heads,
            vocabulary,
            gated=bool(config.get("hidden_activation")) or config.get("hidden_act") not in _PLAIN,
            tied=config.get("tie_word_embeddings") is True,
        )

    @property
    def queries(self) -> int:
        """Width of all heads' queries, which is that of the attention's output."""
        return self.heads * self.head_dim

    @property
    def keys(self) -> int:
        """Width of all heads' keys, and of their values."""
        return self.kv_heads * self.head_dim

    @property
    def linears(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of a layer's linear maps."""
        hidden, queries, keys, wide = self.hidden, self.queries, self.keys, self.intermediate
        attention = ((hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden))
        return (*attention, *[(hidden, wide)] * (2 if self.gated else 1), (wide, hidden))

    @property
    def layer(self) -> int:
        """Weights of one layer's matrices."""
        return sum(inputs * outputs for inputs, outputs in self.linears)

    @property
    def body(self) -> int:
        """Weights of all layers' matrices."""
        return self.layers * self.layer

    @property
    def head(self) -> int:
        """Weights of the head, and of the embedding."""
        return self.hidden * self.vocabulary

    @property
    def parameters(self) -> int:
        """All weights."""
        return self.body + self.head * (1 if self.tied else 2)


@dataclass(frozen=True, slots=True)
class Tower:
    """A CLIP vision tower, as far as a family uses it."""

    hidden: int
    intermediate: int
    layers: int
    patches: int
    """Tokens of an image in the language model: the patches without CLIP's class token."""
    patch: int
    """Side of a patch in pixels."""
    used: int
    """Layers that have to run for the last of the hidden states that are read: 23 of 24 for `hidden_states[-2]`."""
    read: int = 1
    """Hidden states that the projector reads."""

    @classmethod
    def of(cls, config: Mapping[str, Json], layers: Sequence[int]) -> "Tower | None":
        """What a tower's config.json says; `layers` are the hidden states read, from the end where negative.

        None where a size is lacking or there is no such layer.
        """
        names = ("hidden_size", "intermediate_size", "num_hidden_layers", "image_size", "patch_size")
        sizes = [_size(config, name) for name in names]
        if 0 in sizes:
            return None
        hidden, intermediate, depth, side, patch = sizes
        if not all(-depth - 1 <= layer <= depth for layer in layers):
            return None
        used = max(layer if layer >= 0 else depth + 1 + layer for layer in layers)
        return cls(hidden, intermediate, depth, (side // patch) ** 2, patch, used, len(layers))

    @property
    def channels(self) -> int:
        """Width of the projector's input."""
        return self.hidden * self.read

    @property
    def parameters(self) -> int:
        """All weights, of the unused layers too."""
        embedding = 3 * self.patch**2 * self.hidden + (self.patches + 1) * self.hidden
        return self.layers * self._layer + embedding

    @property
    def forward_flops(self) -> float:
        """Of one image: 2 per multiplication and addition, over all patches and the class token.

        Attention looks both ways, so its two products cost 4 s^2 d per layer. 366e9 for LLaVA-1.5's tower.
        """
        tokens = self.patches + 1
        attention = 4 * tokens**2 * self.hidden
        embedding = 2 * 3 * self.patch**2 * self.hidden * self.patches
        return float(self.used * (2 * self._layer * tokens + attention) + embedding)

    @property
    def _layer(self) -> int:
        return 4 * self.hidden**2 + 2 * self.hidden * self.intermediate


def _size(config: Mapping[str, Json], name: str) -> int:
    """A positive whole number of a config; 0 where there is none."""
    value = config.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
