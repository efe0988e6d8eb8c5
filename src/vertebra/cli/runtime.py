"""How a study is run, put together from a file and options, later ones first in rank:

    defaults  <  --runtime FILE.yaml  <  --set KEY=VALUE  <  options of their own (--workers, --data, ...)

A file is for a machine or a cluster, and not for a study:

    devices: 8
    tracking: [tensorboard, wandb]
    peak_tflops: 989
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vertebra.runtime import Runtime

RuntimeFile = Annotated[
    Path | None,
    typer.Option(
        "--runtime",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Settings that say how it is run, as YAML (docs/training.md).",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting: --set devices=2 --set tracking=[wandb]. Repeatable."),
]


def read_runtime(
    file: Path | None, settings: Sequence[str], options: Mapping[str, Path | int | float | None]
) -> "Runtime":
    """The settings given, for what is not given the defaults; an option that is None was not given.

    Raises `ConfigError` naming the file and line, or the option, that does not say what it should.
    """
    from vertebra.reading import read_spec, with_setting, with_value
    from vertebra.runtime import Runtime

    runtime = read_spec(file, Runtime) if file else Runtime()
    for setting in settings:
        runtime = with_setting(runtime, setting, f"--set {setting}")
    for name, value in options.items():
        if value is not None:
            runtime = with_value(runtime, name, value, f"--{name.replace('_', '-')}")
    return runtime
