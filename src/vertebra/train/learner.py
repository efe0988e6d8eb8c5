"""A model as it is trained: packs in, loss out.

The vision tower runs no layer beyond the last one that is looked at, and nothing is kept of it for a backward pass. The
language model's head is applied to states that predict a supervised token, so many at a time that their logits stay
small. The loss of a batch is the sum over its packs, because every token carries its weight.
"""

from functools import cached_property

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from vertebra.data import Eyes, Pack
from vertebra.model.checkpoint import Network

_LOGITS = 1 << 26
"""Logits in single precision that may lie in memory at a time: 256 MiB."""


class Learner(nn.Module):
    """A network, and what is learnt from a pack."""

    def __init__(self, network: Network, eyes: Eyes, precision: torch.dtype, logits: int = _LOGITS) -> None:
        """`precision` is what is computed in; the weights stay in theirs. `logits` may lie in memory at a time."""
        super().__init__()
        self.network = network
        self._eyes = eyes
        self._precision = precision
        self._rows = max(1, logits // network.lm_head.out_features)
        tower = self.network.model.vision_tower
        layers = self.network.config.vision_feature_layer
        depth = tower.config.num_hidden_layers
        self._looked_at = [layer % (depth + 1) for layer in ([layers] if isinstance(layers, int) else layers)]
        self._tower_layers: nn.ModuleList = tower.encoder.layers
        self._unused = [*self._tower_layers[max(self._looked_at) :]]
        del self._tower_layers[max(self._looked_at) :]

    def forward(self, pack: Pack) -> Tensor:
        """The weighted sum of the cross-entropies of a pack's supervised tokens, a number in single precision."""
        network, language = self.network, self.network.model.language_model
        features = self._features(pack.squares)
        embeds = language.get_input_embeddings()(pack.ids)
        if pack.squares is not None:
            places = (pack.ids == network.config.image_token_id).unsqueeze(-1)
            embeds = embeds.masked_scatter(places, features.to(embeds.dtype))
        apart = {} if pack.segments is None else {"segments": pack.segments}
        states = language(inputs_embeds=embeds, position_ids=pack.positions, use_cache=False, **apart).last_hidden_state
        told = states.flatten(0, 1)[pack.rows]
        # A projector that saw nothing learns nothing, but has a gradient: momentum goes on, and devices stay in step.
        return self._loss(told, pack.targets, pack.weights) + (0 * features.sum() if pack.squares is None else 0)

    @cached_property
    def learnt(self) -> tuple[nn.Parameter, ...]:
        """The weights that learn; to be asked once the model is laid out."""
        return tuple(weight for weight in self.parameters() if weight.requires_grad)

    def restore(self) -> None:
        """Gives the tower the layers back that were not run."""
        self._tower_layers.extend(self._unused)
        self._unused = []

    def _features(self, squares: Tensor | None) -> Tensor:
        """float[pictures, positions, hidden] of the projector; of nothing where there is no picture."""
        projector = self.network.model.multi_modal_projector
        weights = {name: weight.to(self._precision) for name, weight in projector.named_parameters()}
        return functional_call(projector, weights, self._seen(squares).to(self._precision))  # type: ignore[no-any-return]

    @torch.no_grad()
    def _seen(self, squares: Tensor | None) -> Tensor:
        """float[pictures, positions, layers · width]: the tower's states, without that of the whole picture."""
        tower = self.network.model.vision_tower
        if squares is None:
            width = tower.config.hidden_size * len(self._looked_at)
            return torch.zeros(1, 1, width, device=tower.device)
        pixels = self._eyes.normalised(squares).to(tower.dtype)
        states = tower(pixels, output_hidden_states=True).hidden_states
        return torch.cat([states[layer][:, 1:] for layer in self._looked_at], -1)

    def _loss(self, states: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        if len(targets) <= self._rows:
            return self._part(states, targets, weights)
        parts = zip(*(torch.split(part, self._rows) for part in (states, targets, weights)), strict=True)
        return torch.stack([checkpoint(self._part, *part, use_reentrant=False) for part in parts]).sum()

    def _part(self, states: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        logits = self.network.lm_head(states).float()
        return (functional.cross_entropy(logits, targets, reduction="none") * weights).sum()
