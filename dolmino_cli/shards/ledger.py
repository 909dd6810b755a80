"""The ledger: one entry per finished task, written last, so that a rerun can tell what is done and what has changed."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import msgspec

from dolmino_cli import __version__
from dolmino_cli.errors import DataError
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import list_names

FORMAT_VERSION = 1
_FOLDER = "ledger"
_SHOWN_CHARACTERS = 80
_READ_AT_ONCE, _READ_BY_ONE = 16, 64


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


_OPTIONAL = tuple(
    field.name
    for field in dataclasses.fields(LedgerEntry)
    if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
)


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
    some = [names[first : first + _READ_BY_ONE] for first in range(0, len(names), _READ_BY_ONE)]
    reading = ThreadPoolExecutor(_READ_AT_ONCE)  # for stores that take their time over each
    try:
        found = reading.map(lambda names: [load(output, name.removesuffix(".json")) for name in names], some)
        return [entry for entries in found for entry in entries if entry is not None]
    finally:
        reading.shutdown(cancel_futures=True)


def _file(name: str, folder: str) -> str:
    return f"{folder}/{name}.json"


def _parse(data: bytes, path: str) -> LedgerEntry:
    return _parse_whole(data) or _parse_damaged(data, path)


@functools.lru_cache(maxsize=64)
def _recipe(data: bytes) -> tuple[dict[str, Any], str]:
    """A recipe and its hash. All entries of a run have one, which is held once, also where there are 100,000 of them."""
    recipe: dict[str, Any] = json.loads(data)
    return recipe, recipe_hash(recipe)


@functools.lru_cache(maxsize=1)
def _decoder() -> msgspec.json.Decoder[Any]:
    kinds = get_type_hints(LedgerEntry) | {"recipe": msgspec.Raw}
    needed: list[tuple[str, Any]] = [("format", int), ("recipe_sha256", str)]
    needed += [(name, kind) for name, kind in kinds.items() if name not in _OPTIONAL]
    optional = [(name, kinds[name], None) for name in _OPTIONAL]
    return msgspec.json.Decoder(msgspec.defstruct("_Stored", [*needed, *optional]))


def _parse_whole(data: bytes) -> LedgerEntry | None:
    """The entry; None where anything is the matter with it. Ten times as fast as `_parse_damaged`, which says what it is."""
    try:
        stored = _decoder().decode(data)
        recipe, sha256 = _recipe(bytes(stored.recipe))
        if stored.format != FORMAT_VERSION or stored.recipe_sha256 != sha256 or imbalance(stored.counts) is not None:
            return None
    except (msgspec.DecodeError, KeyError, AttributeError, TypeError, ValueError):
        return None
    fields = {field.name: getattr(stored, field.name) for field in dataclasses.fields(LedgerEntry)}
    return LedgerEntry(**{name: value for name, value in fields.items() if value is not None} | {"recipe": recipe})


def _parse_damaged(data: bytes, path: str) -> LedgerEntry:
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
    global _compared
    if _compared is None or _compared[0] is not entry.recipe or _compared[1] is not recipe:
        _compared = entry.recipe, recipe, changes(entry.recipe, _as_stored(recipe), "recipe")
    return [*_compared[2], *changes(entry.input, _as_stored(input), "input")]


# The recipes that were compared last, and how they differ: those of a run's entries are one and the same.
_compared: tuple[Mapping[str, Any], Mapping[str, Any], list[str]] | None = None


def _as_stored(value: Mapping[str, Any]) -> Any:
    """Through JSON, so that a tuple now equals the list that was stored."""
    return json.loads(json.dumps(value))


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
