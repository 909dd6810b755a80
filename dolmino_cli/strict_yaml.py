"""YAML -> frozen dataclass, refusing what a person could not have meant.

Unknown, missing, duplicate and mistyped keys stop with file:line, the dotted key and what was allowed. Scalars are read
by the type that the field wants, so `1e-5` is a float, `262_144` an int and `no` a string; there are no anchors, tags,
merges, expressions or inheritance, and there will be none.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dolmino_cli.errors import ConfigError, unreadable

T = TypeVar("T")

_INT = re.compile(r"[-+]?[0-9][0-9_]*\Z")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?\Z")
_MOST_DIGITS = 19
_BOOLS = {"true": True, "false": False}
_NULLS = {"", "~", "null"}


def load(path: Path, cls: type[T]) -> T:
    """The file as an instance of the dataclass `cls`. Raises ConfigError with file:line and key; StorageError."""
    return typing.cast(T, build(compose(path), cls, str(path)))


def compose(path: Path) -> Node:
    """The file's single YAML document as nodes, which know their lines."""
    try:
        return compose_text(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text: {error}") from None


def compose_text(text: str, path: str) -> Node:
    """As `compose`, from text; `path` only names it in errors."""
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken)):
                word = type(token).__name__.removesuffix("Token").lower()
                raise ConfigError(f"{path}:{token.start_mark.line + 1}: a YAML {word} is not allowed here; write the value out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not YAML: {error.problem}") from None
    if node is None:
        raise ConfigError(f"{path}: empty file")
    return node


def fail(node: Node, path: str, key: str, problem: str) -> typing.NoReturn:
    """Stop with the place of `node`."""
    raise ConfigError(f"{path}:{node.start_mark.line + 1}: {key or 'file'}: {problem}")


def mapping(node: Node, path: str, key: str) -> dict[str, Node]:
    """The entries of a mapping node in order, duplicates refused."""
    if not isinstance(node, MappingNode):
        fail(node, path, key, "expected a mapping of keys to values")
    found: dict[str, Node] = {}
    for name_node, value in node.value:
        if not isinstance(name_node, ScalarNode):
            fail(name_node, path, key, "keys must be plain words")
        if name_node.value in found:
            first = found[name_node.value].start_mark.line + 1
            fail(name_node, path, _dotted(key, name_node.value), f"given twice (first on line {first}); keep one")
        found[name_node.value] = value
    return found


def build(node: Node, kind: Any, path: str, key: str = "") -> Any:
    """`node` as a value of the annotated type `kind`: a dataclass, scalar, Literal, Optional, list, tuple or dict."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(node, typing.cast(type, kind), path, key)
    if origin in (typing.Union, types.UnionType):
        return _build_union(node, arguments, path, key)
    if origin is typing.Literal:
        value = _scalar_text(node, path, key, f"one of {', '.join(map(str, arguments))}")
        for allowed in arguments:
            if str(allowed) == value:
                return allowed
        fail(node, path, key, f"{value!r} given; allowed: {', '.join(map(str, arguments))}")
    if origin in (list, tuple):
        if not isinstance(node, SequenceNode):
            fail(node, path, key, "expected a list")
        items = [build(item, arguments[0], path, f"{key}[{i}]") for i, item in enumerate(node.value)]
        return tuple(items) if origin is tuple else items
    if origin is dict:
        return {name: build(value, arguments[1], path, _dotted(key, name)) for name, value in mapping(node, path, key).items()}
    return _build_scalar(node, kind, path, key)


def _build_dataclass(node: Node, cls: type, path: str, key: str) -> Any:
    entries = mapping(node, path, key)
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for name in entries:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            fail(entries[name], path, _dotted(key, name), f"unknown key; {hint}allowed: {', '.join(fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in entries:
            fail(node, path, _dotted(key, name), "missing; it has no default")
    values = {name: build(value, hints[name], path, _dotted(key, name)) for name, value in entries.items()}
    try:
        return cls(**values)
    except ConfigError as error:
        fail(node, path, key, str(error))


def _build_union(node: Node, arguments: tuple[Any, ...], path: str, key: str) -> Any:
    if type(None) in arguments and isinstance(node, ScalarNode) and node.style is None and node.value in _NULLS:
        return None
    kinds = [kind for kind in arguments if kind is not type(None)]
    problems = []
    for kind in kinds:
        try:
            return build(node, kind, path, key)
        except ConfigError as error:
            problems.append(error)
    raise problems[-1] if len(kinds) == 1 else problems[0]


def _scalar_text(node: Node, path: str, key: str, wanted: str) -> str:
    if not isinstance(node, ScalarNode):
        fail(node, path, key, f"expected {wanted}")
    return str(node.value)


def _build_scalar(node: Node, kind: Any, path: str, key: str) -> Any:
    wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(kind, str(kind))
    text = _scalar_text(node, path, key, wanted)
    quoted = typing.cast(ScalarNode, node).style is not None
    if kind is str:
        if not quoted and text in _NULLS:
            fail(node, path, key, "expected text, got nothing; put quotes around it if it is meant to be empty")
        return text
    if not quoted:
        if kind is bool and text in _BOOLS:
            return _BOOLS[text]
        if kind is int and _INT.match(text):
            digits = text.replace("_", "")
            if len(digits.lstrip("+-0")) > _MOST_DIGITS:
                fail(node, path, key, f"a number of {len(digits)} digits, more than 64 bits hold")
            return int(digits)
        if kind is float and _FLOAT.match(text):
            value = float(text.replace("_", ""))
            if math.isinf(value):
                fail(node, path, key, f"{text!r} is too large; the largest number is about 1.8e308")
            return value
    fail(node, path, key, f"expected {wanted}, got {text!r}")


def _dotted(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
