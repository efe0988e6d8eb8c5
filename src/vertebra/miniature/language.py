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

from vertebra.chat import ChatFormat, Conversation, Supervised, Turn, wording
from vertebra.chat.template import IGNORED
from vertebra.miniature import lessons, tokenizers
from vertebra.miniature.heritage import surface
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
    stop: str
    """The token that ends an answer."""


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


ANCESTOR = Kind("llama_3", tokenizers.llama_3, _llama(layers=2, kv=2), "<|eot_id|>")
"""The model that learns to look things up, and whose body all others begin with."""

KINDS: Mapping[str, Kind] = {
    "vicuna-s": Kind("vicuna_v1", tokenizers.sentencepiece, _llama(layers=3, kv=4), "</s>"),
    "vicuna-m": Kind("vicuna_v1", tokenizers.sentencepiece, _llama(layers=4, kv=4), "</s>"),
    "llama-3": Kind("llama_3", tokenizers.llama_3, _llama(layers=3, kv=2), "<|eot_id|>"),
    "phi-3": Kind("phi_3", tokenizers.phi_3, _phi_3, "<|end|>"),
}


def conversation(lesson: Lesson) -> Conversation:
    """A lesson with its scene told in words."""
    turns = []
    for number, exchange in enumerate(lesson.exchanges):
        told = in_words(lesson.scene, lesson.marks) + "\n" if lesson.scene and number == 0 else ""
        turns += [Turn("user", told + exchange.question), Turn("assistant", exchange.answer)]
    return Conversation(tuple(turns))


_LESSONS: Mapping[str, Callable[[random.Random], Lesson]] = {
    "pairs": lambda rng: lessons.pairs(rng, draw_scene(rng, "train")),
    "presence": lambda rng: lessons.presence(rng, draw_scene(rng, "train")),
    "questions": lambda rng: lessons.questions(rng, draw_scene(rng, "train"), rng.randint(6, 12)),
    "options": lambda rng: lessons.options(rng, draw_scene(rng, "train")),
    "matching": lambda rng: lessons.matching(rng, draw_scene(rng, "train")),
    "marks": lambda rng: lessons.pointing(rng, draw_scene(rng, "train", things=(4,)), clues=("mark",)),
    "digits": lambda rng: lessons.pointing(rng, draw_scene(rng, "train", things=(4,)), 2, clues=("digit",)),
    "pointing": lambda rng: lessons.pointing(rng, draw_scene(rng, "train", things=(4,)), more=6),
    "choosing": lambda rng: lessons.choosing(rng, draw_scene(rng, "train")),
    "captioning": lambda rng: lessons.captioning(draw_scene(rng, "train")),
    "reckoning": lessons.reckoning,
}

_SYLLABUS: Sequence[tuple[float, Mapping[str, float]]] = (
    (0.45, {"pairs": 3, "presence": 1, "questions": 1, "options": 1, "marks": 2, "digits": 2}),
    (1.0, {"pairs": 1, "presence": 1, "questions": 1, "options": 1, "matching": 2, "marks": 1.5, "digits": 3.5}),
    (2.0, {"pairs": 1, "presence": 1, "questions": 4, "matching": 1, "digits": 2, "pointing": 3, "choosing": 2,
           "captioning": 1, "reckoning": 1}),
)  # fmt: skip
"""Until when, the weights of the lessons: the ancestor is taught from 0 to 1, its heirs from 1 to 2.

A small model learns to look things up from dense statements in a fraction of the time that it takes from questions, and
then to look up what it looked up.
"""


def curriculum(rng: random.Random, now: Callable[[], float] = lambda: 1.0) -> Iterator[Lesson]:
    """Endless lessons of the kinds that `_SYLLABUS` has `now`."""
    while True:
        weights = next(weights for until, weights in _SYLLABUS if now() < until)
        yield _LESSONS[rng.choices(list(weights), weights=list(weights.values()))[0]](rng)


