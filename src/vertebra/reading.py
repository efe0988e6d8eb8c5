"""YAML as people write it, read into records of known fields; every complaint names the file, the line and the key.

    weights: builtin:tiny
    stopp: [<|end|>]        ConfigError: tiny.yaml:2: no field is named 'stopp'. Did you mean 'stop'?

Plain values only: an alias, a tag or a key given twice is an error (https://yaml.org/spec/1.1/ has them).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from vertebra.errors import ConfigError, DataError, UnknownName

Record = TypeVar("Record", bound=BaseModel)


def read_text(path: Path) -> str:
    """A UTF-8 file's text; `DataError` when it is missing, unreadable or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def read_spec(path: Path, kind: type[Record]) -> Record:
    """The record that a YAML file holds; its `name`, where it has one, is the file's stem.

    Raises `ConfigError` with file and line for YAML that does not parse, unknown or repeated keys and wrong types.
    """
    tree = _compose(read_text(path), str(path))
    fields = {} if tree is None else _plain(tree, str(path), set())
    if not isinstance(fields, dict):
        raise ConfigError(f"{path}:1: expected `key: value` lines, found {type(fields).__name__}.")
    if "name" in kind.model_fields:
        if "name" in fields:
            raise ConfigError(f"{path}: an entry's name is its file's name, {path.stem!r}; remove `name`.")
        fields["name"] = path.stem
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise _explain(error, kind, lambda keys: f"{path}:{_line(tree, keys)}") from error


def with_setting(record: Record, setting: str, where: str) -> Record:
    """The record with one more field given, as `KEY=VALUE`: `packing=padded`, `tracking=[tensorboard, wandb]`.

    A dotted key leads into a field's own fields. Raises `ConfigError` that begins with `where`, as `read_spec` does.
    """
    key, equals, text = setting.partition("=")
    if not equals:
        raise ConfigError(f"{where}: expected KEY=VALUE.")
    tree = _compose(text, where)
    return with_value(record, key.strip(), None if tree is None else _plain(tree, where, set()), where)


def with_value(record: Record, key: str, value: object, where: str) -> Record:
    """As `with_setting`, for a value that is none of YAML's."""
    given = fields = record.model_dump(exclude_unset=True)
    *outer, last = key.split(".")
    for name in outer:
        inner = fields.get(name)
        fields[name] = inner if isinstance(inner, dict) else {}
        fields = fields[name]
    fields[last] = value
    try:
        return type(record).model_validate(given)
    except ValidationError as error:
        raise _explain(error, type(record), lambda _keys: where) from error


def _compose(text: str, where: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{where}:{line}: not valid YAML: {error.problem}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{where}: not valid YAML: {error}.") from error


def _plain(node: yaml.Node, where: str, seen: set[int]) -> Any:
    """The node as plain values; aliases and tags have no place in a spec, repeated keys are mistakes."""
    if id(node) in seen:
        raise ConfigError(f"{where}:{node.start_mark.line + 1}: YAML aliases are not allowed; write it out.")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in mapping:
                raise ConfigError(f"{where}:{key.start_mark.line + 1}: `{name}` is given twice.")
            mapping[name] = _plain(value, where, seen)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, where, seen) for item in node.value]
    try:
        loader = yaml.SafeLoader("")
        return _number(loader.construct_object(node, deep=True))
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{where}:{node.start_mark.line + 1}: {node.value!r} is not a plain value.") from error


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text; a person means the number."""
    if isinstance(value, str) and value[:1] in "+-.0123456789" and "e" in value.lower():
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _explain(error: ValidationError, kind: type[BaseModel], where: Callable[[Sequence[str]], str]) -> ConfigError:
    """The first complaint as one sentence, with the place it is about and the key that was probably meant."""
    unknown_first = sorted(error.errors(), key=lambda complaint: complaint["type"] != "extra_forbidden")
    first = unknown_first[0]  # a misspelt key is also a missing one
    keys = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        return UnknownName("field", keys[-1], _fields_at(kind, keys[:-1]), where(keys))
    if first["type"] == "missing":
        return ConfigError(f"{where(keys)}: `{'.'.join(keys)}` is missing.")
    about = f"`{'.'.join(keys)}`: " if keys else ""
    said = "expected a list, as in [a, b]" if first["type"] == "tuple_type" else first["msg"]
    return ConfigError(f"{where(keys)}: {about}{said[:1].lower()}{said[1:]}.")


def _line(node: yaml.Node | None, keys: Sequence[str]) -> int:
    line = 1
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        for name, value in node.value:
            if name.value == key:
                line, node = name.start_mark.line + 1, value
                break
    return line


def _fields_at(kind: type[BaseModel], keys: Sequence[str]) -> list[str]:
    """The field names that would be right at this depth."""
    for key in keys:
        field = kind.model_fields.get(key)
        inner = [arg for arg in _inside(field.annotation) if issubclass(arg, BaseModel)] if field else []
        if inner:
            kind = inner[0]
    return [name for name in kind.model_fields if name != "name"]


def _inside(annotation: Any) -> list[type]:
    """Every class that an annotation mentions."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation]
    return [found for arg in get_args(annotation) for found in _inside(arg)]
