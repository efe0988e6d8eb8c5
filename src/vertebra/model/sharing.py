"""Attention of questions that share a beginning: it is read once, and its keys and values serve all of them.

    beginnings    system prompt, picture            | system prompt, picture
    questions     What is it? · How many? · Is it?  | Which colour? · Where?
    words                  a  ·      two  ·    yes  |          red  ·    on

A batch goes through the language model as one row each time, nothing padded: first its beginnings, then what each
question adds to its own, then a word of each answer at a time. A token attends to the beginning and to its question's
own tokens apart, and both are merged by their log-sum-exp, which is exact (arXiv:2402.05099, arXiv:2501.01005). On
CUDA the beginnings are attended to by torch's variable-length flash attention, in one call for all groups.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from vertebra.errors import Refused
from vertebra.model.attention import (
    Attended,
    Segments,
    attended_apart,
    attending,
    beyond_rounding,
    check_asked,
    has_kernel,
    in_one_call,
)

_NAME = "vertebra_shared"
_GROWS = 64
"""Answers' tokens that room is made for at a time."""


class _Enough(Exception):
    """Of a beginning nothing is wanted of the last layer but its keys and values: what comes after is left out."""


class _Own(NamedTuple):
    """Keys and values of what each question adds, and of its answer so far."""

    keys: Tensor
    """float[questions, heads, room, d]; what is not written yet is masked."""
    values: Tensor


