"""`vertebra audit STUDY`: what differs between the arms of a study, beside what it swaps.

$ vertebra audit published
published: 8 arms, 11 confounds.

Confounds: neither backbone nor family asks for them
- order (llava-1.5 finetune): by_modality (vicuna-7b, vicuna-13b, phi-3-mini);
  random (llama-3-8b). Batches of one modality give other gradients than mixed
  ones do.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertebra.cli.study import STORE, AsJson, DataFolder, StoreFolder, draw
from vertebra.cli.text import many, paragraph, printable
from vertebra.errors import Refused, UnknownName

if TYPE_CHECKING:
    from vertebra.audit import Audit, Difference
    from vertebra.catalog import Catalog

_FILES = (".yaml", ".yml")


def audit(
    study: Annotated[
        str,
        typer.Argument(metavar="STUDY", help="A study, or settings such as `published`; a YAML file or shipped name."),
    ],
    strict: Annotated[bool, typer.Option("--strict", help="End with exit code 3 when a confound is found.")] = False,
    store: StoreFolder = STORE,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between the arms of a study: confounds first, then the unavoidable, then what is intended."""
    from vertebra.catalog import Catalog

    found = _audit(study, Catalog.installed(), store, data)
    if as_json:
        typer.echo(json.dumps(found.document(), indent=1, allow_nan=False))
    else:
        for line in lines(found):
            typer.echo(line)
    confounds = found.of("confound")
    if strict and confounds:
        named = ", ".join(dict.fromkeys(difference.field for difference in confounds))
        raise Refused(
            f"{many(len(confounds), 'confound')} between the arms of {found.study}: {named}. Make the arms alike in "
            "this, or tell it beside every number."
        )


def lines(audit: "Audit") -> Iterator[str]:
    """An audit as a terminal shows it."""
    from vertebra.audit.telling import HEADINGS

    confounds = audit.of("confound")
    counted = many(len(confounds), "confound") if confounds else "no confound"
    yield f"{audit.study}: {many(len(audit.arms), 'arm')}, {counted}."
    for kind, heading in HEADINGS.items():
        differences = audit.of(kind)
        if differences:
            yield f"\n{heading}"
        for difference in differences:
            yield paragraph(f"- {_told(difference, audit)}", hang=2)
    for heading, sentences in (("Not known", audit.unknown), ("Notes", audit.notes)):
        if sentences:
            yield f"\n{heading}"
        for sentence in sentences:
            yield paragraph(f"- {sentence}", hang=2)
    if audit.sources:
        yield f"\nRead in {len(audit.sources)} places, which --json names."


def _audit(name: str, catalog: "Catalog", store: Path, data: Path | None) -> "Audit":
    """Of a study, or of settings where the name or file is theirs."""
    from vertebra.audit import audit_plan, audit_settings, read_settings

    if name in catalog.names("settings"):
        return audit_settings(read_settings(catalog.path("settings", name)), catalog)
    if name.endswith(_FILES) and _holds_settings(Path(name)):
        return audit_settings(read_settings(Path(name)), catalog)
    if not name.endswith(_FILES) and name not in catalog.names("studies"):
        raise UnknownName("study or published settings", name, [*catalog.names("studies"), *catalog.names("settings")])
    drawn = draw(*catalog.study(name), store, data)
    return audit_plan(drawn.plan, drawn.catalog, drawn.store)


def _holds_settings(path: Path) -> bool:
    """Whether a file has passages, as settings do; who reads it as a study says what is wrong with another."""
    from vertebra.reading import read_text

    return path.is_file() and any(line.startswith("passages:") for line in read_text(path).splitlines())


def _told(difference: "Difference", audit: "Audit") -> str:
    """One difference in a line or two; why it matters where it is a confound."""
    from vertebra.audit.telling import tell

    told = tell(difference, audit, printable)
    values = "; ".join(f"{value} ({', '.join(arms)})" for value, arms in told.values)
    why = f". {told.why}" if difference.kind == "confound" else ""
    return f"{told.field}{f' ({told.where})' if told.where else ''}: {values}{why}"
