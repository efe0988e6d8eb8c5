"""Answers by transformers' own `generate`, prompts padded on the left: the reference, and where nothing is shared."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LogitsProcessorList

from vertebra.asking.questions import Batch, Question, by_length, one_by_one, questions_of
from vertebra.predict.chance import Chance
from vertebra.predict.local import Local, Prepared
from vertebra.predict.memory import halving

BATCH = 32


@dataclass(frozen=True, slots=True)
class Padded:
    """Asks so many questions of alike length at a time; one at a time is the reference."""

    local: Local
    size: int = BATCH

    @property
    def ahead(self) -> int:
        """Threads that read pictures."""
        return self.local.threads

    def batches(self, questions: Sequence[Question]) -> list[Batch]:
        """Questions of alike length."""
        return one_by_one(questions) if self.size == 1 else by_length(questions, self.size)

    def prepare(self, batch: Batch) -> Prepared:
        """Reads the pictures."""
        return self.local.prepare(batch)

    def answers(self, prepared: Prepared) -> list[str]:
        """By `generate`, those of one decoding together."""
        return halving(self._answers, prepared)

    def _answers(self, prepared: Prepared) -> list[str]:
        alike: dict[tuple[int, int], list[int]] = defaultdict(list)
        single = one_by_one(questions_of(prepared.batch))
        for place, ((_, (question,)),) in enumerate(single):
            alike[question.decoding.max_new_tokens, question.decoding.beams].append(place)
        found: dict[int, str] = {}
        for (longest, beams), places in alike.items():
            chosen = prepared.of(tuple(single[place][0] for place in places))
            found |= zip(places, self._generated(chosen, longest, beams), strict=True)
        return [found[place] for place in range(len(single))]

    @torch.inference_mode()
    def _generated(self, prepared: Prepared, longest: int, beams: int) -> list[str]:
        local, network = self.local, self.local.model.network
        questions, squares = questions_of(prepared.batch), prepared.squares
        ids, mask = _left_padded(
            [local.prompt(question) for question in questions], network.generation_config.pad_token_id
        )
        seen = {} if squares is None else {"pixel_values": local.pixels(squares)}
        written = network.generate(
            input_ids=ids.to(local.device),
            attention_mask=mask.to(local.device),
            max_new_tokens=longest,
            num_beams=beams,
            do_sample=False,
            logits_processor=LogitsProcessorList([Chance([question.decoding for question in questions])]),
            **seen,
        )
        return [local.text(answer) for answer in written[:, ids.shape[1] :].tolist()]


def _left_padded(prompts: Sequence[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Ids and mask, int[B, T] each, so that all prompts end together."""
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), pad)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    return ids, mask
