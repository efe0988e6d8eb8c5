"""`vertebra report STUDY --verify`: is a report what the stored answers give? Nothing is changed.

$ vertebra report miniature --verify
FAIL gqa   298 numbers, 1 differs
ok   pope  342 numbers, all equal
...
results.json: gqa/f/b/seed0/accuracy value is 99.0, computed 84.25 (step f/b/seed0/gqa/score).
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vertebra.cli.finished import material
from vertebra.cli.text import checked, many, paragraph
from vertebra.errors import DataError, VertebraError

if TYPE_CHECKING:
    from vertebra.cli.study import Drawn
    from vertebra.report import Material
    from vertebra.report.verifying import Verification
    from vertebra.report.verifying.numbers import Difference
    from vertebra.store import Store

_SHOWN = 20


def verify(drawn: "Drawn", out: Path, organization: str, as_json: bool) -> None:
    """Verifies the report in the folder `out` and says what it found.

    `DataError` where the report, answers or data are missing; `VertebraError` where anything is not as computed.
    """
    from vertebra.report.publishing import organization_of
    from vertebra.report.verifying import verify as verified

    found = material(drawn, trusting=False)
    if not organization and (named := organization_of(out)) != drawn.plan.study.study:
        organization = named
    found = replace(found, organization=organization)
    verification = verified(found, out)
    damaged = _damaged(found, drawn.store)
    if as_json:
        document = _document(drawn.plan.study.study, out, verification, damaged)
        typer.echo(json.dumps(document, indent=1, allow_nan=False))
    else:
        _print(verification, damaged)
    if damaged or not verification.is_equal:
        raise VertebraError(
            f"{out} is not what the stored answers give: {many(len(verification.differences), 'value')} and "
            f"{many(len(verification.files), 'file')} differ, {many(len(damaged), 'step')} changed after the run."
        )


def _damaged(found: "Material", store: "Store") -> list[str]:
    """One sentence for each step whose files are not those that it wrote."""
    folders = [
        folder for cell in found.cells if cell.score for folder in (cell.answers and cell.answers.parent, cell.score)
    ]
    told = []
    for folder in filter(None, folders):
        try:
            store.verify(folder.parent.name)
        except DataError as error:
            told.append(str(error))
    return told


def _document(study: str, out: Path, found: "Verification", damaged: list[str]) -> dict[str, object]:
    return {
        "study": study,
        "report": str(out),
        "equal": found.is_equal and not damaged,
        "benchmarks": {name: tally._asdict() for name, tally in found.benchmarks.items()},
        "files": found.compared,
        "differences": [each._asdict() for each in found.differences],
        "differing_files": [each._asdict() for each in found.files],
        "damaged_steps": damaged,
    }


def _print(found: "Verification", damaged: list[str]) -> None:
    names = max(map(len, found.benchmarks), default=0)
    for name, (numbers, differing) in found.benchmarks.items():
        figure = many(numbers, "number") + _differing(differing)
        typer.echo(checked(not differing, name.ljust(names), figure))
    figure = many(found.compared, "file") + _differing(len(found.files))
    typer.echo(checked(not found.files, "files".ljust(names), figure))
    lines = [_told(each) for each in found.differences]
    lines += [f"{file}: {why}." for file, why in found.files]
    lines = [*damaged, *lines]
    for line in lines[:_SHOWN]:
        typer.echo(paragraph(line, hang=2))
    if len(lines) > _SHOWN:
        typer.echo(f"... and {len(lines) - _SHOWN:,} more; --json names all.")
    if not lines:
        typer.echo("Every number is what the stored answers give. Pictures were not compared.")


def _differing(number: int) -> str:
    return f", {number:,} {'differs' if number == 1 else 'differ'}" if number else ", all equal"


def _told(each: "Difference") -> str:
    step = f" (step {each.step})" if each.step else ""
    return f"{each.file}: {each.where} is {each.stands or 'missing'}, computed {each.computed or 'nothing'}{step}."
