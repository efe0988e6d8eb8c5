"""A benchmark's samples as questions to a model, and its answers as rows of LLaVA's answers format.

{"question_id": "1", "prompt": "Is there ...", "text": "yes", "answer_id": "5b...", "model_id": "llava-1.5/...",
 "metadata": {}}
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from vertebra.asking.questions import Decoding, Picture, Question
from vertebra.benchmarks import benchmark
from vertebra.errors import DataError
from vertebra.prefetching import prefetched
from vertebra.scoring.benchmark import Sample
from vertebra.spec import Json, digest
from vertebra.store import Fingerprints

_THREADS = 8
"""That read pictures for their digests, mostly waiting."""


class Asked(NamedTuple):
    """A benchmark's samples, and the question that each becomes."""

    name: str
    samples: Sequence[Sample]
    questions: Sequence[Question]

    def row(self, place: int, text: str, key: str, model: str) -> dict[str, Json]:
        """A row of the answers file; the answer's id follows from the step's `key` and the sample."""
        sample = self.samples[place]
        return {
            "question_id": sample.id,
            "prompt": sample.text,
            "text": text,
            "answer_id": digest([key, sample.id])[:22],
            "model_id": model,
            "metadata": {},
        }


def asked(spec: Mapping[str, Json], data: Path, digests: Fingerprints) -> Asked:
    """What a predict step asks: all samples of its benchmark, whose folder is in the data folder.

    `DataError` for files that are missing or broken; pictures are looked for, not opened.
    """
    name = str(spec["benchmark"])
    folder, chosen = data / name, benchmark(name)
    samples = chosen.load(folder)
    if chosen.unpack:
        chosen.unpack(folder)
    images = dict.fromkeys(sample.image for sample in samples if sample.image is not None)
    found = dict(zip(images, prefetched(lambda image: digests(f"{name}/{image}"), images, _THREADS), strict=True))
    questions = [
        Question(sample.text, _picture(sample, name, folder, found), _decoding(spec, sample), f"{name}, {sample.id}")
        for sample in samples
    ]
    return Asked(name, samples, questions)


def about_the_same(own: Iterable[Question], others: Iterable[Question]) -> list[Question]:
    """Those of other questions that are about a picture of one's own."""
    pictures = {question.picture.content for question in own if question.picture}
    return [question for question in others if question.picture and question.picture.content in pictures]


def _picture(sample: Sample, name: str, folder: Path, digests: Mapping[str, str | None]) -> Picture | None:
    if sample.image is None:
        return None
    found = digests[sample.image]
    if found is None:
        raise DataError(f"{folder / sample.image} is missing ({name}, question {sample.id}). Fetch the pictures again.")
    return Picture(folder / sample.image, found, sample.marks)


def _decoding(spec: Mapping[str, Json], sample: Sample) -> Decoding:
    longest, beams = int(str(spec["max_new_tokens"])), int(str(spec.get("beams", 1)))
    if "temperature" not in spec:
        return Decoding(longest, beams=beams)
    seed = int(digest([int(str(spec["seed"])), sample.id])[:16], 16)
    return Decoding(longest, float(str(spec["temperature"])), seed, beams)
