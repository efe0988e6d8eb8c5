"""The tiny language models: real architectures and chat formats, taught on the miniature's text alone.

They read scenes told in words and answer questions about them, so that they bring to a study what a language model
brings: a vocabulary, its chat format, looking things up, comparing, naming a choice's letter. They never see a pixel.

    USER:  empty redseven empty ...⏎What color is the seven?⏎Answer ... ASSISTANT: red</s>
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from vertebra.chat import ChatFormat, Conversation, Turn, wording
from vertebra.miniature import lessons, tokenizers
from vertebra.miniature.lessons import Lesson
from vertebra.miniature.scenes import COLORS, WORDS, draw_scene
from vertebra.miniature.talk import PHRASES, caption, in_words
from vertebra.scoring.benchmark import OPTION_LETTER, SHORT_ANSWER
from vertebra.visual.marks import COLOURS

VOCABULARY = 1000


@dataclass(frozen=True, slots=True)
class Kind:
    """A tiny language model: how it is built and spoken to."""

    template: str
    tokenizer: Callable[[Iterator[str], Sequence[str], int], PreTrainedTokenizerFast]
    config: Callable[[int], LlamaConfig | Phi3Config]


def _llama(layers: int, kv: int) -> Callable[[int], LlamaConfig]:
    return lambda rows: LlamaConfig(
        vocab_size=rows, hidden_size=128, intermediate_size=256, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=kv, max_position_embeddings=512, rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )  # fmt: skip


def _phi_3(rows: int) -> Phi3Config:
    return Phi3Config(
        vocab_size=rows, hidden_size=128, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=512, original_max_position_embeddings=512, rms_norm_eps=1e-5,
        sliding_window=511, pad_token_id=None, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )  # fmt: skip


KINDS: Mapping[str, Kind] = {
    "vicuna-s": Kind("vicuna_v1", tokenizers.sentencepiece, _llama(layers=3, kv=4)),
    "vicuna-m": Kind("vicuna_v1", tokenizers.sentencepiece, _llama(layers=4, kv=4)),
    "llama-3": Kind("llama_3", tokenizers.llama_3, _llama(layers=3, kv=2)),
    "phi-3": Kind("phi_3", tokenizers.phi_3, _phi_3),
}


def conversation(lesson: Lesson, terse: bool = False) -> Conversation:
    """A lesson with its scene told in words; a terse one asks without question marks."""
    turns = []
    for number, exchange in enumerate(lesson.exchanges):
        told = in_words(lesson.scene, lesson.marks) + "\n" if lesson.scene and number == 0 else ""
        question = exchange.question.rstrip("?") if terse else exchange.question
        turns += [Turn("user", told + question), Turn("assistant", exchange.answer)]
    return Conversation(tuple(turns))


TERSE = (
    "{{- bos_token -}}{%- for message in messages -%}{%- if message.role == 'user' -%}"
    "{{- message.content[0].text -}}{%- else -%}"
    "{%- generation -%}{{- ' ' ~ message.content[0].text -}}{%- endgeneration -%}{{- '\\n' -}}"
    "{%- endif -%}{%- endfor -%}"
)
"""Questions and answers with no chat around them: `What color is the seven red⏎Which digit is blue two⏎`.

So that nearly every other token is something to be learned.
"""

BARE = (
    "{{- bos_token ~ messages[0].content[0].text -}}"
    "{%- generation -%}{{- messages[1].content[0].text ~ '\\n' -}}{%- endgeneration -%}"
)
"""A caption behind its scene, as in LLaVA's first stage."""


def corpus(template: str, seed: int, size: int = 3000) -> Iterator[str]:
    """The texts that a tokenizer is trained on: lessons in the model's own chat format, a line for each special token.

    So every word is known as it appears there, behind a blank or at the beginning of a line.
    """
    rng = random.Random(seed)
    for _ in range(size):
        scene, four = draw_scene(rng, "train"), draw_scene(rng, "train", things=(4,))
        for lesson in (lessons.questions(rng, scene), lessons.marked(rng, four), lessons.reckoning(rng)):
            yield re.sub(_SPECIAL, "\n", _said(template, conversation(lesson)))
            yield re.sub(_SPECIAL, "\n", _said(TERSE, conversation(lesson, terse=True)))
        yield caption(scene)


def phrases(template: str) -> tuple[str, ...]:
    """What is always said the same way in a chat format's prompts: its own sentences, parts of questions, options."""
    said = _said(template, Conversation((Turn("user", ""), Turn("assistant", ""))))
    sentences = re.findall(r"[A-Z][^<>\n]*\.", said)
    options = [
        *WORDS,
        *COLORS,
        *map(wording.option, COLOURS),
        *(wording.option(mark, article=False) for mark in COLOURS),
    ]
    lettered = [f"{letter}. {option}" for letter in wording.LETTERS for option in options]
    regions = [blank + wording.phrase("rectangle", mark) for mark in COLOURS for blank in (" ", "")]
    return (*sentences, *PHRASES, *regions, SHORT_ANSWER.strip(), OPTION_LETTER.strip(), *lettered)


_SPECIAL = r"<[^<>]*>"


def _said(template: str, conversation: Conversation) -> str:
    return ChatFormat(template, _Mute(), "\0").render(conversation)


class _Mute:
    """Stands in where a format is rendered before there is a tokenizer."""

    bos_token: str | None = "<s>"
    eos_token: str | None = "</s>"

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        raise AssertionError(text, add_special_tokens)

    def convert_tokens_to_ids(self, tokens: str) -> int:
        raise AssertionError(tokens)


def newborn(kind: Kind, words: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """A language model with an embedding for every word and random weights."""
    torch.manual_seed(seed)
    config = kind.config(len(words))
    return (Phi3ForCausalLM if isinstance(config, Phi3Config) else LlamaForCausalLM)(config)


def _compounds() -> Iterator[tuple[str, tuple[str, ...]]]:
    for digit in WORDS:
        yield from ((color + digit, (color, digit)) for color in COLORS)
        yield from ((digit + mark, (digit, wording.phrase("rectangle", mark))) for mark in COLOURS)
    for letter in wording.LETTERS:
        yield from ((f"{letter}. {name}", (letter, name)) for name in (*WORDS, *COLORS))
        for mark in COLOURS:
            for said in (wording.option(mark), wording.option(mark, article=False)):
                yield f"{letter}. {said}", (letter, wording.phrase("rectangle", mark))


COMPOUNDS: Mapping[str, tuple[str, ...]] = dict(_compounds())
"""What stands for two things at once, and for which: `redseven` for `red` and `seven`, `sevenlime` for `seven` and
`within the lime rectangle`, `A. red` for `A` and `red`."""

PARTS = tuple(dict.fromkeys(part for parts in COMPOUNDS.values() for part in parts))
"""What compounds are made of. A mark is told from the color of its name: a red rectangle is not a red thing."""
