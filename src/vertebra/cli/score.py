"""`vertebra score`: what an existing answers file is worth. No model, no torch.

vertebra score pope --annotations pope/ --answers answers.jsonl --json
{"benchmark": "pope", "protocol": "llava", "n": 8910, "missing": 0, "headline": "f1", "metrics": {"f1": ...}, ...}
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertebra.cli.text import printable
from vertebra.errors import ConfigError, DataError

if TYPE_CHECKING:
    from vertebra.scoring.benchmark import Answer, Benchmark, Sample, Verdict
    from vertebra.scoring.judging import Judgments
    from vertebra.scoring.scorecard import Scorecard


def score(
    benchmark: Annotated[str, typer.Argument(help="Name of the benchmark, such as pope.")],
    annotations: Annotated[Path, typer.Option(help="Official questions and gold answers: a folder or file.")],
    answers: Annotated[Path, typer.Option(help="Answers JSONL as LLaVA's runners write it, or the official upload.")],
    samples: Annotated[Path | None, typer.Option(help="Write each question's score here, as JSONL.")] = None,
    upload: Annotated[Path | None, typer.Option(help="Write the file that the official server or tool takes.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Score under this protocol; `official` counts as the official code does even where that is wrong."
        ),
    ] = None,
    judgments: Annotated[
        list[Path] | None, typer.Option(help="Replay these: official reviews or grades, or a judge's cache.")
    ] = None,
    judge: Annotated[str | None, typer.Option(help="Model to ask (key in OPENAI_API_KEY), or `rules`.")] = None,
    judge_url: Annotated[
        str, typer.Option(envvar="OPENAI_BASE_URL", show_envvar=True, help="Its OpenAI-compatible base URL.")
    ] = "openai",
    runs: Annotated[int, typer.Option(min=1, help="How often the judge is asked about each answer.")] = 1,
    judge_cache: Annotated[
        Path | None, typer.Option(help="Where replies are kept (default: ANSWERS.judge.jsonl).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score an answers file on a benchmark."""
    from vertebra import benchmarks
    from vertebra.collector import uncollected
    from vertebra.files import write_atomically
    from vertebra.scoring import scorecard
    from vertebra.scoring.answers import read_answers

    chosen = benchmarks.benchmark(benchmark)
    official = protocol == "official"
    if protocol:
        chosen = chosen.under(protocol)
    _check(chosen, upload, bool(judgments or judge))
    with uncollected():
        questions = chosen.load(annotations)
        counted = scorecard.scored(questions)
        if not counted and not upload:
            raise DataError(f"{annotations} has no right answers. Only --upload can be made of its questions.")
        given = read_answers(answers, chosen, questions)
        chosen = chosen.as_asked(given).of_release(questions)
        if upload and chosen.upload:
            write_atomically(upload, chosen.upload(questions, given))
            typer.echo(f"{upload} holds {len(given)} answers to {len(questions)} questions.", err=True)
        if chosen.judging:
            if _foreign(questions, given):
                typer.echo(f"No prompt in {answers} holds its question. Are these answers to {chosen.name}?", err=True)
            cache = judge_cache or answers.with_name(f"{answers.name}.judge.jsonl")
            bar = _Bar(tuple(judgments or ()), judge or "", judge_url, runs, cache, official)
            chosen, verdicts = bar.judged(chosen, counted, given)
        else:
            verdicts = scorecard.judge(chosen, counted, given)
        card = scorecard.scorecard(chosen, counted, verdicts)
        if samples:
            rows = [
                {"id": question.label or question.id, "score": verdict.score, "parsed": verdict.parsed}
                for question, verdict in zip(counted, verdicts, strict=True)
            ]
            write_atomically(samples, "".join(json.dumps(row) + "\n" for row in rows))
    if official:
        typer.echo(f"{chosen.title}: {chosen.officially or 'no difference to the official code is known.'}", err=True)
    if card.missing:
        typer.echo(f"{answers} leaves {card.missing} of {card.n} questions unanswered.", err=True)
    if as_json:
        typer.echo(json.dumps(card.to_json(), allow_nan=False))
    elif counted:
        _show(chosen, card)


def _check(chosen: "Benchmark", upload: Path | None, judged: bool) -> None:
    """Refuses options that this benchmark has no use for before anything is read."""
    from vertebra import benchmarks

    if upload and not chosen.upload:
        having = [name for name in benchmarks.names() if benchmarks.benchmark(name).upload]
        raise ConfigError(f"{chosen.name} has no official upload. Leave --upload out; these have one: {having}.")
    if judged and not chosen.judged:
        raise ConfigError(f"{chosen.name} is graded by a rule, not by a judge. Leave --judge and --judgments out.")


def _foreign(questions: "Sequence[Sample]", given: "Mapping[str, Answer]") -> bool:
    """Whether prompts are stored beside the answers and none is about the question whose number it has."""
    told = [(asked.text, given[asked.id].prompt) for asked in questions if asked.id in given and given[asked.id].prompt]
    return bool(told) and not any(text in prompt for text, prompt in told)


@dataclass(frozen=True, slots=True)
class _Bar:
    """Where judgments come from: files, or a judge who is asked."""

    judgments: tuple[Path, ...]
    judge: str
    url: str
    runs: int
    cache: Path
    official: bool

    def judged(
        self, chosen: "Benchmark", samples: "Sequence[Sample]", answers: "Mapping[str, Answer]"
    ) -> "tuple[Benchmark, list[Verdict]]":
        from vertebra.scoring import judging
        from vertebra.scoring.rules import SCRIPTED

        name, judgments = self._judgments(chosen, samples, answers)
        for model in sorted({found.model for each in judgments.values() for found in each} - {name, ""}):
            if name and model != SCRIPTED:
                typer.echo(f"{name} was asked and {model} answered; the protocol names both.", err=True)
        return judging.judged(chosen, samples, answers, judgments, name, self.official)

    def _judgments(
        self, chosen: "Benchmark", samples: "Sequence[Sample]", answers: "Mapping[str, Answer]"
    ) -> "tuple[str, Judgments]":
        """The judge's name, where it is known, and what it said."""
        from vertebra.scoring import hearing, judge, judging, judgments

        if self.judgments:
            return judgments.given(self.judgments, chosen, samples, answers, self.judge, self.official)
        if not self.judge:
            raise judging.no_judge(chosen)
        asked = judge.appoint(self.judge, self.url, os.environ, self.cache)
        return asked.name, hearing.hear(chosen, samples, answers, asked, self.runs, self.official, _tell)


def _tell(done: int, total: int) -> None:
    """How far the judge is, where somebody watches."""
    if sys.stderr.isatty():
        typer.echo(f"\r{done} of {total} judgments" + "\n" * (done == total), err=True, nl=False)


def _show(chosen: "Benchmark", card: "Scorecard") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    names = list(dict.fromkeys([*card.scores.metrics, *_group_metrics(card)]))
    title = Text(printable(f"{chosen.title} ({card.protocol}), {card.n} questions"))
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("all", *(_cell(card.scores.metrics.get(name)) for name in names))
    for values in card.scores.groups.values():
        table.add_section()
        for value, metrics in values.items():
            table.add_row(Text(printable(value)), *(_cell(metrics.get(name)) for name in names))
    console = Console()
    console.print(title)
    console.print(table)


def _group_metrics(card: "Scorecard") -> list[str]:
    return [name for values in card.scores.groups.values() for metrics in values.values() for name in metrics]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".removesuffix(".00")
