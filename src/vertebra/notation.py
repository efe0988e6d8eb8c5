"""YAML without its surprises: no aliases, no tags, no key given twice, and 1e-3 is a number.

1.0e-3 and 1e-3 are floats          YAML 1.1 (https://yaml.org/spec/1.1/) reads the second as text
&a, *a, !!python/name               errors that name file and line
"""

from pathlib import Path
from typing import Any

import yaml

from vertebra.errors import ConfigError


def compose(text: str, path: Path) -> yaml.Node | None:
    """A file's text as a tree that knows its lines, None for an empty one; `ConfigError` for text that is no YAML."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}.") from error


def plain(node: yaml.Node, path: Path) -> object:
    """The tree as plain values; `ConfigError` for what has no place in a spec, such as aliases and repeated keys."""
    return _plain(node, path, set())


def _plain(node: yaml.Node, path: Path, seen: set[int]) -> Any:
    if id(node) in seen:
        raise ConfigError(f"{path}:{node.start_mark.line + 1}: YAML aliases are not allowed; write it out.")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in mapping:
                raise ConfigError(f"{path}:{key.start_mark.line + 1}: `{name}` is given twice.")
            mapping[name] = _plain(value, path, seen)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, path, seen) for item in node.value]
    try:
        loader = yaml.SafeLoader("")
        return _number(loader.construct_object(node, deep=True))
    except (yaml.YAMLError, ValueError) as error:
        where = f"{path}:{node.start_mark.line + 1}"
        raise ConfigError(f"{where}: {node.value!r} is not a plain value.") from error


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text; a person means the number."""
    if isinstance(value, str) and value[:1] in "+-.0123456789" and "e" in value.lower():
        try:
            return float(value)
        except ValueError:
            return value
    return value
