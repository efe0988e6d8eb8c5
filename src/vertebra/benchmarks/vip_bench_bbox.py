"""ViP-Bench with boxes: free-form questions on regions that are drawn into the picture (Cai et al., arXiv:2312.00784).

303 questions of https://huggingface.co/datasets/mucai/ViP-Bench, asked on boxes here and on hand-drawn marks in
`vip_bench_human`:

    vip-bench-meta-data.json    {"v1_0": {"image_source": "mm-vet", "image": "v1_0.png", "answer": "-1<AND>-5",
                                 "question": "What is x in the equation within the <obj>?",
                                 "capability": ["ocr", "math"]}, ...}
    bbox/questions.jsonl        {"question_id": 0, "image": "v1_0.png", "category": "...",
                                 "text": "What is x in the equation within the red rectangle?"}

The marks stand in the pictures of `bbox/images` and `human/images`. Judgments can be replayed without questions.jsonl;
asking a model or a judge takes its wording, because the metadata's names no colour.
"""

from functools import partial
from pathlib import Path

from vertebra.errors import DataError
from vertebra.scoring import grades
from vertebra.scoring.answers import by_question
from vertebra.scoring.benchmark import Benchmark, Sample, ungraded
from vertebra.scoring.records import Record, annotation, checked, json_lines, json_mapping
from vertebra.scoring.sources import Files, Release, Source

METADATA = "vip-bench-meta-data.json"
PLACES = (
    *(" within the yellow rectangle",) * 3,
    " within the red rectangle",
    " within the orange rectangle",
    *(" within the blue rectangle",) * 2,
)


class _Question(Record):
    image: str
    question: str
    answer: str
    capability: list[str]


class _Asked(Record):
    question_id: int | str
    text: str
    image: str | None = None


def _read(split: str, path: Path) -> list[Sample]:
    path = annotation(path, METADATA)
    asked = _asked(path.parent / split / "questions.jsonl")
    samples = []
    for name, value in json_mapping(path).items():
        question = checked(_Question, value, f"{path}: question {name!r}")
        if asked and name not in asked:
            raise DataError(f"{path.parent / split / 'questions.jsonl'} does not ask question {name!r} of {path.name}.")
        found = asked.get(name)
        image = found.image if found and found.image else question.image
        groups = {"capability": tuple(dict.fromkeys(question.capability))}
        gold = (question.answer, question.question)
        samples.append(Sample(name, found.text if found else "", f"{split}/images/{image}", gold, groups, image))
    return samples


def _asked(path: Path) -> dict[str, _Asked]:
    rows = [checked(_Asked, row, f"{path}:{line}") for line, row in json_lines(path)] if path.exists() else []
    return {grades.PREFIX + str(row.question_id).removeprefix(grades.PREFIX): row for row in rows}


def benchmark(split: str, title: str) -> Benchmark:
    """ViP-Bench on one of its two kinds of marks."""
    return Benchmark(
        name=f"vip_bench_{split}",
        title=title,
        protocol=split,
        capability="region",
        headline="total",
        axis=(0, 100),
        max_new_tokens=1024,
        prompts=1,
        grading=1,
        files=(METADATA, f"{split}/questions.jsonl"),
        read=partial(_read, split),
        grade=ungraded,
        tally=grades.tally,
        metrics=grades.metrics,
        bounds=grades.BOUNDS,
        repeats="last",
        upload=grades.upload,
        officially=grades.OFFICIALLY,
        judging=grades.judging(grades.examples(PLACES)),
        find=grades.find,
        forms={".json": by_question},
        releases=(Release("ViP-Bench", 303),),
        sources={"official": Source((Files(("mucai/ViP-Bench",), (METADATA, f"{split}/*")),))},
    )


BENCHMARK = benchmark("bbox", "ViP-Bench (box)")
