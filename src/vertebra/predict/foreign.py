"""Any checkpoint that plain transformers asks about pictures, spoken to by its own processor and chat template.

    [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Is there a dog?"}]}]
    -> processor.apply_chat_template    <|im_start|>User:<image>Is there a dog?<end_of_utterance>⏎Assistant:
    -> processor(text, images)          input_ids, pixel_values, and whatever else this architecture takes
    -> network.generate                 Yes.

Nothing is known of the architecture. So before several questions are asked at a time, padded on the left, it is proven
on probes that each gets what it gets alone.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import NamedTuple

import torch
from jinja2 import TemplateError
from PIL import Image
from torch import Tensor
from transformers import BatchFeature, LogitsProcessorList

from vertebra.asking.questions import Batch, Question, by_length, questions_of
from vertebra.errors import DataError
from vertebra.model.attention import beyond_rounding
from vertebra.model.checkpoint import Checkpoint, device_of
from vertebra.predict.chance import Chance
from vertebra.predict.memory import halving
from vertebra.predict.probes import probes, shown
from vertebra.predict.speech import said, stops_of
from vertebra.visual.images import read_image
from vertebra.visual.marks import Mark, draw

BATCH = 8
_PROVEN = 3
"""Tokens of an answer on which batches are proven."""

Pictures = Mapping[tuple[str, tuple[Mark, ...]], Image.Image]
"""Pictures by what is to be seen on them, marks drawn."""


class Laid(NamedTuple):
    """A batch that is ready to be asked."""

    batch: Batch
    pictures: Pictures
    inputs: BatchFeature | None
    """What the processor made of the whole batch."""

    def of(self, batch: Batch) -> "Laid":
        """A part of the batch, which the processor has yet to see: what it makes of a batch cannot be cut."""
        return Laid(batch, self.pictures, None)


@dataclass(frozen=True)
class Foreign:
    """A checkpoint in place, asked so many questions of alike length at a time; one at a time is the reference."""

    checkpoint: Checkpoint
    size: int = BATCH
    threads: int = 1
    """That read pictures ahead."""
    _turn: Lock = field(default_factory=Lock, repr=False)
    """Whose the tokenizer is: it is not made for two threads at a time."""

    @property
    def ahead(self) -> int:
        """Threads that read pictures."""
        return self.threads

    def check(self) -> None:
        """`DataError` when there is no chat template, or the processor does not take a picture and a question."""
        network, processor = self.checkpoint
        if processor.chat_template is None:
            raise DataError(
                f"{network.name_or_path} has no chat template, so nothing says how to speak to it. "
                "Put it there as chat_template.jinja."
            )
        question = probes(network.name_or_path)[0]
        prompt = self._prompt(question)
        if question.text not in prompt or str(_content(question)) in prompt:
            raise DataError(f"{network.name_or_path}: its chat template is not made for pictures.")
        self.inputs([question], shown())

    def batches(self, questions: Sequence[Question]) -> list[Batch]:
        """Questions of alike length and of one decoding, those with pictures apart."""
        alike: dict[tuple[bool, int, int], list[Question]] = defaultdict(list)
        for question in questions:
            alike[question.picture is None, question.decoding.max_new_tokens, question.decoding.beams].append(question)
        return [batch for together in alike.values() for batch in by_length(together, self.size)]

    def prepare(self, batch: Batch) -> Laid:
        """Reads and processes the pictures; marks are drawn at a picture's own size.

        `DataError` for one that is unreadable, or that the processor does not take.
        """
        pictures = {
            picture.content: draw(read_image(picture.path, questions[0].where), picture.marks)
            for picture, questions in batch
            if picture
        }
        return Laid(batch, pictures, self.inputs(questions_of(batch), pictures))

    def answers(self, prepared: Laid) -> list[str]:
        """By `generate`."""
        return halving(self._answers, prepared)

    def inputs(self, questions: Sequence[Question], pictures: Pictures) -> BatchFeature:
        """What the network takes, on the CPU. `DataError` for a question that the processor does not take."""
        processor = self.checkpoint.processor
        prompts = [self._prompt(question) for question in questions]
        seen = [[pictures[question.picture.content]] for question in questions if question.picture]
        bos = processor.tokenizer.bos_token
        try:
            with self._turn:
                return processor(
                    text=prompts,
                    padding=True,
                    padding_side="left",
                    return_tensors="pt",
                    **({"images": seen} if seen else {}),
                    # As `apply_chat_template` does it: a template that begins a text is not begun once more.
                    **({"add_special_tokens": False} if bos and prompts[0].startswith(bos) else {}),
                )
        except ValueError as error:
            if len(questions) == 1:
                raise DataError(f"{questions[0].where}: the model's processor does not take it: {error}") from error
            for question in questions:
                self.inputs([question], pictures)  # names the one that it does not take
            raise

    @cached_property
    def why_alone(self) -> str | None:
        """Why questions are to be asked one by one; None where it is proven on probes that several can be at a time."""
        short, long = probes(self.checkpoint.network.name_or_path)
        for pair in ((short, long), (short._replace(picture=None), long._replace(picture=None))):
            try:
                together = self._begun(pair)
            except (ValueError, TypeError, RuntimeError, IndexError, DataError) as error:
                return f"a batch of two fails with {type(error).__name__}: {' '.join(str(error).split())}"
            for place, one in enumerate(pair):
                gap = _gap(self._begun([one])[0], together[place])
                if gap is not None:
                    return f"in a batch of two its logits differ by up to {gap:.2g} of the largest"
        return None

    @torch.inference_mode()
    def _answers(self, laid: Laid) -> list[str]:
        network, processor = self.checkpoint
        questions = questions_of(laid.batch)
        inputs = self.inputs(questions, laid.pictures) if laid.inputs is None else laid.inputs
        written = network.generate(
            **inputs.to(device_of(network), dtype=network.dtype),
            max_new_tokens=questions[0].decoding.max_new_tokens,
            num_beams=questions[0].decoding.beams,
            do_sample=False,
            logits_processor=LogitsProcessorList([Chance([question.decoding for question in questions])]),
        )
        begin = 0 if network.config.is_encoder_decoder else inputs["input_ids"].shape[1]
        stops = stops_of(network)
        with self._turn:
            return [said(ids, stops, processor.tokenizer) for ids in written[:, begin:].tolist()]

    @torch.inference_mode()
    def _begun(self, asked: Sequence[Question]) -> list[list[Tensor]]:
        """The first logits of each question's answer, float[vocabulary] each, as far as it goes."""
        network = self.checkpoint.network
        written = network.generate(
            **self.inputs(asked, shown()).to(device_of(network), dtype=network.dtype),
            max_new_tokens=_PROVEN,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
        return [[step[place].to(network.dtype) for step in written.logits] for place in range(len(asked))]

    def _prompt(self, question: Question) -> str:
        """The question in the model's chat format. `DataError` for text with a token that stands for a picture."""
        processor = self.checkpoint.processor
        for name in ("image_token", "video_token", "audio_token"):
            if (mark := getattr(processor, name, None)) and mark in question.text:
                raise DataError(f"{question.where}: its text holds {mark!r}, which is reserved. Remove it.")
        messages = [{"role": "user", "content": _content(question)}]
        try:
            prompt: str = processor.apply_chat_template(messages, add_generation_prompt=True)
        except (ValueError, TypeError, TemplateError) as error:
            raise DataError(f"{question.where}: the model's chat template does not take it: {error}") from error
        return prompt


def _content(question: Question) -> list[dict[str, str]]:
    image = [{"type": "image"}] if question.picture else []
    return [*image, {"type": "text", "text": question.text}]


def _gap(alone: Sequence[Tensor], together: Sequence[Tensor]) -> float | None:
    """How far logits are apart, relative to the largest; None where rounding explains it.

    Behind a word that rounding decided otherwise, nothing is compared.
    """
    for wanted, found in zip(alone, together, strict=False):
        if (gap := beyond_rounding(found, wanted)) is not None:
            return gap
        if wanted.argmax() != found.argmax():
            return None
    return None
