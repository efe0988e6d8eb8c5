"""Answers of a checkpoint on this machine, greedy or drawn by chance, appended batch by batch.

Questions are batched by length on a grid that depends on the questions alone. A resumed step redoes the batch that was
cut off and keeps what was written, so its answers are those of a run that was never stopped.

    {"question_id": "1", "prompt": "Is there ...", "text": "yes", "answer_id": "5b...", "model_id": "llava-1.5/...",
     "metadata": {}}
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import LogitsProcessorList

from vertebra.bench import Bench
from vertebra.benchmarks import benchmark
from vertebra.chat import Conversation, Turn
from vertebra.data import Eyes
from vertebra.errors import DataError, Refused, Stopped
from vertebra.files import append_rows, read_rows, write_atomically
from vertebra.model import VisionLanguageModel, load
from vertebra.model.checkpoint import device_of
from vertebra.scoring.benchmark import Sample
from vertebra.spec import Json, Runtime, canonical, digest
from vertebra.visual.images import read_image
from vertebra.visual.marks import draw

BATCH = 32


class Question(NamedTuple):
    """A sample and the prompt that it becomes."""

    sample: Sample
    ids: list[int]
    """Token ids, an image taking as many as the tower has patches."""


class Sampling(NamedTuple):
    """Answers are drawn at a temperature, by the seed and the question's id alone."""

    temperature: float
    seed: int


def predict(bench: Bench, runtime: Runtime) -> None:
    """Answers all questions of the step's benchmark into `out/answers.jsonl`; `Stopped` after a signal, resumable."""
    del runtime
    assert bench.model is not None
    assert bench.data is not None
    name, longest = str(bench.spec["benchmark"]), int(str(bench.spec["max_new_tokens"]))
    sampling = _sampling(bench)
    folder = bench.data / name
    chosen = benchmark(name)
    samples = chosen.load(folder)
    if chosen.unpack:
        chosen.unpack(folder)
    model = _open(bench.model)
    _check_family(model, bench)
    growing = bench.folder / "answers.jsonl"
    answered = {str(row["question_id"]): row for row in read_rows(growing)}
    for batch in grid([asked(model, sample) for sample in samples]):
        if bench.stopping():
            raise Stopped(15)
        if any(question.sample.id not in answered for question in batch):
            rows = [
                _row(bench, question.sample, text)
                for question, text in zip(batch, answers(model, batch, folder, longest, sampling), strict=True)
                if question.sample.id not in answered
            ]
            append_rows(growing, rows)
            answered |= {str(row["question_id"]): row for row in rows}
        bench.progress(len(answered), len(samples), "questions")
    lines = (canonical(answered[sample.id]) + "\n" for sample in samples)
    write_atomically(bench.out / "answers.jsonl", "".join(lines))


def asked(model: VisionLanguageModel, sample: Sample) -> Question:
    """The sample as it is put to a model. `DataError` when its text holds a reserved token."""
    turn = Turn("user", sample.text, images=int(sample.image is not None))
    try:
        return Question(sample, model.prompt_ids(Conversation((turn,))))
    except DataError as error:
        raise DataError(f"Question {sample.id}: {error}") from error


def grid(questions: Sequence[Question]) -> list[list[Question]]:
    """Batches of alike length, so that little is padded; the same questions always meet in the same batch."""
    ordered = sorted(questions, key=lambda question: (len(question.ids), question.sample.id))
    return [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]


@torch.inference_mode()
def answers(
    model: VisionLanguageModel,
    questions: Sequence[Question],
    folder: Path,
    max_new_tokens: int,
    sampling: Sampling | None = None,
) -> list[str]:
    """One answer per question, stripped, without special tokens; greedy without `sampling`. Images lie under `folder`.

    `DataError` for an image that cannot be read.
    """
    network, device = model.network, device_of(model.network)
    ids, mask = _left_padded([question.ids for question in questions], network.generation_config.pad_token_id)
    pictures = [
        draw(read_image(folder / sample.image, where=f"question {sample.id}"), sample.marks)
        for sample, _ in questions
        if sample.image is not None
    ]
    seen = {"pixel_values": Eyes.of(model, "pad").pixels(pictures).to(device, network.dtype)} if pictures else {}
    written = network.generate(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        logits_processor=LogitsProcessorList([_Noise(sampling, questions)] if sampling else []),
        **seen,
    )
    texts = model.processor.tokenizer.batch_decode(written[:, ids.shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in texts]


class _Noise:
    """Makes the likeliest token one that is drawn: logit + temperature · Gumbel noise is largest for a token as often
    as softmax(logits / temperature) says. Each question has noise of its own, so that its batch does not matter.
    """

    def __init__(self, sampling: Sampling, questions: Sequence[Question]) -> None:
        self.temperature = sampling.temperature
        seeds = [int(digest([sampling.seed, question.sample.id])[:16], 16) for question in questions]
        self.sources = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, _: Tensor, scores: Tensor) -> Tensor:
        """`scores`: float[B, vocabulary], as generation has them; the noise is drawn on the CPU, for any device."""
        waits = torch.stack([torch.empty(scores.shape[1]).exponential_(generator=source) for source in self.sources])
        noise = -waits.clamp_min(torch.finfo(waits.dtype).tiny).log()
        return scores + self.temperature * noise.to(scores)


def _sampling(bench: Bench) -> Sampling | None:
    if "temperature" not in bench.spec:
        return None
    return Sampling(float(str(bench.spec["temperature"])), int(str(bench.spec["seed"])))


@lru_cache(maxsize=1)
def _open(folder: Path) -> VisionLanguageModel:
    """The benchmarks of one model follow each other in one process; it is read once."""
    return load(folder)


def _check_family(model: VisionLanguageModel, bench: Bench) -> None:
    """`Refused` for an adopted checkpoint of another family than the study says."""
    adopted, found = bench.spec.get("model"), model.family
    if isinstance(adopted, Mapping) and adopted["family"] != found:
        raise Refused(f"{adopted['weights']} is a {found} checkpoint, but the study adopts it as {adopted['family']}.")


def _left_padded(prompts: Sequence[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Ids and mask, int[B, T] each, so that all prompts end together."""
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), pad)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    return ids, mask


def _row(bench: Bench, sample: Sample, text: str) -> dict[str, Json]:
    """A row of LLaVA's answers format; the answer's id follows from the step and the question."""
    return {
        "question_id": sample.id,
        "prompt": sample.text,
        "text": text,
        "answer_id": digest([bench.key, sample.id])[:22],
        "model_id": bench.label.rsplit("/", 2)[0],
        "metadata": {},
    }
