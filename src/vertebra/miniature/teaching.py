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
from vertebra.miniature.language import BARE, COMPOUNDS, PARTS, TERSE, conversation
from vertebra.miniature.lessons import Lesson
from vertebra.miniature.scenes import WORDS, Scene, draw_scene
from vertebra.miniature.talk import caption, in_words
from vertebra.miniature.tokenizers import surface
from vertebra.visual.marks import COLOURS

_STAGES = 3
"""The first layer's words, the second's, and the answer itself in all others."""

_BLUR = 1.0
"""Noise on what is read, as a share of its spread: what eyes tell is never as sharp as words."""


class Sample(NamedTuple):
    """Token ids, per layer what each place must tell (-100 for nothing), and pairs of a place and where it looks.

    `besides` pairs a place with a token that it stands for as well: the color of a marked thing.
    """

    ids: list[int]
    labels: tuple[list[int], ...]
    looks: list[tuple[int, int]]
    besides: list[tuple[int, int]]


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
    (0.6, {("terse", "questions"): 3, ("terse", "marked"): 2, ("terse", "pointing"): 2, ("terse", "choosing"): 2,
           ("chat", "questions"): 1, ("chat", "pointing"): 0.5, ("chat", "choosing"): 0.5, ("bare", "captioning"): 1}),
    (1.0, {("terse", "questions"): 1, ("terse", "pointing"): 0.5, ("terse", "choosing"): 0.5, ("chat", "questions"): 3,
           ("chat", "marked"): 1, ("chat", "pointing"): 1.5, ("chat", "choosing"): 1, ("chat", "reckoning"): 0.5,
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
        for place, token in enumerate(ids):
            if token in self._options:  # the first layer keeps an option's letter: left alone, letters become alike
                layers[0][place + 1] = self._parts[self._options[token]]
        return Sample(ids, layers, self._looks(ids, labels), self._besides(ids, lesson))

    def _besides(self, ids: Sequence[int], lesson: Lesson) -> list[tuple[int, int]]:
        """The colors of marked things, whose words do not tell them; in a picture all three are seen."""
        if not lesson.scene:
            return []
        colors = [self._parts[lesson.scene.things[index].color] for index in sorted(lesson.marks)]
        places = [place for place, token in enumerate(ids) if token in self._marked]
        return list(zip(places, colors, strict=True))

    @cached_property
    def _marked(self) -> frozenset[int]:
        told = {digit + mark for digit in WORDS for mark in COLOURS}
        return frozenset(token for token, text in self._surfaces if text.strip() in told)

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

    def sums(self) -> tuple[Tensor, Tensor]:
        """For embeddings and for the head, int[2, V]: which two rows of the table each token's row is the sum of.

        `redseven` and `A. red` are embedded as the sums of their parts, so that they are like both. `red` at the
        beginning of a line is ` red` and row V + 1, in the head too. All others are themselves and row V, nothing.
        """
        size = len(self.words)
        told = torch.stack([torch.arange(size), torch.full((size,), size)])
        # Of two tokens that look alike the first is a byte's own, which is never said.
        for text, token in {text: token for token, text in self._surfaces if text in self._parts}.items():
            told[:, token] = torch.tensor([self._parts[text], size + 1])
        read = told.clone()
        for token, text in self._surfaces:
            if parts := COMPOUNDS.get(text.strip()):
                read[:, token] = torch.tensor([self._parts[part] for part in parts])
        return read, told

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
    """Trains for `steps` batches; the seed decides the lessons and the noise.

    Matrices by Muon (K. Jordan et al., https://kellerjordan.github.io/posts/muon), with which looking things up is
    learned in half the steps that AdamW takes; embeddings, which are also the head meanwhile, by AdamW.
    """
    model.set_attn_implementation("eager")  # the only one that shows where it looks
    table = nn.Parameter(functional.pad(model.lm_head.weight.detach(), (0, 0, 0, 2)))
    matrices = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and ".layers." in name]
    optimizers: tuple[torch.optim.Optimizer, ...] = (
        torch.optim.Muon(matrices, lr=8e-3, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([table], lr=2e-3, weight_decay=0.01, betas=(0.9, 0.98)),
    )
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, step / 100, (1 - step / steps) / 0.4))
        for optimizer in optimizers
    ]
    read, told = teacher.sums()
    noise = torch.Generator().manual_seed(seed)
    now = 0.0
    source = _batches(teacher.lessons(random.Random(seed), lambda: now), random.Random(seed), size)
    losses: list[float] = []
    for step in range(steps):
        now = step / steps
        loss, answers = _loss(model, _summed(table, read), _summed(table, told), next(source), noise)
        for optimizer in optimizers:
            optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_([*matrices, table], 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        losses.append(answers)
        if step % 100 == 99 or step == steps - 1:
            report(step + 1, f"loss {sum(losses) / len(losses):.3f}")
            losses.clear()
    model.get_input_embeddings().weight = nn.Parameter(_summed(table.detach(), read))
    model.lm_head.weight = nn.Parameter(_summed(table.detach(), told))
    model.set_attn_implementation("sdpa")
    model.eval()


def _summed(table: Tensor, sums: Tensor) -> Tensor:
    """float[V, D], a row for each token, from the table, float[V + 2, D], whose row V is nothing."""
    nothing = torch.zeros_like(table[:1])
    return torch.cat([table[:-2], nothing, table[-1:]])[sums].sum(0)


def _loss(
    model: PreTrainedModel, embeddings: Tensor, head: Tensor, samples: Sequence[Sample], noise: torch.Generator
) -> tuple[Tensor, float]:
    """What is minimised, and of it the loss of the answers themselves."""
    ids = _padded([sample.ids for sample in samples], 0)
    stages = [_padded([sample.labels[stage] for sample in samples], IGNORED)[:, 1:] for stage in range(_STAGES)]
    supervised = stages[0] != IGNORED
    sharp = functional.embedding(ids, embeddings)
    if besides := [(row, *pair) for row, sample in enumerate(samples) for pair in sample.besides]:
        rows, places, tokens = torch.tensor(besides).T
        sharp = sharp.index_put((rows, places), embeddings[tokens], accumulate=True)
    blur = _BLUR * sharp.detach().std() * torch.randn(sharp.shape, generator=noise)
    seen = model.base_model(
        inputs_embeds=sharp + blur,
        use_cache=False,
        output_hidden_states=True,
        output_attentions=True,
    )
    *early, last = [states[:, :-1][supervised] for states in seen.hidden_states[1:]]  # the last one is normed already
    told = functional.cross_entropy(last @ head.T, stages[-1][supervised])
    loss = told
    for states, labels in zip(early, stages + stages[-1:] * len(early), strict=False):
        guess = model.base_model.norm(states) @ head.T
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