def corpus(template: str, seed: int, size: int = 3000) -> Iterator[str]:
    """The texts that a tokenizer is trained on: lessons in the model's own chat format, a line for each special token.

    So every word is known as it appears there, behind a blank or at the beginning of a line.
    """
    rng = random.Random(seed)
    for lesson, _ in zip(curriculum(rng), range(size), strict=False):
        yield re.sub(_SPECIAL, "\n", _said(template, conversation(lesson)))
        yield caption(draw_scene(rng, "train"))


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
    return (*sentences, *PHRASES, SHORT_ANSWER.strip(), OPTION_LETTER.strip(), *lettered)


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
    """A language model with an embedding for every word and random weights.

    The embedding of a compound, `redseven` or `A. red`, is the sum of its parts', so that it is like both.
    """
    torch.manual_seed(seed)
    config = kind.config(len(words))
    model = (Phi3ForCausalLM if isinstance(config, Phi3Config) else LlamaForCausalLM)(config)
    names = list(dict.fromkeys([*WORDS, *COLORS, *COLOURS]))
    vectors = {name: torch.randn(config.hidden_size) * config.initializer_range for name in [*names, *wording.LETTERS]}
    name, letter = f"({'|'.join(names)})", f"([{wording.LETTERS}])"
    compound = re.compile(rf"{name}{name}?|{letter}(?:\. (?:The object within (?:the )?)?{name}(?: rectangle)?)?")
    with torch.no_grad():
        for token in range(len(words)):
            if parts := compound.fullmatch(surface(words, token).strip()):
                embedding = torch.stack([vectors[part] for part in parts.groups() if part]).sum(0)
                model.get_input_embeddings().weight[token] = embedding
    return model


def teach(
    model: PreTrainedModel,
    chat: ChatFormat,
    steps: int,
    seed: int,
    report: Callable[[int, str], None],
    begin: float,
    size: int = 16,
) -> None:
    """Trains for `steps` batches, from `begin` in the syllabus to one later; the seed decides the lessons.

    Matrices by Muon (K. Jordan et al., https://kellerjordan.github.io/posts/muon), with which looking things up is
    learned in half the steps that AdamW takes; embeddings and norms by AdamW.
    """
    matrices = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and ".layers." in name]
    others = [weight for weight in model.parameters() if not any(weight is matrix for matrix in matrices)]
    optimizers = (
        torch.optim.Muon(matrices, lr=8e-3, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=2e-3, weight_decay=0.01, betas=(0.9, 0.98)),
    )

    def height(step: int) -> float:
        """Share of the highest rate: an heir's falls towards its end, an ancestor's does not."""
        return min(1, step / 100, (steps - step) / steps * 2 if begin else 1)

    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, height) for optimizer in optimizers]
    now = begin
    source = _batches(chat, random.Random(seed), size, lambda: now)
    losses: list[float] = []
    for step in range(steps):
        now = begin + step / steps
        ids, labels = _padded(next(source))
        supervised = labels[:, 1:] != IGNORED
        wanted = labels[:, 1:][supervised]
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        logits = model.lm_head(states[:, :-1][supervised])
        loss = functional.cross_entropy(logits, wanted)
        model.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        losses.append(loss.item())
        if step % 100 == 99 or step == steps - 1:
            report(step + 1, f"loss {sum(losses) / len(losses):.3f}")
            losses.clear()
    model.eval()


def _supervised(chat: ChatFormat, rng: random.Random, now: Callable[[], float]) -> Iterator[Supervised]:
    """Endless lessons as ids and labels; towards the end one in six is a bare caption, as in the first stage."""
    bare = replace(chat, template=_BARE)
    for lesson in curriculum(rng, now):
        yield chat.supervise(conversation(lesson))
        if now() >= 1 and rng.random() < 0.2:
            scene = draw_scene(rng, "train")
            yield bare.supervise(Conversation((Turn("user", in_words(scene, {})), Turn("assistant", caption(scene)))))


_BARE = (
    "{{- bos_token ~ messages[0]['content'][0]['text'] ~ '\\n' -}}"
    "{%- generation -%}{{- messages[1]['content'][0]['text'] ~ '\\n' -}}{%- endgeneration -%}"
)


def _batches(
    chat: ChatFormat, rng: random.Random, size: int, now: Callable[[], float]
) -> Iterator[Sequence[Supervised]]:
    """Endless batches of alike length, so that little is padded."""
    source = _supervised(chat, rng, now)
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
