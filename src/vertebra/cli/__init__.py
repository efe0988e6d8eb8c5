"""The command line: `vertebra plan|run|status|report STUDY`, `vertebra score BENCHMARK`, ...

Results go to stdout, progress and errors to stderr. A `VertebraError` is one paragraph and its exit code; a traceback
is a bug. Commands import what they need when they run, so that `--help` answers at once.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vertebra.cli.audit import audit
from vertebra.cli.check import check
from vertebra.cli.compare import compare
from vertebra.cli.convert import convert
from vertebra.cli.draw import mark, show
from vertebra.cli.eval import eval_
from vertebra.cli.fetch import fetch
from vertebra.cli.findings import findings
from vertebra.cli.regions import regions
from vertebra.cli.score import score
from vertebra.cli.study import plan, report, run, status
from vertebra.cli.text import paragraph
from vertebra.errors import Stopped, VertebraError


def main() -> None:
    """The console script `vertebra`."""
    try:
        _app()()
    except VertebraError as error:
        _leave(error)
    except OSError as error:
        from vertebra.files import storage_error

        full = storage_error(error, Path.cwd())
        if full is None:
            raise
        _leave(full)


def _app() -> typer.Typer:
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_vertebra)
    reading = (report, findings, audit, score, compare)
    for command in (plan, run, status, *reading, check, fetch, convert, regions, show, mark):
        app.command()(command)
    app.command("eval")(eval_)
    return app


def _vertebra(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=lambda given: _version(given), help="Say which and exit."),
    ] = False,
) -> None:
    """Which language backbone should a vision-language model wear, and what does it change?"""


def _version(given: bool) -> None:
    if given:
        from importlib.metadata import version

        typer.echo(f"vertebra {version('vertebra')}")
        raise typer.Exit


def _leave(error: VertebraError) -> None:
    text = str(error) if isinstance(error, Stopped) else f"error: {error}"
    try:
        typer.echo(paragraph(text), err=True)
    except BrokenPipeError:  # nobody reads; Python would complain once more when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.exit(error.exit_code)
