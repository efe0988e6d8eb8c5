"""What a name stands for, where one verb takes several kinds: `vertebra check|fetch|show NAME`."""

from typing import TYPE_CHECKING, Literal, get_args

from vertebra.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    from vertebra.catalog import Catalog

Kind = Literal["benchmark", "backbone", "device", "family", "mixture", "study", "table", "claims", "settings"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def kind_of(name: str, catalog: "Catalog", among: tuple[Kind, ...]) -> Kind:
    """The one kind of thing that has this name. `UnknownName` for none, `ConfigError` for several."""
    from vertebra import benchmarks

    known: dict[Kind, list[str]] = {
        "benchmark": benchmarks.names(),
        "backbone": catalog.names("backbones"),
        "device": catalog.names("devices"),
        "family": catalog.names("families"),
        "mixture": catalog.names("mixtures"),
        "study": catalog.names("studies"),
        "table": catalog.names("reference"),
        "claims": catalog.names("claims"),
        "settings": catalog.names("settings"),
    }
    found = [kind for kind in among if name in known[kind]]
    if not found:
        raise UnknownName(" or ".join(among), name, (each for kind in among for each in known[kind]))
    if len(found) > 1:
        raise ConfigError(f"{name!r} is a {' and a '.join(found)}. Rename one of them.")
    return found[0]
