"""Arms compared, one swapped thing at a time, and what differs between them sorted by what it means.

    Difference("confound", "backbones", "order", (Place("llava-1.5", ("finetune",)),),
               (Value("by_modality", ("vicuna-7b", "phi-3-mini")), Value(None, ("llama-3-8b",))), "…")

A difference that is the same in several stages, benchmarks or families is told once.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vertebra.audit.arms import MODEL, Arm, Field
from vertebra.audit.rules import Axis, Kind, rule_of, why
from vertebra.spec import Json, canonical

KINDS: tuple[Kind, ...] = ("confound", "unavoidable", "intended")
_AXES: tuple[Axis, ...] = ("backbones", "families", "seeds")


class Value(NamedTuple):
    """One of the values that a field has, and the arms that have it."""

    value: Json
    arms: tuple[str, ...]
    """Backbones, families or seeds, by what is compared."""


class Place(NamedTuple):
    """Where arms differ."""

    within: str
    """What they share: the family, the backbone, or both; and the seed, where a study has several."""
    parts: tuple[str, ...]
    """The stages or benchmarks; `model` for what holds throughout."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which arms differ, everywhere in the same way."""

    kind: Kind
    between: Axis
    """What is swapped between the arms."""
    field: str
    places: tuple[Place, ...]
    values: tuple[Value, ...]
    why: str

    def document(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "kind": self.kind,
            "between": self.between,
            "field": self.field,
            "places": [place._asdict() for place in self.places],
            "values": [{"value": value, "arms": arms} for value, arms in self.values],
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Audit:
    """All that differs between the arms of a study, and what could not be looked at."""

    study: str
    arms: tuple[Arm, ...]
    differences: tuple[Difference, ...]
    """Confounds first."""
    unknown: tuple[str, ...] = ()
    """One sentence each."""
    notes: tuple[str, ...] = ()
    """What is said beside published settings."""
    sources: tuple[str, ...] = ()
    """Where published settings were read."""

    def of(self, kind: Kind) -> list[Difference]:
        """The differences of one kind."""
        return [difference for difference in self.differences if difference.kind == kind]

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The parts that are neither throughout nor stages."""
        parts = dict.fromkeys(field.part for arm in self.arms for field in arm.facts)
        return tuple(part for part in parts if part != MODEL and not any(part in arm.stages for arm in self.arms))

    def groups(self, axis: Axis) -> dict[str, list[Arm]]:
        """The arms that differ along an axis alone, by what they share; lone ones are left out."""
        return _groups(axis, self.arms)

    def document(self) -> dict[str, Json]:
        """The JSON of `vertebra audit --json`."""
        return {
            "study": self.study,
            "arms": [arm.name for arm in self.arms],
            **{f"{kind}s" if kind == "confound" else kind: len(self.of(kind)) for kind in KINDS},
            "differences": [difference.document() for difference in self.differences],
            "unknown": self.unknown,
            **({"notes": self.notes, "sources": self.sources} if self.sources else {}),
        }


def compare(arms: Sequence[Arm]) -> tuple[Difference, ...]:
    """All differences between arms that have two of family, backbone and seed in common, confounds first."""
    found = [each for axis in _AXES for each in _along(axis, arms)]
    return tuple(sorted(found, key=lambda difference: KINDS.index(difference.kind)))


def _along(axis: Axis, arms: Sequence[Arm]) -> Iterator[Difference]:
    """What differs in each group of arms that differ along this axis alone."""
    found: dict[tuple[str, Hashable], dict[str, list[str]]] = {}
    shown: dict[tuple[str, Hashable], tuple[Value, ...]] = {}
    for within, group in _groups(axis, arms).items():
        for field, values in _differing(axis, group):
            same: tuple[str, Hashable] = (field.name, tuple((canonical(value), names) for value, names in values))
            shown[same] = values
            found.setdefault(same, {}).setdefault(within, []).append(field.part)
    for told, parts in found.items():
        places = tuple(Place(within, tuple(named)) for within, named in parts.items())
        name = told[0]
        yield Difference(rule_of(name).kind(axis), axis, name, places, shown[told], why(name, axis))


def _groups(axis: Axis, arms: Sequence[Arm]) -> dict[str, list[Arm]]:
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(_shared(axis, arm, arms), []).append(arm)
    return {shared: group for shared, group in groups.items() if len(group) > 1}


def _differing(axis: Axis, group: Sequence[Arm]) -> Iterator[tuple[Field, tuple[Value, ...]]]:
    """The fields in which the arms of a group that have them differ."""
    for field in dict.fromkeys(field for arm in group for field in arm.facts):
        known = [(_name(axis, arm), arm.facts[field]) for arm in group if field in arm.facts]
        values = tuple(_grouped(_apart(known)))
        if len(values) > 1:
            yield field, values


def _apart(known: Sequence[tuple[str, Json]]) -> Iterator[tuple[str, Json]]:
    """Of mappings, only the keys in which they differ."""
    mappings = [value for _, value in known if isinstance(value, Mapping)]
    if len(mappings) < len(known):
        yield from known
        return
    keys = dict.fromkeys(key for mapping in mappings for key in mapping)
    differing = [key for key in keys if len({canonical(mapping.get(key)) for mapping in mappings}) > 1]
    for (name, _), mapping in zip(known, mappings, strict=True):
        yield name, {key: mapping.get(key) for key in differing}


def _grouped(known: Iterable[tuple[str, Json]]) -> Iterator[Value]:
    by_value: dict[str, tuple[Json, list[str]]] = {}
    for name, value in known:
        by_value.setdefault(canonical(value), (value, []))[1].append(name)
    for value, names in by_value.values():
        yield Value(value, tuple(names))


def _name(axis: Axis, arm: Arm) -> str:
    names: Mapping[Axis, str] = {"backbones": arm.backbone, "families": arm.family, "seeds": f"seed{arm.seed}"}
    return names[axis]


def _shared(axis: Axis, arm: Arm, arms: Sequence[Arm]) -> str:
    """What a group of arms has in common; the seed is told where there are several."""
    seed = [f"seed{arm.seed}"] if len({each.seed for each in arms}) > 1 else []
    names: Mapping[Axis, list[str]] = {
        "backbones": [arm.family, *seed],
        "families": [arm.backbone, *seed],
        "seeds": [arm.family, arm.backbone],
    }
    return "/".join(names[axis])
