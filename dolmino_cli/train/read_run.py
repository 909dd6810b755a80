"""A run from its YAML file or a preset's name, with what the command line puts in its place; and a run as YAML again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast, get_type_hints

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from dolmino_cli import strict_yaml
from dolmino_cli.bundled import bundled_names, find
from dolmino_cli.errors import ConfigError
from dolmino_cli.train.run_file import Run


def read_run(name: str, overrides: Sequence[str] = ()) -> Run:
    """The run of a file (`./RUN.yaml`) or preset (`olmo2-7b`), with `overrides` of the form dotted.key=VALUE.

    A value is read as strictly as the file's own: a list or a mapping is written as in YAML, `optimizer.skip_step={window: 64}`.
    Raises ConfigError naming file, line and key.
    """
    path = find("train/presets", name)
    node = strict_yaml.compose(path)
    strict_yaml.mapping(node, str(path), "")
    for override in overrides:
        _put(cast(MappingNode, node), override)
    return cast(Run, strict_yaml.build(node, Run, str(path)))


def presets() -> list[Run]:
    """All runs that are bundled, in the order of their names."""
    return [read_run(name) for name in bundled_names("train/presets")]


def run_yaml(run: Run) -> str:
    """The run as a YAML file: every key, defaults included, that `read_run` reads as the same run."""
    values = dataclasses.asdict(run)
    lines = [f"# {run.name}, every value written out; `dolmino train --presets` says where presets' numbers come from."]
    return "\n".join([*lines, yaml.safe_dump(_plain(values), sort_keys=False, default_flow_style=None, width=130)])


def _plain(value: Any) -> Any:
    """Tuples as lists: YAML has no tuples."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value


def _put(node: MappingNode, override: str) -> None:
    """Put VALUE of `dotted.key=VALUE` into the YAML nodes, making the mappings on the way."""
    target, equals, text = override.partition("=")
    keys = target.split(".")
    if not equals or not all(keys):
        raise ConfigError(f"--set {override!r}: write KEY=VALUE, for example --set hardware.micro_batch_sequences=2")
    place, kind = node, cast(Any, Run)
    for depth, key in enumerate(keys):
        allowed = _fields(kind)
        if key not in allowed:
            inside = f" of {'.'.join(keys[:depth])}" if depth else ""
            raise ConfigError(f"--set {override!r}: no key {key!r}; keys{inside}: {', '.join(allowed) or 'none, it is a value'}")
        kind = allowed[key]
        held = next((value for name, value in place.value if name.value == key), None)
        if depth == len(keys) - 1:
            value = strict_yaml.compose_text(text, f"--set {target}") if text.strip() else _scalar(node, "")
            strict_yaml.build(value, kind, f"--set {target}", target)  # so that an error does not name a line of the file
            _replace(place, key, value)
        elif isinstance(held, MappingNode):
            place = held
        else:
            inner = MappingNode("tag:yaml.org,2002:map", [], node.start_mark, node.end_mark)
            _replace(place, key, inner)
            place = inner


def _fields(kind: Any) -> dict[str, Any]:
    """The keys of a dataclass, or of the one in an optional's annotation, with their types; none for a plain value."""
    for candidate in (kind, *getattr(kind, "__args__", ())):
        if dataclasses.is_dataclass(candidate):
            return get_type_hints(candidate)
    return {}


def _replace(place: MappingNode, key: str, value: Node) -> None:
    place.value = [(name, old) for name, old in place.value if name.value != key]
    place.value.append((_scalar(place, key), value))


def _scalar(near: Node, text: str) -> ScalarNode:
    return ScalarNode("tag:yaml.org,2002:str", text, near.start_mark, near.end_mark)
