"""The tiny language models: real architectures and chat formats, taught on the miniature's text alone.

They read scenes told in words and answer questions about them, so that they bring to a study what a language model
brings: a vocabulary, its chat format, looking things up, comparing, naming a choice's letter. They never see a pixel.

    USER: empty redseven empty empty⏎empty ...⏎What color is the seven?⏎Answer ... ASSISTANT: red</s>
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from vertebra.chat import ChatFormat, Conversation, Supervised, Turn
from vertebra.chat.template import IGNORED
from vertebra.miniature import lessons, tokenizers
from vertebra.miniature.lessons import Lesson
from vertebra.miniature.scenes import draw_scene
from vertebra.miniature.talk import caption, in_words

VOCABULARY = 1000


@dataclass(frozen=True, slots=True)
class Kind:
    """A tiny language model: how it is built and spoken to."""

    template: str
    tokenizer: Callable[[Iterator[str], int], PreTrainedTokenizerFast]
    config: Callable[[int], LlamaConfig | Phi3Config]
    stop: str
    """The token that ends an answer."""
    rate: float = 8e-4
    """Highest learning rate."""
    ancestor: str | None = None
    """The kind whose body it begins with."""


def _llama(hidden: int, layers: int, heads: int, kv: int) -> Callable[[int], LlamaConfig]:
    return lambda rows: LlamaConfig(
        vocab_size=rows, hidden_size=hidden, intermediate_size=hidden * 3, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv, max_position_embeddings=512, rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )  # fmt: skip


def _phi_3(rows: int) -> Phi3Config:
    return Phi3Config(
        vocab_size=rows, hidden_size=128, intermediate_size=384, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=512, original_max_position_embeddings=512, rms_norm_eps=1e-5,
        sliding_window=511, pad_token_id=None, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )  # fmt: skip


KINDS: Mapping[str, Kind] = {
    "llama-3": Kind("llama_3", tokenizers.llama_3, _llama(128, 2, 4, 2), "<|eot_id|>"),
    "vicuna-s": Kind("vicuna_v1", tokenizers.sentencepiece, _llama(96, 2, 4, 4), "</s>", rate=1e-3),
    "vicuna-m": Kind("vicuna_v1", tokenizers.sentencepiece, _llama(128, 2, 4, 4), "</s>", ancestor="llama-3"),
    "phi-3": Kind("phi_3", tokenizers.phi_3, _phi_3, "<|end|>", ancestor="llama-3"),
}


def conversation(lesson: Lesson) -> Conversation:
    """A lesson with its scene told in words."""
    turns = []
    for number, exchange in enumerate(lesson.exchanges):
        told = in_words(lesson.scene, lesson.marks) + "\n" if lesson.scene and number == 0 else ""
        turns += [Turn("user", told + exchange.question), Turn("assistant", exchange.answer)]
    return Conversation(tuple(turns))


def curriculum(rng: random.Random, done: Callable[[], float] = lambda: 1.0) -> Iterator[Lesson]:
    """Endless lessons of the kinds that `_SYLLABUS` has for the share of the teaching that is `done`, 0 to 1."""
    kinds: list[Callable[[], Lesson]] = [
        lambda: lessons.pairs(rng, draw_scene(rng, "train")),
        lambda: lessons.presence(rng, draw_scene(rng, "train")),
        lambda: lessons.pointing(rng, draw_scene(rng, "train", things=(4,)), more=4, statements=10),
        lambda: lessons.questions(rng, draw_scene(rng, "train"), rng.randint(6, 12)),
        lambda: lessons.pointing(rng, draw_scene(rng, "train", things=(4,)), more=rng.randint(2, 6)),
        lambda: lessons.choosing(rng, draw_scene(rng, "train")),
        lambda: lessons.captioning(draw_scene(rng, "train")),
        lambda: lessons.reckoning(rng),
    ]
    while True:
        weights = next(weights for until, weights in _SYLLABUS if done() <= until)
        yield rng.choices(kinds, weights=weights)[0]()


_SYLLABUS = (
    (0.3, (1, 0, 0, 0, 0, 0, 0, 0)),
    (0.7, (1, 2, 3, 0, 0, 0, 0, 0)),
    (1.0, (1, 2, 4, 6, 3, 2, 1, 1)),
)
"""Until which share of the teaching, the weights of the kinds: a small model learns to look things up from statements
alone in a fraction of the time that it takes from everything at once."""


def corpus(template: str, seed: int, size: int = 3000) -> Iterator[str]:
    """The words that a tokenizer is trained on, its format's fixed sentences often, so that they become few tokens."""
    rng = random.Random(seed)
    source = curriculum(rng)
    said = ChatFormat(template, _Mute(), "\0").render(Conversation((Turn("user", ""), Turn("assistant", ""))))
    sentences = re.sub(r"<[^<>]*>", "", said)
    for _ in range(size):
        yield sentences
        for turn in conversation(next(source)).turns:
            yield turn.text
        yield caption(draw_scene(rng, "train"))


