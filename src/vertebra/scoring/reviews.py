"""LLaVA's review of two answers (Liu et al., arXiv:2304.08485): a judge reads both and gives each 1 to 10.

    8 7
    Assistant 1 provided a more detailed ...

The request's text is protocol: it is that of `llava/eval/eval_gpt_review_bench.py` and `llava/eval/table/rule.json` of
https://github.com/haotian-liu/LLaVA (Apache-2.0), where conversation, detail and complex questions share one rule. The
reference answer always comes first. A sample's gold is the reference answer and the caption of its picture.
"""

import numpy as np

from vertebra.scoring.benchmark import Judging, Points, Request, Sample
from vertebra.scoring.judging import finite, runs, tallying
from vertebra.scoring.metrics import Column, Sums, ratio
from vertebra.scoring.neutral import neutral_block

OFFICIALLY = (
    "a review without two scores counts -1 for both answers, given scores as they stand, and answers go into the "
    "review's blocks as they are. A missing answer, which officially shifts those after it, is an error here too."
)
_SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."
RULE = (
    "We would like to request your feedback on the performance of two AI assistants in response to the user question "
    "displayed above. The user asks the question on observing an image. For your reference, the visual content in the "
    "image is represented with a few sentences describing the image. \n"
    "Please rate the helpfulness, relevance, accuracy, level of details of their responses. Each assistant receives an "
    "overall score on a scale of 1 to 10, where a higher score indicates better overall performance.\n"
    "Please first output a single line containing only two values indicating the scores for Assistant 1 and 2, "
    "respectively. The two scores are separated by a space.\n"
    "In the subsequent line, please provide a comprehensive explanation of your evaluation, avoiding any potential "
    "bias and ensuring that the order in which the responses were presented does not affect your judgment."
)


def request(sample: Sample, answer: str, _attempt: int) -> Request:
    """The review that is asked for; a second attempt asks the same, for at 0.2 a reply may come out otherwise."""
    reference, caption = sample.gold
    text = (
        f"[Context]\n{caption}\n\n[Question]\n{sample.text}\n\n"
        f"[Assistant 1]\n{reference}\n\n[End of Assistant 1]\n\n"
        f"[Assistant 2]\n{answer}\n\n[End of Assistant 2]\n\n"
        f"[System]\n{RULE}\n\n"
    )
    return Request((("system", _SYSTEM), ("user", text)), 0.2, 1024)


def parse(reply: str) -> Points | None:
    """Two numbers, one blank or comma apart, alone in the first line; so "8, 7", "8/10 7/10" and " 8 7" have none."""
    fields = reply.split("\n")[0].replace(",", " ").split(" ")
    if len(fields) != 2:
        return None
    try:
        return finite((float(fields[0]), float(fields[1])))
    except ValueError:
        return None


JUDGING = Judging(
    request=request,
    parse=parse,
    menu=(0.0, 10.0),
    unreadable=(-1.0, -1.0),
    official_attempts=1,
    neutral=neutral_block,
    layout="reviews",
)


tally = tallying("reference", "candidate")


def metrics(sums: Sums) -> dict[str, Column]:
    """The mean over the runs of the official figure: a ratio of means in percent, each step rounded as there.

    With several runs their population standard deviation stands beside it.
    """
    table = np.stack([_relative(sums, run) for run in range(runs(sums))] or [np.zeros(1)])
    means = {"relative_score": table.mean(axis=0)}
    return {**means, "std": table.std(axis=0)} if len(table) > 1 else means


def _relative(sums: Sums, run: int) -> Column:
    count = sums[f"judged {run}"]
    reference, candidate = (_rounded(ratio(sums[f"{who} {run}"], count), 3) for who in ("reference", "candidate"))
    return _rounded(100 * ratio(candidate, reference), 1)


def _rounded(column: Column, digits: int) -> Column:
    """As Python rounds; numpy's own rounding differs in halves."""
    return np.array([round(value, digits) for value in column.tolist()])
