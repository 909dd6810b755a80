"""The ledger: one entry per finished task, written last, so that a rerun can tell what is done and what has changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dolmino_cli import __version__
from dolmino_cli.errors import DataError
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import list_names

FORMAT_VERSION = 1
_FOLDER = "ledger"
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """A file that a task wrote, as it was when it was written."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """What a finished task read, did and wrote. All values are JSON values.

    `name` is the task's (a shard's name, say) and the entry's file name. `recipe` is everything that the outputs depend
    on besides the input. `counts` of a filter are `in`, `kept`, `quarantined` and `dropped` by reason, with
    in = kept + dropped + quarantined; other tasks count what they have. `seconds` is by stage.
    """

    name: str
    recipe: dict[str, Any]
    input: dict[str, Any]
    counts: dict[str, Any]
    bytes: dict[str, int]
    outputs: dict[str, OutputFile]
    seconds: dict[str, float] = field(default_factory=dict)
    engine: dict[str, Any] = field(default_factory=dict)
    version: str = __version__

    def __post_init__(self) -> None:
        problem = imbalance(self.counts)
        assert problem is None, f"{self.name}: {problem}"

    @property
    def recipe_sha256(self) -> str:
        """Hash of the recipe."""
        return recipe_hash(self.recipe)


def recipe_hash(recipe: Mapping[str, Any]) -> str:
    """sha256 (hex) of the recipe as canonical JSON: the same for any order of keys."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def input_identity(shard: Shard) -> dict[str, Any]:
    """What tells an input from a changed one: path, bytes and etag (for a local file its time of change)."""
    return {"path": shard.path, "bytes": shard.bytes, "etag": shard.etag}


def imbalance(counts: Mapping[str, Any]) -> str | None:
    """How a filter's counts break `in = kept + dropped + quarantined`; None when they hold, or are not a filter's."""
    if "kept" not in counts:
        return None
    dropped = sum(counts["dropped"].values())
    total = counts["kept"] + dropped + counts["quarantined"]
    if counts["in"] == total:
        return None
    return f"in {counts['in']} != kept {counts['kept']} + dropped {dropped} + quarantined {counts['quarantined']}"


def save(output: Output, entry: LedgerEntry, *, folder: str = _FOLDER) -> None:
    """Write the entry. Do it last: it says that the task's outputs are whole."""
    stored = {"format": FORMAT_VERSION, "recipe_sha256": entry.recipe_sha256, **dataclasses.asdict(entry)}
    output.put(_file(entry.name, folder), json.dumps(stored, indent=1, ensure_ascii=False).encode() + b"\n")


def load(output: Output, name: str, *, folder: str = _FOLDER) -> LedgerEntry | None:
    """The entry of task `name`, or None where it has not finished.

    Raises DataError for an entry that is damaged or of another format.
    """
    file = _file(name, folder)
    data = output.read(file)
    return None if data is None else _parse(data, output.path(file))


def load_all(output: Output) -> list[LedgerEntry]:
    """Every entry, by name. Raises as `load`."""
    names = list_names(output.path(_FOLDER), ".json")
    entries = (load(output, name.removesuffix(".json")) for name in names)
    return [entry for entry in entries if entry is not None]


def _file(name: str, folder: str) -> str:
    return f"{folder}/{name}.json"


def _parse(data: bytes, path: str) -> LedgerEntry:
    advice = "delete it to run its task again"
    try:
        stored = json.loads(data)
    except ValueError as error:
        raise DataError(f"damaged ledger entry ({error}); {advice}", path=path) from None
    version = stored.get("format") if isinstance(stored, dict) else None
    if version != FORMAT_VERSION:
        problem = f"ledger entry of format {version!r}, this dolmino ({__version__}) reads {FORMAT_VERSION}"
        raise DataError(f"{problem}; finish with the dolmino that began, or {advice}", path=path)
    try:
        imbalanced = imbalance(stored["counts"])
        if imbalanced is not None:
            raise ValueError(imbalanced)
        entry = msgspec.convert(stored, LedgerEntry)
    except (msgspec.ValidationError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise DataError(f"damaged ledger entry ({error}); {advice}", path=path) from None
    if entry.recipe_sha256 != stored.get("recipe_sha256"):
        raise DataError(f"damaged ledger entry (its recipe does not have its hash); {advice}", path=path)
    return entry


def difference(entry: LedgerEntry, *, recipe: Mapping[str, Any], input: Mapping[str, Any]) -> list[str]:
    """What has changed since the entry was written, one line each; empty when it still holds.

    Lines are like `recipe.stages[1].keep.at_least: 0.03 -> 0.04` and `input.bytes: 10 -> 12`.
    """
    # Through JSON, so that a tuple now equals the list that was stored.
    now = json.loads(json.dumps({"recipe": recipe, "input": input}))
    return [*changes(entry.recipe, now["recipe"], "recipe"), *changes(entry.input, now["input"], "input")]


def changes(before: Any, after: Any, place: str) -> list[str]:
    """How two JSON values differ, one line each, such as `input.bytes: 10 -> 12`; `place` names what they are."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = [*before, *(name for name in after if name not in before)]
        return [line for name in names for line in _member_changes(before, after, name, f"{place}.{name}")]
    if isinstance(before, list) and isinstance(after, list):
        old, new = dict(enumerate(before)), dict(enumerate(after))
        return [line for i in {**old, **new} for line in _member_changes(old, new, i, f"{place}[{i}]")]
    if before == after and type(before) is type(after):
        return []
    return [f"{place}: {_shown(before)} -> {_shown(after)}"]


def _member_changes(before: dict[Any, Any], after: dict[Any, Any], name: Any, place: str) -> list[str]:
    if name not in after:
        return [f"{place}: {_shown(before[name])} -> not there"]
    if name not in before:
        return [f"{place}: not there -> {_shown(after[name])}"]
    return changes(before[name], after[name], place)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
