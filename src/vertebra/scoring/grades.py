"""Grading as MM-Vet does (Yu et al., arXiv:2308.02490), which ViP-Bench took over: a table whose last cell is to fill.

    Question | Ground truth | Prediction | Correctness
    --- | --- | --- | ---
    What is x in the equation? | -1 <AND> -5 | x = 3 | 0.0
    ...

    What occasions would someone use this meme? | This meme ... | A person ... |

The prompt's text is protocol: it is that of `mm-vet_evaluator.py` (https://github.com/yuweihao/MM-Vet, Apache-2.0) and
of `scripts/eval/vip-bench_evaluator.py` (https://github.com/WisconsinAIVision/ViP-LLaVA, Apache-2.0), which says where
in the picture to look. A sample's gold is the ground truth and, for ViP-Bench, the question as a second asking has it.
"""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vertebra.errors import DataError
from vertebra.scoring.benchmark import Answer, Find, Judging, Points, Request, Sample
from vertebra.scoring.judging import finite, runs, tallying
from vertebra.scoring.metrics import Column, Sums, ratio
from vertebra.scoring.neutral import neutral_cell

PREFIX = "v1_"
"""What official ids have before the numbers that LLaVA's runners write."""

OFFICIALLY = (
    "an answer that the judge never grades readably counts 0, a given grade as it stands, and answers go into the "
    "judge's table as they are."
)
ATTEMPTS = 5
_MAX_TOKENS = 3
_TASK = (
    "Compare the ground truth and prediction from AI models, to give a correctness score for the prediction. <AND> in "
    "the ground truth means it is totally right only when all elements in the ground truth are present in the "
    "prediction, and <OR> means it is totally right when any one element in the ground truth is present in the "
    "prediction. The correctness score is 0.0 (totally wrong), 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, or 1.0 "
    "(totally right). Just complete the last space of the correctness score.\n\n"
    "Question | Ground truth | Prediction | Correctness\n--- | --- | --- | ---\n"
)
_X = [("x = 3", "0.0"), ("x = -1", "0.5"), ("x = -5", "0.5"), ("x = -5 or 5", "0.5"), ("x = -1 or x = -5", "1.0")]
_MEME = (
    "This meme is poking fun at the fact that the names of the countries Iceland and Greenland are misleading. Despite "
    "its name, Iceland is known for its beautiful green landscapes, while Greenland is mostly covered in ice and snow. "
    "The meme is saying that the person has trust issues because the names of these countries do not accurately "
    "represent their landscapes."
)
_SAID = [
    (
        "The meme talks about Iceland and Greenland. It's pointing out that despite their names, Iceland is not very "
        "icy and Greenland isn't very green.",
        "0.4",
    ),
    (
        "The meme is using humor to point out the misleading nature of Iceland's and Greenland's names. Iceland, "
        "despite its name, has lush green landscapes while Greenland is mostly covered in ice and snow. The text 'This "
        "is why I have trust issues' is a playful way to suggest that these contradictions can lead to distrust or "
        "confusion. The humor in this meme is derived from the unexpected contrast between the names of the countries "
        "and their actual physical characteristics.",
        "1.0",
    ),
]
_ASK_AGAIN = "\nPredict the correctness of the answer (digit): "


def examples(places: Sequence[str] = ("",) * 7) -> str:
    """The prompt up to the row that is asked; `places` ends each example's question, such as ` within the ...`."""
    rows = [(f"What is x in the equation{place}?", "-1 <AND> -5", *x) for place, x in zip(places[:5], _X, strict=True)]
    rows += [
        (f"Can you explain this meme{place}?", _MEME, *said) for place, said in zip(places[5:], _SAID, strict=True)
    ]
    return _TASK + "".join(" | ".join(row) + "\n" for row in rows)


def judging(shown: str) -> Judging:
    """How these benchmarks are judged, with these examples."""
    return Judging(
        request=_asking(shown),
        parse=parse,
        menu=(0.0, 1.0),
        unreadable=(0.0,),
        official_attempts=ATTEMPTS,
        neutral=neutral_cell,
        layout="grades",
        missing=(0.0,),
    )


def parse(reply: str) -> Points | None:
    """What Python reads as a number in the first field before a blank, from 0 to 1; so " 1" has none, "5e-1" has."""
    try:
        score = float(reply.split(" ")[0].strip())
    except ValueError:
        return None
    return finite((score,)) if 0 <= score <= 1 else None


tally = tallying("score")
BOUNDS = {"std": None}
"""Of the metrics; the total is percent."""


def metrics(sums: Sums) -> dict[str, Column]:
    """Mean over the runs of each run's percentage, and the population standard deviation between runs."""
    totals = [100 * ratio(sums[f"score {run}"], sums[f"judged {run}"]) for run in range(runs(sums))]
    table = np.stack(totals or [np.zeros(1)])
    return {"total": table.mean(axis=0), "std": table.std(axis=0)}


def find(samples: Sequence[Sample]) -> Find:
    """Answers that carry their question's id, with or without its prefix."""
    ids = {written: sample.id for sample in samples for written in (sample.id.removeprefix(PREFIX), sample.id)}
    return lambda name, _: ids.get(name)


def upload(samples: Sequence[Sample], answers: Mapping[str, Answer]) -> str:
    """{id: text} in the official order, as the official evaluators and their spaces take it."""
    return json.dumps({sample.id: answers[sample.id].text for sample in samples if sample.id in answers}, indent=2)


def _asking(shown: str) -> Callable[[Sample, str, int], Request]:
    def request(sample: Sample, answer: str, attempt: int) -> Request:
        if not sample.text:
            raise DataError(f"Question {sample.id!r} has no wording to show a judge. Put its questions.jsonl in place.")
        # The official retries ask at 0, 0.5, 1, ... and, in ViP-Bench, put the question as the metadata has it.
        question = sample.gold[-1] if attempt and len(sample.gold) > 1 else sample.text
        truth = sample.gold[0].replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
        row = " | ".join([question, truth, answer, ""]) + (_ASK_AGAIN if attempt else "")
        return Request((("user", f"{shown}\n{row}"),), 0.5 * max(attempt - 1, 0), _MAX_TOKENS)

    return request