class Sharing:
    """The keys and values of a batch of groups, each a beginning and questions that go on from it."""

    def __init__(
        self, beginnings: Sequence[int], own: Sequence[Sequence[int]], layers: int, device: torch.device
    ) -> None:
        """`beginnings` are lengths in tokens, at least one each; `own` the lengths of each group's questions."""
        self._last = layers - 1
        self._device = device
        self._segments = Segments.of(beginnings, device)
        self._beginnings = beginnings
        self._places = [0, *accumulate(beginnings)]
        self._groups = [group for group, lengths in enumerate(own) for _ in lengths]
        self._lengths = [length for lengths in own for length in lengths]
        self._prefixes: dict[int, tuple[Tensor, Tensor]] = {}
        self._own: dict[int, _Own] = {}
        self._step: _Step | None = None

    def beginnings(self) -> Tensor:
        """Positions of the beginnings' tokens, int[1, tokens]: they come first."""
        self._step = None
        return _counted([0] * len(self._beginnings), self._beginnings, self._device)

    def questions(self) -> Tensor:
        """Positions of the questions' own tokens, int[1, tokens]: they come second."""
        self._step = self._placed([0] * len(self._lengths), self._lengths)
        return self._positions([0] * len(self._lengths), self._lengths)

    def words(self) -> Tensor:
        """Positions of one more token of each question's answer, int[1, questions]."""
        written, one = self._lengths, [1] * len(self._lengths)
        self._step = self._placed(written, one)
        positions = self._positions(written, one)
        self._lengths = [length + 1 for length in written]
        return positions

    def keep(self, kept: Sequence[int]) -> None:
        """Goes on with these questions alone, by their places."""
        chosen = torch.tensor(kept, device=self._device)
        self._groups = [self._groups[place] for place in kept]
        self._lengths = [self._lengths[place] for place in kept]
        self._own = {layer: _Own(own.keys[chosen], own.values[chosen]) for layer, own in self._own.items()}

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float, window: int | None = None
    ) -> Tensor:
        """float[1, heads, T, d] of queries, and as many or fewer heads of keys and values, to float[1, T, heads, d].

        `Refused` when a question with its beginning is longer than the layer's sliding window.
        """
        step = self._step
        if window and self._longest() > window:
            raise Refused(f"with its answer a question has more tokens than the sliding window of {window}")
        if step is None:
            self._prefixes[layer] = (key, value)
            if layer == self._last:
                raise _Enough
            return attended_apart(query, key, value, self._segments, scale)
        shared, weight = self._to_beginnings(step, query, *self._prefixes[layer], scale)
        said, its_weight = self._to_own(step, layer, query, key, value, scale)
        return _merged(shared, weight, said, its_weight).transpose(1, 2).to(query.dtype)

    def _longest(self) -> int:
        if self._step is None:
            return max(self._beginnings)
        return self._step.end + max(self._beginnings)

    def _placed(self, begin: Sequence[int], lengths: Sequence[int]) -> "_Step":
        return _Step.of(self._groups, len(self._beginnings), begin, lengths, self._device)

    def _positions(self, begin: Sequence[int], lengths: Sequence[int]) -> Tensor:
        before = [self._beginnings[group] + start for group, start in zip(self._groups, begin, strict=True)]
        return _counted(before, lengths, self._device)

    def _to_beginnings(
        self, step: "_Step", query: Tensor, keys: Tensor, values: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        """What the beginnings say: float[1, heads, T, d] and log-sum-exps float[1, heads, T]."""
        if has_kernel(query):
            return _of(in_one_call(query, keys, values, step.rows, self._segments, scale, whole=True, weighed=True))
        parts = [
            _weighed(query[:, :, first:last], keys[:, :, start:end], values[:, :, start:end], scale)
            for (first, last), (start, end) in zip(pairwise(step.places), pairwise(self._places), strict=True)
            if last > first
        ]
        return torch.cat([said for said, _ in parts], 2), torch.cat([weight for _, weight in parts], 2)

    def _to_own(
        self, step: "_Step", layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        """What each question's own tokens say, the new ones among them; as of `_to_beginnings`."""
        own = self._room(layer, key, step)
        # The heads are between two indices, so what is chosen has them second: [T, heads, d].
        own.keys[step.question, :, step.place] = key[0].transpose(0, 1)
        own.values[step.question, :, step.place] = value[0].transpose(0, 1)
        if step.fresh and has_kernel(query):
            return _of(in_one_call(query, key, value, step.fresh, step.fresh, scale, weighed=True))
        asking = query.new_zeros(len(step.lengths), query.shape[1], max(step.lengths), query.shape[3])
        asking[step.question, :, step.offset] = query[0].transpose(0, 1)
        room = own.keys.shape[2]
        seen = torch.arange(room, device=self._device) <= step.reach[:, :, None]
        said, weight = _weighed(asking, own.keys, own.values, scale, seen)
        return (
            said[step.question, :, step.offset].transpose(0, 1).unsqueeze(0),
            weight[step.question, :, step.offset].transpose(0, 1).unsqueeze(0),
        )

    def _room(self, layer: int, key: Tensor, step: "_Step") -> _Own:
        """The questions' own keys and values, with room for this step's."""
        own, needed = self._own.get(layer), step.end
        if own is None or own.keys.shape[2] < needed:
            shape = (len(step.lengths), key.shape[1], needed + _GROWS * (own is not None), key.shape[3])
            wider = _Own(key.new_zeros(shape), key.new_zeros(shape))
            if own is not None:
                written = own.keys.shape[2]
                wider.keys[:, :, :written] = own.keys
                wider.values[:, :, :written] = own.values
            self._own[layer] = own = wider
        return own


class _Step(NamedTuple):
    """Where the tokens of a row belong."""

    rows: Segments
    """The tokens of each group."""
    places: Sequence[int]
    """The same as numbers."""
    lengths: Sequence[int]
    """Tokens of each question."""
    fresh: Segments | None
    """The tokens of each question, where they are all of its own so far."""
    end: int
    """The furthest place of a token among its question's own, plus one."""
    question: Tensor
    """int[T]: whose token it is."""
    offset: Tensor
    """int[T]: which of the question's tokens in this row."""
    place: Tensor
    """int[T]: which of all of its own tokens."""
    reach: Tensor
    """int[questions, longest]: the last place that each may see."""

    @classmethod
    def of(
        cls, groups: Sequence[int], all_groups: int, begin: Sequence[int], lengths: Sequence[int], device: torch.device
    ) -> "_Step":
        """`groups` of the questions, in ascending order; `begin` of their tokens among their own."""
        of_group = [0] * all_groups
        for group, length in zip(groups, lengths, strict=True):
            of_group[group] += length
        many = torch.tensor(lengths)
        question = torch.repeat_interleave(torch.arange(len(lengths)), many)
        offset = torch.arange(len(question)) - (many.cumsum(0) - many)[question]
        start = torch.tensor(begin)
        return cls(
            rows=Segments.of(of_group, device),
            places=[0, *accumulate(of_group)],
            lengths=lengths,
            fresh=None if any(begin) else Segments.of(lengths, device),
            end=max(first + length for first, length in zip(begin, lengths, strict=True)),
            question=question.to(device),
            offset=offset.to(device),
            place=(start[question] + offset).to(device),
            reach=(start[:, None] + torch.arange(max(lengths))[None]).to(device),
        )


@contextmanager
def sharing(language: PreTrainedModel) -> Iterator[None]:
    """While the block lasts the language model takes `shared=`, a `Sharing`, and attends as it says."""
    with attending(language, _NAME, _attend):
        yield


@torch.no_grad()
def shares(language: PreTrainedModel, ids: Tensor) -> str | None:
    """Why a language model cannot share beginnings, or None: some ids, int[1, T], read alone and as a shared batch.

    Two groups of two questions, each answered by two words, against plain reading.
    """
    total = ids.shape[1]
    begin, asked = (total // 2, total // 3), ((total // 4, total // 8), (1, total // 5))
    words = 2
    wanted: list[Tensor] = []
    beginnings: list[Tensor] = []
    questions: list[Tensor] = []
    said: list[list[Tensor]] = [[] for _ in range(words)]
    for group, (length, own) in enumerate(zip(begin, asked, strict=True)):
        beginnings.append(ids[:, group : group + length])
        for number, more in enumerate(own):
            went_on = ids[:, number + 2 : number + 2 + more + words]
            questions.append(went_on[:, :more])
            for word, row in enumerate(said):
                row.append(went_on[:, more + word : more + word + 1])
            whole = torch.cat([beginnings[-1], went_on], 1)
            wanted.append(language(input_ids=whole, use_cache=False).last_hidden_state[0, -words - 1 :])
    embed = language.get_input_embeddings()
    batch = Sharing(begin, asked, language.config.num_hidden_layers, ids.device)
    try:
        with sharing(language):
            begin_with(language, batch, embed(torch.cat(beginnings, 1)))
            states = read(language, batch, embed(torch.cat(questions, 1)), batch.questions())
            ends = torch.tensor([more for own in asked for more in own], device=ids.device).cumsum(0) - 1
            found = [states[ends], *(read(language, batch, embed(torch.cat(row, 1)), batch.words()) for row in said)]
    except Refused as error:
        return str(error)
    except TypeError as error:
        return f"its code does not hand on what is shared ({error})"
    gap = beyond_rounding(torch.stack(found, 1), torch.stack(wanted))
    return f"its states differ by {gap:.1g} of the largest" if gap else None


def begin_with(language: PreTrainedModel, batch: Sharing, embeds: Tensor) -> None:
    """Reads the beginnings, float[1, T, hidden]."""
    with suppress(_Enough):
        read(language, batch, embeds, batch.beginnings())


def read(language: PreTrainedModel, batch: Sharing, embeds: Tensor, positions: Tensor) -> Tensor:
    """The last states, float[T, hidden], of a row of embeddings, float[1, T, hidden]."""
    found = language(inputs_embeds=embeds, position_ids=positions, use_cache=False, shared=batch)
    states: Tensor = found.last_hidden_state
    return states[0]


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _: Tensor | None,
    *,
    shared: Sharing | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **asked: object,
) -> tuple[Tensor, None]:
    if shared is None:
        raise Refused(f"{type(module).__name__} does not hand on what is shared")
    check_asked(module, asked)
    layer: Any = module.layer_idx
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return shared.attend(layer, query, key, value, scale, sliding_window), None


def _weighed(
    query: Tensor, key: Tensor, value: Tensor, scale: float, seen: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Attention float[B, heads, n, d] in single precision and its log-sum-exps float[B, heads, n].

    `seen`: bool[B, n, m], which keys each query sees; by default all.
    """
    batch, heads, asked, width = query.shape
    known, keys = key.shape[1], key.shape[2]
    asking = query.float().reshape(batch, known, -1, width) * scale  # heads that share their keys are more queries
    scores = asking @ key.float().transpose(-1, -2)
    if seen is not None:
        scores.view(batch, known, -1, asked, keys).masked_fill_(~seen[:, None, None], -torch.inf)
    highest = scores.amax(-1, keepdim=True)
    weights = scores.sub_(highest).exp_()
    total = weights.sum(-1, keepdim=True)
    said = (weights @ value.float()) / total
    return said.view(batch, heads, asked, -1), (highest + total.log()).view(batch, heads, asked)


def _of(attended: Attended) -> tuple[Tensor, Tensor]:
    """A kernel's attention as `_weighed` gives it."""
    assert attended.weight is not None
    return attended.said.transpose(1, 2).float(), attended.weight.float()


def _merged(one: Tensor, weight: Tensor, other: Tensor, its_weight: Tensor) -> Tensor:
    """Two parts of one attention, float[1, heads, T, d], each with its log-sum-exps, float[1, heads, T]."""
    return torch.lerp(other, one, torch.sigmoid(weight - its_weight).unsqueeze(-1))


def _counted(begin: Sequence[int], lengths: Sequence[int], device: torch.device) -> Tensor:
    """int[1, T]: from each beginning as many numbers as its length says."""
    spans = [torch.arange(first, first + length) for first, length in zip(begin, lengths, strict=True)]
    return torch.cat(spans).unsqueeze(0).to(device)
