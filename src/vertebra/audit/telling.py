"""A difference in words, for terminals and pages.

told = tell(difference, audit)
told.field, told.where    "order", "llava-1.5 finetune"
told.values               (("by_modality", ("vicuna-7b", "phi-3-mini")), ("random", ("llama-3-8b",)))
told.why                  "Batches of one modality give other gradients than mixed ones do."
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from vertebra.audit.differences import Audit, Difference
from vertebra.audit.rules import Kind, rule_of
from vertebra.spec import Json

HEADINGS: Mapping[Kind, str] = {
    "confound": "Confounds: neither backbone, family nor seed asks for them",
    "unavoidable": "Unavoidable: they come with what is swapped",
    "intended": "Intended: what the study swaps",
}
Clean = Callable[[str], str]
"""Takes out of a text what must not be shown where it is going, such as a terminal's escapes."""
_SHOWN = 48
_NAMED = 4
"""Benchmarks that are named and not counted."""
_MILLION = 1_000_000


class Told(NamedTuple):
    """One difference."""

    field: str
    where: str
    """Empty where it is so throughout."""
    values: tuple[tuple[str, tuple[str, ...]], ...]
    """Each value and the arms that have it."""
    why: str


def tell(difference: Difference, audit: Audit, clean: Clean) -> Told:
    """One difference in words. Long values are shortened after they were cleaned."""
    values = tuple((_value(difference.field, value, clean), arms) for value, arms in difference.values)
    return Told(difference.field.replace("_", " "), _where(difference, audit), values, difference.why)


def _where(difference: Difference, audit: Audit) -> str:
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


def _parts(parts: Sequence[str], audit: Audit) -> str:
    """The stages and benchmarks in which it is so; nothing for what holds throughout."""
    benchmarks = [part for part in parts if part in audit.benchmarks]
    others = [part for part in parts if part not in benchmarks and part != "model"]
    if len(benchmarks) > _NAMED:
        others, benchmarks = [*others, f"{len(benchmarks)} benchmarks"], []
    return ", ".join([*others, *benchmarks])


def _value(field: str, value: Json, clean: Clean) -> str:
    """A value as people read it."""
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
            text = value[:8] if re.fullmatch("[0-9a-f]{64}", value) else clean(value)
            return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
        case Mapping():
            return ", ".join(f"{key} {_value(field, inner, clean)}" for key, inner in value.items())
        case _:
            return ", ".join(_value(field, inner, clean) for inner in value)
