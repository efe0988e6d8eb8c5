"""The engine: what questions share is read once, and all answers of a batch are written a word at a time.

    Shared(local).answers(batch)    8 questions about each of 7 pictures
      the tower                     7 pictures
      beginnings                    7 × (system prompt, picture)           4,200 tokens, one row
      questions                     56 × what each adds to its beginning   2,240 tokens, one row
      words                         56, 56, 41, 3 tokens, until each answer has ended

Nothing is padded, and a head is applied where a word is said. Answers are those of batch-1 `generate`
(`predict.padded`), greedy or drawn. Where a model cannot share, or a question cannot, `generate` answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, takewhile

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedConfig

from vertebra.asking.questions import Batch, Decoding, Question, by_picture, questions_of
from vertebra.errors import Refused
from vertebra.model.checkpoint import VisionLanguageModel
from vertebra.model.sharing import Sharing, begin_with, read, shares, sharing
from vertebra.predict.chance import Chance
from vertebra.predict.local import Local, Prepared
from vertebra.predict.memory import halving
from vertebra.predict.padded import Padded

_PROBE = 64
"""Tokens on which sharing is proven."""
_TOWER = 16
"""Pictures that the tower sees at a time."""
_GREEDY = ("repetition_penalty", "encoder_repetition_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size",
           "bad_words_ids", "min_length", "min_new_tokens", "suppress_tokens", "begin_suppress_tokens",
           "forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty", "sequence_bias",
           "guidance_scale", "watermarking_config", "stop_strings")  # fmt: skip
"""What a checkpoint's generation_config may ask of greedy answers that only `generate` does."""
_STRETCHED = ("dynamic", "longrope")
"""Rotary embeddings that change for all tokens once a text is longer than the model first learnt."""


def why_not(model: VisionLanguageModel) -> str | None:
    """Why a model's questions cannot share their beginnings; None where it is proven on its weights that they can."""
    network = model.network
    plain = GenerationConfig()
    for option in _GREEDY:
        if (asked := getattr(network.generation_config, option, None)) not in (getattr(plain, option, None), None):
            return f"its generation_config asks for {option} {asked}"
    language = network.model.language_model
    ids = torch.arange(1, _PROBE + 1).remainder(language.config.vocab_size).unsqueeze(0)
    return shares(language, ids.to(network.device))


@dataclass(frozen=True, slots=True)
class Shared:
    """Asks what is about one picture together, reading it once."""

    local: Local
    tokens: int
    """That are read at a time, about."""

    @property
    def ahead(self) -> int:
        """Threads that read pictures."""
        return self.local.threads

    def batches(self, questions: Sequence[Question]) -> list[Batch]:
        """What is about one picture together."""
        return by_picture(questions, self.tokens, self.local.model.image_tokens)

    def prepare(self, batch: Batch) -> Prepared:
        """Reads the pictures."""
        return self.local.prepare(batch)

    def answers(self, prepared: Prepared) -> list[str]:
        """Of all questions in the batch; by `generate` where they are too long to share."""
        try:
            return halving(self._answers, prepared)
        except Refused:
            return Padded(self.local).answers(prepared)

    @torch.inference_mode()
    def _answers(self, prepared: Prepared) -> list[str]:
        local, network = self.local, self.local.model.network
        language = network.model.language_model
        questions = questions_of(prepared.batch)
        prompts = [[local.prompt(question) for question in asked] for _, asked in prepared.batch]
        _check_reach(language.config, prompts, questions)
        begin = [_common(group) for group in prompts]
        rests = [[ids[start:] for ids in group] for group, start in zip(prompts, begin, strict=True)]
        if any(network.config.image_token_id in rest for rest in chain(*rests)):
            raise Refused("something that differs comes before the picture")
        batch = Sharing(
            begin,
            [[*map(len, group)] for group in rests],
            language.config.num_hidden_layers,
            local.device,
        )
        features = self._features(prepared)
        with sharing(language):
            starts = [group[0][:start] for group, start in zip(prompts, begin, strict=True)]
            begin_with(language, batch, self._embeds([*chain(*starts)], features))
            states = read(language, batch, self._embeds([*chain(*chain(*rests))], None), batch.questions())
            ends = torch.tensor([len(rest) for rest in chain(*rests)], device=local.device).cumsum(0) - 1
            written = self._written(batch, states[ends], [question.decoding for question in questions])
        return [local.text(ids) for ids in written]

    def _features(self, prepared: Prepared) -> Tensor | None:
        """float[positions of all pictures, hidden], as the language model takes them."""
        if prepared.squares is None:
            return None
        network = self.local.model.network
        seen = [
            network.model.get_image_features(pixel_values=self.local.pixels(part), return_dict=True).pooler_output
            for part in torch.split(prepared.squares, _TOWER)
        ]
        return torch.cat([picture for part in seen for picture in part])

    def _embeds(self, ids: list[int], features: Tensor | None) -> Tensor:
        """float[1, T, hidden] of tokens and, in the image token's places, pictures."""
        network = self.local.model.network
        row = torch.tensor([ids], device=self.local.device)
        embeds: Tensor = network.model.language_model.get_input_embeddings()(row)
        if features is None:
            return embeds
        places = (row == network.config.image_token_id).unsqueeze(-1)
        return embeds.masked_scatter(places, features.to(embeds.dtype))

    def _written(self, batch: Sharing, states: Tensor, decodings: Sequence[Decoding]) -> list[list[int]]:
        """Tokens of each answer, up to the one that ends it or as many as it may have."""
        network, stops = self.local.model.network, self.local.stops
        chance, written = Chance(decodings), [list[int]() for _ in decodings]
        live = [*range(len(decodings))]
        while True:
            logits = chance.of(live, network.lm_head(states).float())
            words: list[int] = logits.argmax(-1).tolist()
            for question, word in zip(live, words, strict=True):
                written[question].append(word)
            going = [
                place
                for place, (question, word) in enumerate(zip(live, words, strict=True))
                if word not in stops and len(written[question]) < decodings[question].max_new_tokens
            ]
            if not going:
                return written
            if len(going) < len(live):
                batch.keep(going)
                live, words = [live[place] for place in going], [words[place] for place in going]
            states = read(network.model.language_model, batch, self._embeds(words, None), batch.words())


def _common(prompts: Sequence[list[int]]) -> int:
    """Tokens with which all of these begin; one of each is left to be read on its own."""
    shortest = min(map(len, prompts)) - 1
    same = takewhile(lambda tokens: len({*tokens}) == 1, zip(*prompts, strict=False))
    return min(shortest, sum(1 for _ in same))


def _check_reach(config: PreTrainedConfig, prompts: Sequence[Sequence[list[int]]], asked: Sequence[Question]) -> None:
    """`Refused` when what a question's tokens mean depends on how long the others are."""
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") not in _STRETCHED:
        return
    first = rope.get("original_max_position_embeddings") or config.max_position_embeddings
    longest = max(
        len(ids) + question.decoding.max_new_tokens for ids, question in zip(chain(*prompts), asked, strict=True)
    )
    if longest > first:
        raise Refused(f"a question takes {longest} tokens, and beyond {first} rotary embeddings change for all")
