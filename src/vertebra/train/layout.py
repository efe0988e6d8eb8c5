"""How a model is laid out on its devices: whole or sharded, packed or padded, what is computed again, what compiled.

Nothing of it moves a result: the same samples have the same gradients, rounding aside.
"""

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from vertebra.costs import Recompute, Rung
from vertebra.model.attention import keeps_apart, pack
from vertebra.runtime import Runtime
from vertebra.spec import Stage
from vertebra.train.distributed import Ranks, shard
from vertebra.train.learner import Learner
from vertebra.train.recompute import recompute

ASKED = "asked for"
"""Why samples are padded that could be packed."""
_GRAIN = 256
_PROBE_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Layout:
    """What is done to a model before it learns."""

    precision: torch.dtype
    """What is computed in."""
    sharded: bool
    """Whether weights lie in parts on all devices; else what learns stands whole on each, in single precision."""
    padded: bool
    """Whether samples are padded though they could be packed."""
    recompute: Recompute
    compiles: bool

    @classmethod
    def of(cls, stage: Stage, runtime: Runtime, rung: Rung | None, ranks: Ranks) -> "Layout":
        """What a stage and a runtime ask for; what they leave open follows from the device."""
        precision, whole = precision_of(stage), stage.trains == "projector+language" and stage.lora is None
        least = rung.recompute if rung else "none"
        return cls(
            precision,
            sharded=whole and (ranks.world > 1 or precision != torch.float32),
            padded=runtime.packing == "padded",
            recompute=least if runtime.recompute == "auto" else runtime.recompute,
            compiles=runtime.compile == "on" or (runtime.compile == "auto" and ranks.device.type == "cuda"),
        )

    @property
    def grain(self) -> int:
        """Packs are filled up to a multiple of so many tokens, for compiled kernels to see few lengths."""
        return _GRAIN if self.compiles else 1

    def lay_out(self, learner: Learner, ranks: Ranks) -> str | None:
        """Makes a model ready to learn; why its samples have to be padded, or None where they are packed."""
        language = learner.network.model.language_model
        layers = language.layers
        if not self.sharded:
            learner.to(ranks.device)
        apart = ASKED if self.padded else keeps_apart(language, _probe(language))
        if apart is None:
            pack(language)
        recompute(layers, self.recompute)
        if self.compiles:
            for layer in layers:
                layer.compile(dynamic=True)
        if self.sharded:
            shard(learner, layers, ranks, self.precision)
        else:
            for weight in learner.parameters():
                if weight.requires_grad:
                    weight.data = weight.data.float()
        learner.train()
        learner.network.model.vision_tower.eval()
        return apart


def precision_of(stage: Stage) -> torch.dtype:
    """What a stage computes in."""
    return torch.float32 if stage.precision is None else torch.bfloat16


def _probe(language: PreTrainedModel) -> torch.Tensor:
    """int[1, T]: any words."""
    weight = language.get_input_embeddings().weight
    picker = torch.Generator().manual_seed(0)
    return torch.randint(weight.shape[0], (1, _PROBE_TOKENS), generator=picker).to(weight.device)
