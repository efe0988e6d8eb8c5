"""The benchmarks: a file is an entry, its stem the name, its value `BENCHMARK`.

A plug-in adds one through an entry point of the group `vertebra.benchmarks`, whose name is the benchmark's and whose
value is the module that holds `BENCHMARK`. Listing the names imports none of them.
"""

from collections import Counter
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules

from vertebra.errors import ConfigError, UnknownName
from vertebra.scoring.benchmark import Benchmark


def names() -> list[str]:
    """All benchmarks, sorted. `ConfigError` for a name that two of them claim."""
    claims = Counter([*_shipped(), *(point.name for point in _plugins())])
    for name, count in claims.items():
        if count > 1:
            raise ConfigError(f"The benchmark {name!r} is defined {count} times. Remove or rename a plug-in.")
    return sorted(claims)


def of_a_study() -> list[str]:
    """Those that `benchmarks: all` stands for, sorted: the sixteen, and what plug-ins do not put beyond them."""
    return [name for name in names() if not benchmark(name).beyond]


def benchmark(name: str) -> Benchmark:
    """The benchmark of this name. `UnknownName` when there is none, `ConfigError` when its plug-in is broken."""
    if name not in names():
        raise UnknownName("benchmark", name, names())
    if name in _shipped():
        found = import_module(f"{__name__}.{name}").BENCHMARK
    else:
        (point,) = (point for point in _plugins() if point.name == name)
        found = _load(point)
    if not isinstance(found, Benchmark) or found.name != name:
        raise ConfigError(f"The module of benchmark {name!r} must hold BENCHMARK, a Benchmark of that name.")
    return found


def about(name: str) -> str:
    """What the benchmark of this name measures, in the first line of its module."""
    benchmark(name)
    if name in _shipped():
        module: object = import_module(f"{__name__}.{name}")
    else:
        (module,) = (point.load() for point in _plugins() if point.name == name)
    return (module.__doc__ or "").strip().partition("\n")[0]


def _shipped() -> list[str]:
    return [module.name for module in iter_modules(__path__)]


def _plugins() -> list[EntryPoint]:
    return list(entry_points(group="vertebra.benchmarks"))


def _load(point: EntryPoint) -> object:
    try:
        return getattr(point.load(), "BENCHMARK", None)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"The plug-in benchmark {point.name!r} ({point.value}) cannot be loaded: {error}.") from error
