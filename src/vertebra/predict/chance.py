"""Answers drawn by chance, the same whatever is asked beside them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vertebra.asking.questions import Decoding


class Chance:
    """Makes the likeliest token one that is drawn: logit + temperature · Gumbel noise is largest for a token as often
    as softmax(logits / temperature) says. Each question has noise of its own, so that its batch does not matter.
    """

    def __init__(self, decodings: Sequence[Decoding]) -> None:
        """One for each question; those at temperature 0 stay greedy."""
        self._temperatures = [decoding.temperature for decoding in decodings]
        self._sources = [torch.Generator().manual_seed(decoding.seed) for decoding in decodings]

    def __call__(self, _: Tensor, scores: Tensor) -> Tensor:
        """`scores`: float[B, vocabulary] of all questions, as generation has them."""
        return self.of(range(len(scores)), scores)

    def of(self, places: Sequence[int], scores: Tensor) -> Tensor:
        """The same for some of the questions; the noise is drawn on the CPU, for any device."""
        if not any(self._temperatures):
            return scores
        return scores + torch.stack([self._noise(place, scores.shape[1]) for place in places]).to(scores)

    def _noise(self, place: int, words: int) -> Tensor:
        waits = torch.empty(words).exponential_(generator=self._sources[place])
        return -waits.clamp_min(torch.finfo(waits.dtype).tiny).log() * self._temperatures[place]
