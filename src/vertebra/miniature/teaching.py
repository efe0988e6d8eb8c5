"""How the tiny language models learn: every layer is told what to find out, and one head where to look.

What color is the seven? is answered in two steps: the place that answers fetches `seven`, then looks it up. Which
lettered option it is takes a third. Left to itself a small model learns the first step in hundreds of batches and the
third in many thousands. So the first layers are taught the words that lead to the answer, read off by the model's own
head (as deep supervision does: C.-Y. Lee et al., arXiv:1409.5185), and in the third layer a head is taught to look at
the option that is right (L. Liu et al., arXiv:1609.04186). Both are aids of teaching; the models are plain ones.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from vertebra.chat import ChatFormat, Conversation, Turn, wording
from vertebra.chat.template import IGNORED
from vertebra.miniature import lessons
from vertebra.miniature.language import BARE, COMPOUND, PARTS, TERSE, conversation
from vertebra.miniature.lessons import Lesson
from vertebra.miniature.scenes import Scene, draw_scene
from vertebra.miniature.talk import caption, in_words
from vertebra.miniature.tokenizers import surface

_STAGES = 3
"""The first layer's words, the second's, and the answer itself in all others."""


class Sample(NamedTuple):
    """Token ids, per layer what each place must tell (-100 for nothing), and pairs of a place and where it looks."""

    ids: list[int]
    labels: tuple[list[int], ...]
    looks: list[tuple[int, int]]


def _scene(rng: random.Random) -> Scene:
    return draw_scene(rng, "train")


def _four(rng: random.Random) -> Scene:
    return draw_scene(rng, "train", things=(4,))


_LESSONS: Mapping[str, Callable[[random.Random], Lesson]] = {
    "questions": lambda rng: lessons.questions(rng, _scene(rng), 12),
    "marked": lambda rng: lessons.marked(rng, _four(rng), 12),
    "pointing": lambda rng: lessons.pointing(rng, _four(rng), 5),
    "choosing": lambda rng: lessons.choosing(rng, _scene(rng), 5),
    "reckoning": lambda rng: lessons.reckoning(rng, 5),
    "captioning": lambda rng: lessons.captioning(_scene(rng)),
}

_SYLLABUS: Sequence[tuple[float, Mapping[tuple[str, str], float]]] = (
    (0.6, {("terse", "questions"): 3, ("terse", "marked"): 1, ("terse", "pointing"): 2, ("terse", "choosing"): 2,
           ("chat", "questions"): 1, ("chat", "pointing"): 0.5, ("chat", "choosing"): 0.5, ("bare", "captioning"): 1}),
    (1.0, {("terse", "questions"): 1, ("terse", "pointing"): 0.5, ("terse", "choosing"): 0.5, ("chat", "questions"): 3,
           ("chat", "marked"): 0.5, ("chat", "pointing"): 1.5, ("chat", "choosing"): 1, ("chat", "reckoning"): 0.5,
           ("chat", "captioning"): 0.5, ("bare", "captioning"): 2}),
)  # fmt: skip
"""Until which share of the steps, the weights of the lessons: first mostly terse ones, then as they will be asked."""


@dataclass(frozen=True)
class Teacher:
    """Turns lessons into what a model with this chat format is to learn."""

    chat: ChatFormat
    words: PreTrainedTokenizerFast

    def lessons(self, rng: random.Random, now: Callable[[], float]) -> Iterator[Sample]:
        """Endless lessons of the kinds that the syllabus has `now`, which runs from 0 to 1."""
        while True:
            weights = next(weights for until, weights in _SYLLABUS if now() < until)
            manner, kind = rng.choices(list(weights), weights=list(weights.values()))[0]
            yield self.sample(_LESSONS[kind](rng), manner)

    def sample(self, lesson: Lesson, manner: str = "chat") -> Sample:
        """A lesson as the chat format has it, tersely, or bare."""
        chat = self._formats[manner]
        ids, labels = chat.supervise(_told(lesson, manner))
        starts = [place for place, label in enumerate(labels) if label != IGNORED and labels[place - 1] == IGNORED]
        layers = tuple(list(labels) for _ in range(_STAGES))
        for start, exchange in zip(starts, lesson.exchanges, strict=True):
            for layer, word in zip(layers, exchange.via, strict=False):
                layer[start] = self._parts[word]
        return Sample(ids, layers, self._looks(ids, labels))

    def _looks(self, ids: Sequence[int], labels: Sequence[int]) -> list[tuple[int, int]]:
        """From each place that answers with a letter to the last option that has it."""
        places: dict[str, int] = {}
        found = []
        for place, (token, label) in enumerate(zip(ids, labels, strict=True)):
            if token in self._options:
                places[self._options[token]] = place
            if label in self._letters and self._letters[label] in places:
                found.append((place - 1, places[self._letters[label]]))
        return found

    @cached_property
    def _formats(self) -> Mapping[str, ChatFormat]:
        return {
            "chat": self.chat,
            "terse": replace(self.chat, template=TERSE),
            "bare": replace(self.chat, template=BARE),
        }

    @cached_property
    def _letters(self) -> Mapping[int, str]:
        return {token: text.strip() for token, text in self._surfaces if text.strip() in tuple(wording.LETTERS)}

    @cached_property
    def _options(self) -> Mapping[int, str]:
        return {token: text[0] for token, text in self._surfaces if text[:1] in wording.LETTERS and text[1:3] == ". "}

    @cached_property
    def _parts(self) -> Mapping[str, int]:
        """The words and letters that compounds are made of, each with its token behind a blank."""
        return {text.strip(): token for token, text in self._surfaces if text.strip() in PARTS and text.startswith(" ")}

    def compounds(self) -> Tensor:
        """int[2, V]: the tokens that each token is the sum of; most are themselves and the second one, V, is nothing.

        `redseven` and `A. red` are the sums of their parts, so that they are like both; `red` at the beginning of a
        line is what it is behind a blank.
        """
        table = torch.stack([torch.arange(len(self.words)), torch.full((len(self.words),), len(self.words))])
        for token, text in self._surfaces:
            if parts := COMPOUND.fullmatch(text.strip()):
                for row, part in enumerate(filter(None, parts.groups())):
                    table[row, token] = self._parts[part]
        return table

    @cached_property
    def _surfaces(self) -> list[tuple[int, str]]:
        return [(token, surface(self.words, token)) for token in range(len(self.words))]


def _told(lesson: Lesson, manner: str) -> Conversation:
    if manner == "bare" and lesson.scene:
        turns = Turn("user", in_words(lesson.scene, lesson.marks)), Turn("assistant", caption(lesson.scene))
        return Conversation(turns)
    return conversation(lesson, terse=manner == "terse")


def teach(
    model: PreTrainedModel,
    teacher: Teacher,
    steps: int,
    seed: int,
    report: Callable[[int, str], None],
    size: int = 16,
) -> None:
    """Trains for `steps` batches; the seed decides the lessons.

    Matrices by Muon (K. Jordan et al., https://kellerjordan.github.io/posts/muon), with which looking things up is
    learned in half the steps that AdamW takes; embeddings, which are also the head meanwhile, by AdamW.
    """
    model.set_attn_implementation("eager")  # the only one that shows where it looks
    model.lm_head.weight = model.get_input_embeddings().weight
    matrices = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and ".layers." in name]
    optimizers: tuple[torch.optim.Optimizer, ...] = (
        torch.optim.Muon(matrices, lr=8e-3, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([model.lm_head.weight], lr=2e-3, weight_decay=0.01, betas=(0.9, 0.98)),
    )
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, step / 100, (1 - step / steps) / 0.4))
        for optimizer in optimizers
    ]
    table, compounds, now = model.lm_head.weight, teacher.compounds(), 0.0
    source = _batches(teacher.lessons(random.Random(seed), lambda: now), random.Random(seed), size)
    losses: list[float] = []
    for step in range(steps):
        now = step / steps
        loss, told = _loss(model, _composed(table, compounds), next(source))
        for optimizer in optimizers:
            optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_([*matrices, model.lm_head.weight], 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        losses.append(told)
        if step % 100 == 99 or step == steps - 1:
            report(step + 1, f"loss {sum(losses) / len(losses):.3f}")
            losses.clear()
    model.get_input_embeddings().weight = nn.Parameter(_composed(table.detach(), compounds))
    model.set_attn_implementation("sdpa")
    model.eval()


def _composed(table: Tensor, compounds: Tensor) -> Tensor:
    """The embedding of each token, float[V, D], from the table of those that are no compounds."""
    return functional.pad(table, (0, 0, 0, 1))[compounds].sum(0)


def _loss(model: PreTrainedModel, embeddings: Tensor, samples: Sequence[Sample]) -> tuple[Tensor, float]:
    """What is minimised, and of it the loss of the answers themselves."""
    ids = _padded([sample.ids for sample in samples], 0)
    stages = [_padded([sample.labels[stage] for sample in samples], IGNORED)[:, 1:] for stage in range(_STAGES)]
    supervised = stages[0] != IGNORED
    seen = model.base_model(
        inputs_embeds=functional.embedding(ids, embeddings),
        use_cache=False,
        output_hidden_states=True,
        output_attentions=True,
    )
    *early, last = [states[:, :-1][supervised] for states in seen.hidden_states[1:]]  # the last one is normed already
    told = functional.cross_entropy(model.lm_head(last), stages[-1][supervised])
    loss = told
    for states, labels in zip(early, stages + stages[-1:] * len(early), strict=False):
        guess = model.lm_head(model.base_model.norm(states))
        loss = loss + 0.5 * functional.cross_entropy(guess, labels[supervised])
    looks = [(row, *look) for row, sample in enumerate(samples) for look in sample.looks]
    if looks:
        rows, places, options = zip(*looks, strict=True)
        attention = seen.attentions[_STAGES - 1][rows, 0, places, options]  # of its first head
        loss = loss - 0.2 * torch.log(attention + 1e-6).mean()
    return loss, told.item()


def _batches(source: Iterator[Sample], rng: random.Random, size: int) -> Iterator[Sequence[Sample]]:
    """Endless batches of alike length, so that little is padded."""
    while True:
        pool = sorted((next(source) for _ in range(16 * size)), key=lambda sample: len(sample.ids))
        batches = [pool[start : start + size] for start in range(0, len(pool), size)]
        rng.shuffle(batches)
        yield from batches


def _padded(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    """int[B, T]; what is right of a row's end is never looked at from inside it."""
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=filler)
