"""The settings of somebody's study as facts in a file: what no study file can say, a recipe for every arm of its own.

    title: The study on LLM backbones
    passages:
      finetune-llama-3: {source: [https://…/finetune.sh], says: {batch: 128, micro_batch: 8x2, order: null}}
    arms:
      llava-1.5/llama-3-8b: {finetune: [finetune-llama-3], "gqa, pope": [asked-llama-3]}

A passage is what was read in one place. An arm says which passages hold in which stages and benchmarks; `model` is what
holds throughout. Names of facts are those of a study's own (`audit.rules`); null is an option that is not taken.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field as Checked

from vertebra.audit.arms import MODEL, Arm, Field
from vertebra.errors import ConfigError, UnknownName
from vertebra.literature import Url
from vertebra.reading import read_spec
from vertebra.spec import Json, Names, Spec

_ASKED_AS_TRAINED = ("system_prompt", "tokenizer")
"""Told of a benchmark by whether it is what the model was trained with."""

Fact = None | bool | int | float | str | tuple[int, ...] | tuple[str, ...] | Mapping[str, str]


class Passage(Spec):
    """What one place says."""

    source: tuple[Annotated[str, Checked(pattern=r"^[\w.-]+:[^\s()<>]+$")], ...]
    """URLs, or what follows one of the `bases`: `vip:scripts/pretrain.sh`."""
    says: Mapping[str, Fact]


class Settings(Spec):
    """All that is known of how the arms of a study were made."""

    name: str = ""
    title: str
    notes: tuple[str, ...] = ()
    """What is not known, or true of all arms alike; a sentence each."""
    bases: Mapping[str, Url] = {}
    passages: Mapping[str, Passage]
    arms: Mapping[Annotated[str, Checked(pattern=r"^[^/\s]+/[^/\s]+$")], Mapping[str, Names]]

    def sources(self) -> tuple[str, ...]:
        """The URL of every place that was read. `UnknownName` for a base that there is none of."""
        return tuple(dict.fromkeys(self._url(place) for each in self.passages.values() for place in each.source))

    def _url(self, place: str) -> str:
        base, _, rest = place.partition(":")
        if base in ("http", "https"):
            return place
        if base not in self.bases:
            raise UnknownName("base of sources", base, self.bases, self.name)
        return self.bases[base] + rest


def read_settings(path: Path) -> Settings:
    """The settings that a YAML file holds."""
    return read_spec(path, Settings)


def published_arms(settings: Settings) -> Iterator[Arm]:
    """The arms of some settings. `ConfigError` for a passage that there is none of, or two that contradict."""
    for name, parts in settings.arms.items():
        family, backbone = name.split("/")
        facts: dict[Field, Json] = {}
        for group, passages in parts.items():
            for part in (word.strip() for word in group.split(",")):
                _add(facts, part, passages, settings)
        yield Arm(family, backbone, 0, _as_trained(facts))


def _add(facts: dict[Field, Json], part: str, passages: Names, settings: Settings) -> None:
    """Adds what some passages say of a part."""
    for passage in passages:
        if passage not in settings.passages:
            raise UnknownName("passage", passage, settings.passages, settings.name)
        for name, value in settings.passages[passage].says.items():
            if facts.get(Field(part, name), value) != value:
                raise ConfigError(f"{settings.name}: passage {passage!r} contradicts another on {name} of {part}.")
            facts[Field(part, name)] = value


def _as_trained(facts: Mapping[Field, Json]) -> dict[Field, Json]:
    """The facts, those of asking that have a twin in training told by it: "yes", or what is asked instead."""
    told: dict[Field, Json] = {}
    for field, value in facts.items():
        twin = Field(MODEL, field.name)
        if field.name in _ASKED_AS_TRAINED and field != twin and twin in facts:
            told[Field(field.part, f"{field.name}_as_trained")] = "yes" if facts[twin] == value else f"no: {value}"
        else:
            told[field] = list(value) if isinstance(value, tuple) else value
    return told
