"""Evaluation sets as their publishers distribute them -> instances: JSON lines, JSON arrays, CSV, Parquet, Arrow."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dolmino_cli import strict_yaml
from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.shards import local, storage
from dolmino_cli.sources.evaluation_records import SUFFIXES, records


@dataclass(frozen=True, kw_only=True)
class EvaluationSet:
    """Where the items of one evaluation set are, and which of their fields make an instance.

    A field may lie inside another (`choices.text`); a list (of choices) becomes one line per entry; null is passed over.
    """

    path: str
    """File, folder or glob, local, s3:// or hf://datasets/...; .jsonl, .json, .csv, .tsv (.gz, .zst), .parquet, .arrow."""
    fields: tuple[str, ...]
    """Each makes an instance: one field, or several joined by newlines (`context,question`)."""
    task: str = ""
    """Name of the task; the file's name without its suffixes when not given."""
    task_field: str = ""
    """Field that holds the name of the task, instead."""
    split: str = ""
    """Name of the split."""
    split_field: str = ""
    """Field that holds the name of the split, instead."""
    id: str = ""
    """Field that identifies an item; FILE:LINE when not given."""

    def __post_init__(self) -> None:
        if not self.fields or not all(name for group in self.fields for name in group.split(",")):
            raise ConfigError("no field named; `fields` lists what makes an instance, such as [question, 'context,question']")
        for one, other in (("task", "task_field"), ("split", "split_field")):
            if getattr(self, one) and getattr(self, other):
                raise ConfigError(f"{one} and {other} both say what the {one} is; give one")


@dataclass(frozen=True, kw_only=True)
class EvaluationSets:
    """What a YAML file given to `dolmino decontaminate index` holds."""

    sets: tuple[EvaluationSet, ...]


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One text that training data must not hold."""

    task: str
    split: str
    id: str
    text: str


def load_sets(path: Path) -> tuple[EvaluationSet, ...]:
    """The sets that a YAML file lists under `sets:`. Raises ConfigError naming file, line and key."""
    return strict_yaml.load(path, EvaluationSets).sets


def files_of(evaluation: EvaluationSet) -> list[str]:
    """The files that its path means, sorted. Raises ConfigError when there are none."""
    path = evaluation.path
    if storage.stat(path) is not None:
        found = [path]
    elif "://" not in path and glob.has_magic(path):
        found = [match.path for match in local.matching(path)]
    else:
        found = sorted(shard.path for shard in storage.walk(path) if shard.name.endswith(SUFFIXES))
    if not found:
        raise ConfigError(f"{path}: no evaluation files found; looked for names that end in {', '.join(SUFFIXES)}")
    return found


def instances_of(evaluation: EvaluationSet, path: str) -> Iterator[Instance]:
    """The instances of one file of the set, in order. Equal texts of one item count once.

    Raises DataError naming file and line: an item that cannot be read, a field that is not there or is no text, no item at all.
    """
    name = Path(path).name
    task = evaluation.task or name[: -len(next(suffix for suffix in (*SUFFIXES, "") if name.endswith(suffix))) or None]
    several = len(evaluation.fields) > 1
    line = 0
    for line, record in records(path):
        found: dict[str, str] = {}
        for group in evaluation.fields:
            parts = [_text(record, field.strip(), path, line) for field in group.split(",")]
            found.setdefault("\n".join(part for part in parts if part), group)
        item = _text(record, evaluation.id, path, line) if evaluation.id else f"{name}:{line}"
        for text, group in found.items():
            yield Instance(
                task=_text(record, evaluation.task_field, path, line) if evaluation.task_field else task,
                split=_text(record, evaluation.split_field, path, line) if evaluation.split_field else evaluation.split,
                id=f"{item}#{group}" if several else item,
                text=text,
            )
    if line == 0:
        raise DataError("no items; an evaluation file without items would be searched for in vain", path=path)


def _text(record: dict[str, Any], field: str, path: str, line: int) -> str:
    value: Any = record
    for name in field.split("."):
        if not isinstance(value, dict) or name not in value:
            have = ", ".join(value) if isinstance(value, dict) else f"no fields, it is {type(value).__name__}"
            raise DataError(f"no field {field!r} ({name!r} is missing); there is: {have}", path=path, line=line)
        value = value[name]
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(entry, (dict, list)) for entry in value)):
        kind = type(value).__name__
        raise DataError(f"the field {field!r} is a {kind} of fields; name the one inside: {field}.text", path=path, line=line)
    values: Sequence[Any] = value if isinstance(value, list) else [value]
    return "\n".join(
        entry if isinstance(entry, str) else msgspec.json.encode(entry).decode() for entry in values if entry is not None
    )
