"""Why a step would run: what is different about it, compared with its nearest kin among the finished steps.

    stage.learning_rate   2e-05 -> 0.0001
    mixture.records       ["a.json"] -> ["a.json", "b.json"]
    needs.0               tiny-llava-1.5/tiny-phi-3/seed0/pretrain (9f86d081) -> ... (60303ae2)

Specs are compared flattened, `{"stage": {"batch": 4}}` as `stage.batch: 4`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vertebra.plan import Plan, Step
from vertebra.spec import Json
from vertebra.store import Store

_SHOWN = 60
Fields = frozenset[tuple[str, str]]


class Difference(NamedTuple):
    """A field in which two steps differ: its values as JSON, "" where one of them has no such field."""

    field: str
    old: str
    new: str

    @property
    def values(self) -> str:
        """Both values, shortened; for a text of many lines the line from which on it differs."""
        texts = [json.loads(value or "null") for value in (self.old, self.new)]
        if all(isinstance(text, str) and "\n" in text for text in texts):
            old, new = (text.split("\n") for text in texts)
            same = next((place for place, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(old))
            return f"the text differs from line {same + 1} on"
        return f"{_short(self.old)} -> {_short(self.new)}"


class Kin(NamedTuple):
    """The finished step that is most like a missing one."""

    label: str
    differs: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Genealogy:
    """The finished steps of a store, ready to be compared with the steps of a plan."""

    done: frozenset[str]
    """Keys of the plan's steps that are finished."""
    order: tuple[str, ...]
    """Keys of the plan's steps, each after those it needs."""
    labels: Mapping[str, str]
    """Labels by key, of the plan and of everything finished."""
    finished: Mapping[str, Sequence[tuple[str, Fields]]]
    """Label and flattened preimage of every finished step, by kind."""

    @classmethod
    def of(cls, plan: Plan, store: Store) -> "Genealogy":
        """Reads the store once."""
        done = frozenset(step.key for step in plan.steps if store.done(step.key))
        labels: dict[str, str] = {}
        finished: dict[str, list[tuple[str, Fields]]] = {}
        for key, record in store.finished():
            labels[key] = str(record.get("label"))
            fields = frozenset(_fields(record.get("spec"), record.get("needs")))
            finished.setdefault(str(record.get("kind")), []).append((labels[key], fields))
        labels |= {step.key: step.label for step in plan.steps}
        return cls(done, tuple(step.key for step in plan.steps), labels, finished)

    def needs(self, step: Step) -> list[str]:
        """Labels of the steps that it waits for, in the plan's order."""
        return [self.labels[need] for need in self.order if need in step.awaits and need not in self.done]

    def kin(self, step: Step) -> Kin | None:
        """The finished step of its kind with the fewest different fields; of equals, the one of the same name."""
        own = frozenset(_fields(step.spec, step.needs))
        others = self.finished.get(step.kind, ())
        if not others:
            return None
        label, fields = min(others, key=lambda other: (len(_differing(own, other[1])), other[0] != step.label))
        names = sorted(_differing(own, fields))
        old, new = dict(fields), dict(own)
        return Kin(label, tuple(self._difference(name, old.get(name, ""), new.get(name, "")) for name in names))

    def reason(self, step: Step) -> str:
        """Why the step would run, in one sentence."""
        if needs := self.needs(step):
            return f"needs {needs[-1]}"
        kin = self.kin(step)
        if kin is None:
            return "nothing like it in the store"
        of = f"finished step {kin.label}"
        match kin.differs:
            case []:
                return f"{of} is damaged"
            case [only]:
                return f"{only.field} differs from {of}: {only.values}"
            case [first, second]:
                return f"{first.field} and {second.field} differ from {of}"
            case [first, second, *more]:
                return f"{first.field}, {second.field} and {len(more)} more differ from {of}"
            case _:
                raise AssertionError(kin)

    def _difference(self, field: str, old: str, new: str) -> Difference:
        if field.startswith("needs."):
            old, new = (self._named(value) for value in (old, new))
        return Difference(field, old, new)

    def _named(self, value: str) -> str:
        """A needed step's key as its label and the start of the key."""
        if not value:
            return ""
        key = str(json.loads(value))
        return json.dumps(f"{self.labels.get(key, 'a step that is gone')} ({key[:8]})")


def _differing(one: Fields, other: Fields) -> set[str]:
    return {name for name, _ in one ^ other}


def _fields(spec: Json, needs: Json) -> Iterator[tuple[str, str]]:
    yield from _flat("", spec)
    for place, need in enumerate(needs if isinstance(needs, list | tuple) else ()):
        yield f"needs.{place}", json.dumps(need)


def _flat(name: str, value: Json) -> Iterator[tuple[str, str]]:
    """Dotted names and JSON values; an empty mapping is a value too."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else key, inner)
    else:
        yield name, json.dumps(value, sort_keys=True, ensure_ascii=False)


def _short(value: str) -> str:
    if not value:
        return "(none)"
    return value if len(value) <= _SHOWN else f"{value[: _SHOWN - 20]}…{value[-19:]}"
