"""What a training step has to compute: floating-point operations of the model, by what is trained.

Vicuna-7B in LLaVA-1.5, in 1e12 per sample (2 per multiplication and addition, padding and recomputation not counted):

    stage                  tokens  layers  attention  head  tower  projector   sum
    projector                 593    15.4        0.3   0.0    0.4        0.1  16.1
    projector+language        886    34.4        0.8   0.1    0.3        0.1  35.7

Forward and backward as in PaLM's appendix B (arXiv:2204.02311), the backward of attention as FlashAttention-2 has it
(arXiv:2307.08691): 2.5 times its forward, since it computes the scores again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vertebra.costs.architecture import Architecture, Tower
from vertebra.spec import Lora

Trains = Literal["projector", "projector+language"]


@dataclass(frozen=True, slots=True)
class Samples:
    """What the cost of some samples follows from, summed over them."""

    tokens: float
    """Lengths, images expanded."""
    squares: float
    """Lengths, squared."""
    supervised: float
    """Tokens that the loss is taken on."""
    images: float

    @classmethod
    def of(cls, lengths: Sequence[int], supervised: int, images: int) -> "Samples":
        """Of samples of these lengths in tokens, images expanded."""
        return cls(sum(lengths), sum(length * length for length in lengths), supervised, images)

    def times(self, number: float) -> "Samples":
        """So many times as many of them."""
        return Samples(self.tokens * number, self.squares * number, self.supervised * number, self.images * number)


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained of which model, and on how many devices.

    - `projector`: all else is frozen and lies whole on every device in bfloat16
    - `projector+language`: weights, gradients and moments in float32 are sharded over the devices (FSDP2), layers are
      gathered in bfloat16 as they compute
    - with `lora`: the language model lies frozen on every device, in bfloat16 or 4 bits; adapters and projector learn
    """

    language: Architecture
    tower: Tower
    trains: Trains
    lora: Lora | None = None
    devices: int = 1

    @property
    def whole(self) -> bool:
        """Whether the language model's own weights are trained."""
        return self.trains == "projector+language" and self.lora is None

    @property
    def projector(self) -> int:
        """Weights of the projector: to the language model's width, then once more."""
        return (self.tower.channels + self.language.hidden) * self.language.hidden

    @property
    def adapters(self) -> int:
        """Weights of the adapters: rank times inputs and outputs of every linear map of every layer."""
        widths = sum(inputs + outputs for inputs, outputs in self.language.linears)
        return self.lora.rank * widths * self.language.layers if self.lora else 0

    def flops(self, samples: Samples) -> float:
        """Forward and backward: what the model needs, whatever is computed on top of it.

        - a matrix costs 2 per weight and token forward; backward the same for its input's gradient and, where it
          is trained, the same again for its own; adapters are matrices beside the frozen ones
        - the head sees supervised tokens alone; the tower's forward has no backward
        - the projector's first matrix has no input whose gradient is asked for
        """
        passes = 3 if self.whole else 2
        matrices = self.language.body * samples.tokens + self.language.head * samples.supervised
        first, second = self.tower.channels * self.language.hidden, self.language.hidden**2
        projecting = 2 * (2 * first + 3 * second) * self.tower.patches
        return (
            2 * passes * matrices
            + 2 * 3 * self.adapters * samples.tokens
            + 3.5 * self._attending(samples)
            + (self.tower.forward_flops + projecting) * samples.images
        )

    def forward_flops(self, samples: Samples) -> float:
        """One forward through the language model's layers, which full recomputation does again."""
        return 2 * (self.language.body + self.adapters) * samples.tokens + self._attending(samples)

    def _attending(self, samples: Samples) -> float:
        """Causal attention's forward: half of two products of 2 s^2 d per layer."""
        return 2 * samples.squares * self.language.queries * self.language.layers
