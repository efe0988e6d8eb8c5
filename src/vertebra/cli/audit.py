"""`vertebra audit STUDY`: what differs between the arms of a study, beside what it swaps.

$ vertebra audit published
published: 8 arms, 11 confounds.

Confounds: neither backbone nor family asks for them
- order (llava-1.5 finetune): by_modality (vicuna-7b, vicuna-13b, phi-3-mini);
  random (llama-3-8b). Batches of one modality give other gradients than mixed
  ones do.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertebra.cli.study import STORE, AsJson, DataFolder, StoreFolder, draw
from vertebra.cli.text import many, paragraph, printable
from vertebra.errors import Refused, UnknownName

if TYPE_CHECKING:
    from vertebra.audit import Audit, Difference
    from vertebra.audit.rules import Kind
    from vertebra.catalog import Catalog
    from vertebra.spec import Json

_HEADINGS: "dict[Kind, str]" = {
    "confound": "Confounds: neither backbone, family nor seed asks for them",
    "unavoidable": "Unavoidable: they come with what is swapped",
    "intended": "Intended: what the study swaps",
}
_SHOWN = 48
_NAMED = 4
"""Benchmarks that are named and not counted."""
_MILLION = 1_000_000
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
    confounds = audit.of("confound")
    counted = many(len(confounds), "confound") if confounds else "no confound"
    yield f"{audit.study}: {many(len(audit.arms), 'arm')}, {counted}."
    for kind, heading in _HEADINGS.items():
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
    values = "; ".join(f"{_value(difference.field, value)} ({', '.join(arms)})" for value, arms in difference.values)
    where = _where(difference, audit)
    why = f". {difference.why}" if difference.kind == "confound" else ""
    return f"{difference.field.replace('_', ' ')}{f' ({where})' if where else ''}: {values}{why}"


def _where(difference: "Difference", audit: "Audit") -> str:
    """`llava-1.5 finetune; vip-llava stage2, stage3`: what the arms share, and in which parts they differ.

    Left out are parts that hold throughout, and what all that can be compared share.
    """
    by_parts: dict[str, list[str]] = {}
    for place in difference.places:
        by_parts.setdefault(_parts(place.parts, audit), []).append(place.within)
    groups = audit.groups(difference.between)
    told = []
    for parts, within in by_parts.items():
        shared = "" if len(within) == len(groups) else ", ".join(within)
        told.append(f"{shared} {parts}".strip())
    return "; ".join(filter(None, told))


def _parts(parts: Sequence[str], audit: "Audit") -> str:
    """The stages and benchmarks in which it is so; nothing for what holds throughout."""
    benchmarks = [part for part in parts if part in audit.benchmarks]
    others = [part for part in parts if part not in benchmarks and part != "model"]
    if len(benchmarks) > _NAMED:
        others, benchmarks = [*others, f"{len(benchmarks)} benchmarks"], []
    return ", ".join([*others, *benchmarks])


def _value(field: str, value: "Json") -> str:
    """A value as people read it."""
    from vertebra.audit.rules import rule_of

    match value:
        case None:
            return rule_of(field).nothing
        case bool():
            return "yes" if value else "no"
        case int() if value >= _MILLION:
            return f"{value / 1e9:.2f} B" if value >= 1000 * _MILLION else f"{value / 1e6:.1f} M"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case str():
            text = value[:8] if re.fullmatch("[0-9a-f]{64}", value) else printable(value)
            return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
        case Mapping():
            return ", ".join(f"{key} {_value(field, inner)}" for key, inner in value.items())
        case _:
            return ", ".join(_value(field, inner) for inner in value)
