"""`vertebra score`: what an existing answers file is worth. No model, no torch.

vertebra score pope --annotations pope/ --answers answers.jsonl --json
{"benchmark": "pope", "protocol": "llava", "n": 8910, "missing": 0, "headline": "f1", "metrics": {"f1": ...}, ...}
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertebra.cli.text import printable
from vertebra.errors import ConfigError, DataError

if TYPE_CHECKING:
    from vertebra.scoring.benchmark import Benchmark
    from vertebra.scoring.scorecard import Scorecard


def score(
    benchmark: Annotated[str, typer.Argument(help="Name of the benchmark, such as pope.")],
    annotations: Annotated[Path, typer.Option(help="Official questions and gold answers: a folder or file.")],
    answers: Annotated[Path, typer.Option(help="Answers JSONL as LLaVA's runners write it, or the official upload.")],
    samples: Annotated[Path | None, typer.Option(help="Write each question's score here, as JSONL.")] = None,
    upload: Annotated[Path | None, typer.Option(help="Write the file that the official server or tool takes.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Score under this protocol, not the official one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score an answers file on a benchmark."""
    from vertebra import benchmarks
    from vertebra.files import write_atomically
    from vertebra.scoring import scorecard
    from vertebra.scoring.answers import read_answers
    from vertebra.scoring.records import uncollected

    chosen = benchmarks.benchmark(benchmark)
    chosen = chosen.under(protocol) if protocol else chosen
    _check(chosen, upload)
    with uncollected():
        questions = chosen.load(annotations)
        counted = scorecard.scored(questions)
        if not counted and not upload:
            raise DataError(f"{annotations} has no right answers. Only --upload can be made of its questions.")
        given = read_answers(answers, chosen, questions)
        verdicts = scorecard.judge(chosen, counted, given)
        card = scorecard.scorecard(chosen, counted, verdicts)
        if samples:
            rows = [
                {"id": question.label or question.id, "score": verdict.score, "parsed": verdict.parsed}
                for question, verdict in zip(counted, verdicts, strict=True)
            ]
            write_atomically(samples, "".join(json.dumps(row) + "\n" for row in rows))
        if upload and chosen.upload:
            write_atomically(upload, chosen.upload(questions, given))
            typer.echo(f"{upload} holds {len(given)} answers to {len(questions)} questions.", err=True)
    if card.missing:
        typer.echo(f"{answers} leaves {card.missing} of {card.n} questions unanswered.", err=True)
    if as_json:
        typer.echo(json.dumps(card.to_json(), allow_nan=False))
    elif counted:
        _show(chosen, card)


def _check(chosen: "Benchmark", upload: Path | None) -> None:
    """Refuses options that this benchmark has no use for before anything is read."""
    from vertebra import benchmarks

    if upload and not chosen.upload:
        having = [name for name in benchmarks.names() if benchmarks.benchmark(name).upload]
        raise ConfigError(f"{chosen.name} has no official upload. Leave --upload out; these have one: {having}.")


def _show(chosen: "Benchmark", card: "Scorecard") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    names = list(dict.fromkeys([*card.scores.metrics, *_group_metrics(card)]))
    title = f"{chosen.title} ({card.protocol}), {card.n} questions"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("all", *(_cell(card.scores.metrics.get(name)) for name in names))
    for values in card.scores.groups.values():
        table.add_section()
        for value, metrics in values.items():
            table.add_row(Text(printable(value)), *(_cell(metrics.get(name)) for name in names))
    Console().print(table)


def _group_metrics(card: "Scorecard") -> list[str]:
    return [name for values in card.scores.groups.values() for metrics in values.values() for name in metrics]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".removesuffix(".00")
