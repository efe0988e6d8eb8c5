"""`vertebra compare A B --published TABLE`: what published numbers show, by how many questions they are of.

study-llm-backbones
A  llava-1.5/vicuna-13b
B  llava-1.5/llama-3-8b
              n    A    B   B-A   95 % interval     p detect real
mmbench   1,164 67.7 72.3  +4.6    +2.0 .. +7.2 <.001    3.8 yes
gqa      12,578 63.3 63.2 -0.10  -0.94 .. +0.74  .816    1.2 no
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import typer

from vertebra.cli.text import paragraph, printable
from vertebra.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    from vertebra.literature import Reference
    from vertebra.scoring.benchmark import Benchmark
    from vertebra.scoring.contrast import Contrast


class Line(NamedTuple):
    """Two published numbers of a benchmark."""

    benchmark: "Benchmark"
    a: float
    b: float
    contrast: "Contrast"
    p: float
    """By Holm over all benchmarks that both models have."""

    @property
    def verdict(self) -> str:
        """Whether the difference is more than chance."""
        from vertebra.scoring.significance import ALPHA

        if self.p <= ALPHA:
            return "real"
        return "not after Holm" if self.contrast.p <= ALPHA else "not shown"


_MARKS = {"real": "yes", "not after Holm": "no *", "not shown": "no"}


def compare_published(names: Sequence[str], table_name: str, as_json: bool) -> None:
    """Two models of a published table on all benchmarks that both have. `UnknownName` for others."""
    from vertebra.catalog import Catalog
    from vertebra.cli.findings import ASSUMED

    table = Catalog.installed().reference(table_name)
    for name in names:
        if name not in table.models:
            raise UnknownName(f"model of {table_name}", name, table.models)
    found = _lines(table, *names)
    if not found:
        raise ConfigError(f"{table_name} says of no benchmark how many questions its numbers are of.")
    unsized = sorted(
        name for name in table.models[names[0]] if name in table.models[names[1]] and name not in table.sizes
    )
    if as_json:
        typer.echo(json.dumps(_document(names, table, found, unsized), allow_nan=False))
        return
    typer.echo(printable(table.title))
    for letter, name in zip("AB", names, strict=True):
        typer.echo(f"{letter}  {name}")
    _show(found, table)
    for sentence in _remarks(found, table, unsized):
        typer.echo(paragraph(sentence))
    typer.echo(paragraph(ASSUMED.format(correlation=table.correlation)))


def _lines(table: "Reference", a: str, b: str) -> list[Line]:
    from vertebra.benchmarks import benchmark, of_a_study
    from vertebra.scoring.significance import holm
    from vertebra.scoring.summary import between

    found = {name: contrast for name in of_a_study() if (contrast := between(table, a, b, name))}
    adjusted = holm([contrast.p for contrast in found.values()])
    return [
        Line(benchmark(name), table.models[a][name], table.models[b][name], contrast, p)
        for (name, contrast), p in zip(found.items(), adjusted, strict=True)
    ]


def _document(names: Sequence[str], table: "Reference", found: Sequence[Line], unsized: Sequence[str]) -> object:
    from vertebra.scoring.significance import detectable

    told = [
        {
            "benchmark": line.benchmark.name,
            "questions": table.sizes[line.benchmark.name].questions,
            "a": line.a,
            "b": line.b,
            "difference": line.contrast.value,
            "ci95": list(line.contrast.ci95),
            "error": line.contrast.error,
            "p": line.contrast.p,
            "p_holm": line.p,
            "minimum_detectable": detectable(line.contrast.error),
            "verdict": line.verdict,
        }
        for line in found
    ]
    assumed = {"correlation": table.correlation, "sizes": table.model_dump(mode="json")["sizes"]}
    given = dict(zip("ab", names, strict=True))
    return {"table": table.name, **given, "comparisons": told, "without_size": list(unsized), "assumed": assumed}


def _show(found: Sequence[Line], table: "Reference") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from vertebra.cli.differences import chance, signed
    from vertebra.scoring.significance import detectable

    shown = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for column in ("", "n", "A", "B", "B-A", "95 % interval", "p", "detect", "real"):
        shown.add_column(column, justify="right" if column not in ("", "real") else "left", no_wrap=True)
    for line in found:
        low, high = line.contrast.ci95
        questions = table.sizes[line.benchmark.name].questions
        shown.add_row(
            printable(line.benchmark.name),
            "" if questions is None else f"{questions:,}",
            f"{line.a:.1f}",
            f"{line.b:.1f}",
            signed(line.contrast.value),
            f"{signed(low)} .. {signed(high)}",
            chance(line.contrast.p),
            signed(detectable(line.contrast.error)).removeprefix("+"),
            _MARKS[line.verdict],
        )
    Console(highlight=False).print(shown)


def _remarks(found: Sequence[Line], table: "Reference", unsized: Sequence[str]) -> list[str]:
    real = sum(line.verdict == "real" for line in found)
    told = [
        f"{real} of {len(found)} differences are more than chance, all {len(found)} tests counted together (Holm, "
        ".05). detect: the difference that so many questions show in four of five studies."
    ]
    if any(line.verdict == "not after Holm" for line in found):
        told.append("* below .05 alone, but not with the others counted.")
    assumed = [
        f"{line.benchmark.title} {size.sd:g}"
        for line in found
        if (size := table.sizes[line.benchmark.name]).sd is not None
    ]
    if assumed:
        told.append(f"Standard deviation of a question's score, assumed: {', '.join(assumed)}.")
    fixed = [
        f"{line.benchmark.title} {size.error:g}" for line in found if (size := table.sizes[line.benchmark.name]).error
    ]
    if fixed:
        told.append(f"Standard error of a score, assumed: {', '.join(fixed)}.")
    if unsized:
        told.append(f"Left out, since how many questions there are is not known: {', '.join(unsized)}.")
    return told
