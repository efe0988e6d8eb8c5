"""Stored scores of small studies, with a row for each question, so that models can be compared."""

import json
from collections.abc import Iterable
from pathlib import Path

from vertebra.report import Cell


def scored(
    folder: Path, family: str, backbone: str, right: Iterable[bool], seed: int = 0, protocol: str = "testdev_balanced"
) -> Cell:
    """A model on GQA that answers these questions right, each on an image of its own."""
    rows = [
        {"id": str(n), "score": float(each), "cluster": str(n), "tally": {"right": float(each), "all": 1.0}}
        for n, each in enumerate(right)
    ]
    value = 100 * sum(row["score"] for row in rows) / len(rows)
    card = {
        "benchmark": "gqa",
        "protocol": protocol,
        "n": len(rows),
        "missing": 0,
        "headline": "accuracy",
        "metrics": {"accuracy": value},
        "groups": {},
        "ci95": {"accuracy": [value - 4, min(value + 4, 100)]},
    }
    out = folder / f"{family}-{backbone}-{seed}"
    out.mkdir(parents=True)
    (out / "scorecard.json").write_text(json.dumps(card))
    (out / "samples.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return Cell(family, backbone, seed, "gqa", card, score=out)


def three(folder: Path, family: str = "f") -> list[Cell]:
    """The best (90 of 100), one that differs from it by chance alone (89), and one far behind (40)."""
    counts = {"best": 90, "close": 89, "far": 40}
    return [scored(folder, family, name, [n < count for n in range(100)]) for name, count in counts.items()]
