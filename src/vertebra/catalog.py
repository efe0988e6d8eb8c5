"""Catalogues: a file is an entry, its stem the name.

`backbones/vicuna-7b.yaml` is the backbone `vicuna-7b`. Entries come from this package, from plug-ins (entry points of
the group `vertebra.catalogs`, each naming a package whose folder holds backbones/, families/, ...) and from the folder
that a study points at. A name that two folders claim is an error, never a silent override.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeVar

from vertebra.errors import ConfigError, UnknownName
from vertebra.literature import Claims, Reference
from vertebra.reading import read_spec, read_text
from vertebra.spec import Backbone, Device, Family, Mixture, Spec, Study

Shelf = Literal[
    "backbones", "devices", "families", "mixtures", "studies", "templates", "reference", "settings", "claims"
]
AnySpec = TypeVar("AnySpec", bound=Spec)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The folders whose files are entries."""

    roots: tuple[Path, ...]

    @classmethod
    def installed(cls) -> "Catalog":
        """This package's entries and those of every installed plug-in."""
        plugins = [point.value for point in entry_points(group="vertebra.catalogs")]
        return cls(tuple(Path(str(files(package))) for package in ["vertebra", "vertebra.miniature", *plugins]))

    def with_folder(self, folder: Path) -> "Catalog":
        """This catalogue and a local folder's entries. `ConfigError` when there is no such folder."""
        if not folder.is_dir():
            raise ConfigError(f"The catalogue folder {folder} does not exist.")
        return Catalog((*self.roots, folder))

    def names(self, shelf: Shelf) -> list[str]:
        """All entries of one shelf, sorted."""
        return sorted({path.stem for path in self._files(shelf)})

    def path(self, shelf: Shelf, name: str) -> Path:
        """The file of an entry. `UnknownName` when there is none, `ConfigError` when there are two."""
        found = [path for path in self._files(shelf) if path.stem == name]
        if not found:
            raise UnknownName(_SINGULAR[shelf], name, self.names(shelf))
        if len(found) > 1:
            raise ConfigError(f"{name!r} is defined twice: {found[0]} and {found[1]}. Rename one of them.")
        return found[0]

    def backbone(self, name: str) -> Backbone:
        """The backbone of this name or YAML path."""
        return read_spec(self._entry("backbones", name), Backbone)

    def device(self, name: str) -> Device:
        """The device of this name or YAML path."""
        return read_spec(self._entry("devices", name), Device)

    def family(self, name: str) -> Family:
        """The family of this name."""
        return read_spec(self.path("families", name), Family)

    def mixture(self, name: str) -> Mixture:
        """The mixture of this name."""
        return read_spec(self.path("mixtures", name), Mixture)

    def reference(self, name: str) -> Reference:
        """The published table of this name."""
        return read_spec(self.path("reference", name), Reference)

    def references(self) -> list[Reference]:
        """All published tables."""
        return [self.reference(name) for name in self.names("reference")]

    def claims(self, name: str) -> Claims:
        """The published claims of this name."""
        return read_spec(self.path("claims", name), Claims)

    def all_claims(self) -> list[Claims]:
        """All published claims."""
        return [self.claims(name) for name in self.names("claims")]

    def template(self, name: str) -> str:
        """The Jinja text of a chat format, behind what all formats share: how a message's parts become text."""
        return read_text(_PRELUDE) + read_text(self.path("templates", name))

    def example(self, name: str) -> str | None:
        """`chat.proof.EXAMPLE` written out in a chat format, from the file beside it; None where there is none."""
        path = self.path("templates", name).with_suffix(".txt")
        return read_text(path) if path.is_file() else None

    def study(self, name: str) -> tuple[Study, "Catalog"]:
        """The study of this name or YAML path, and the catalogue its names are looked up in."""
        path = self._entry("studies", name)
        study = read_spec(path, Study)
        return study, self.with_folder(path.parent / study.catalog) if study.catalog else self

    def _entry(self, shelf: Shelf, name: str) -> Path:
        """The file of an entry, or the file that a path leads to."""
        path = Path(name)
        if path.suffix not in (".yaml", ".yml"):
            return self.path(shelf, name)
        if not path.is_file():
            known = ", ".join(self.names(shelf))
            raise ConfigError(f"There is no {_SINGULAR[shelf]} file {name}. Give a YAML path or one of: {known}.")
        return path

    def _files(self, shelf: Shelf) -> Iterator[Path]:
        suffix = ".jinja" if shelf == "templates" else ".yaml"
        for root in self.roots:
            yield from (root / shelf).glob(f"*{suffix}")


_PRELUDE = Path(str(files("vertebra"))) / "chat" / "prelude.jinja"

_SINGULAR: dict[Shelf, str] = {
    "backbones": "backbone",
    "devices": "device",
    "families": "family",
    "mixtures": "mixture",
    "studies": "study",
    "templates": "chat format",
    "reference": "published table",
    "settings": "published settings",
    "claims": "published claims",
}