class _Mute:
    """Stands in where a format is rendered before there is a tokenizer."""

    bos_token: str | None = None
    eos_token: str | None = None

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        raise AssertionError(text, add_special_tokens)

    def convert_tokens_to_ids(self, tokens: str) -> int:
        raise AssertionError(tokens)


def newborn(kind: Kind, rows: int, seed: int) -> PreTrainedModel:
    """A language model with `rows` embeddings and random weights."""
    torch.manual_seed(seed)
    config = kind.config(rows)
    return (Phi3ForCausalLM if isinstance(config, Phi3Config) else LlamaForCausalLM)(config)


def teach(
    model: PreTrainedModel,
    chat: ChatFormat,
    rate: float,
    steps: int,
    seed: int,
    report: Callable[[int, str], None],
    begin: float = 0.0,
    size: int = 16,
) -> None:
    """Trains for `steps` batches, from the share `begin` of the syllabus on; the seed decides the lessons."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, step / 100, (steps - step) / steps / 0.3)
    )
    done = begin
    source = _batches(chat, random.Random(seed), size, lambda: done)
    losses: list[float] = []
    for step in range(steps):
        done = begin + (1 - begin) * step / steps
        ids, labels = _padded(next(source))
        supervised = labels[:, 1:] != IGNORED
        wanted = labels[:, 1:][supervised]
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        logits = model.lm_head(states[:, :-1][supervised])
        loss = functional.cross_entropy(logits, wanted)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 100 == 99 or step == steps - 1:
            report(step + 1, f"loss {sum(losses) / len(losses):.3f}")
            losses.clear()
    model.eval()


def _supervised(chat: ChatFormat, rng: random.Random, done: Callable[[], float]) -> Iterator[Supervised]:
    """Endless lessons as ids and labels; one in six is a bare caption after its scene, as in the first stage."""
    bare = replace(chat, template=_BARE)
    for lesson in curriculum(rng, done):
        yield chat.supervise(conversation(lesson))
        if rng.random() < 0.2:
            scene = draw_scene(rng, "train")
            yield bare.supervise(Conversation((Turn("user", in_words(scene, {})), Turn("assistant", caption(scene)))))


_BARE = (
    "{{- bos_token ~ messages[0]['content'][0]['text'] ~ '\\n' -}}"
    "{%- generation -%}{{- messages[1]['content'][0]['text'] ~ '\\n' -}}{%- endgeneration -%}"
)


def _batches(
    chat: ChatFormat, rng: random.Random, size: int, done: Callable[[], float]
) -> Iterator[Sequence[Supervised]]:
    """Endless batches of alike length, so that little is padded."""
    source = _supervised(chat, rng, done)
    while True:
        pool = sorted((next(source) for _ in range(16 * size)), key=lambda sample: len(sample.ids))
        batches = [pool[start : start + size] for start in range(0, len(pool), size)]
        rng.shuffle(batches)
        yield from batches


def _padded(samples: Sequence[Supervised]) -> tuple[Tensor, Tensor]:
    """Ids and labels, int[B, T] each; what is right of a sample's end is never looked at from inside it."""
    longest = max(len(sample.ids) for sample in samples)
    ids = torch.zeros(len(samples), longest, dtype=torch.long)
    labels = torch.full_like(ids, IGNORED)
    for row, sample in enumerate(samples):
        ids[row, : len(sample.ids)] = torch.tensor(sample.ids)
        labels[row, : len(sample.labels)] = torch.tensor(sample.labels)
    return ids, labels
