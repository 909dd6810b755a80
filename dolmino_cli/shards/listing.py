"""Which shards a request means: files, folders, globs and prefixes -> a sorted list with names that are unique."""

from __future__ import annotations

import functools
import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from dolmino_cli.errors import ConfigError
from dolmino_cli.shards import local, storage
from dolmino_cli.shards.formats import FORMATS, format_of, suffix_of
from dolmino_cli.shards.shard import Shard

__all__ = ["Shard", "list_shards"]

_RUN_FILE, _RUN_DOCUMENTS = "run.json", "documents/"


def list_shards(inputs: Sequence[str]) -> list[Shard]:
    """The shards that `inputs` mean together, sorted by name.

    An input is a file, a folder (all shards below it), or a glob (`*` and `?` within a name, `**` across folders), on
    the local disk, `s3://` or `hf://`. A name is relative to the folder, or to the part of a glob before its first
    wildcard; a file's is its last part. A folder that is the output of a dolmino run (it holds `run.json`) means its
    `documents/`. Hidden and unfinished (`.partial`) files are left out.

    Raises ConfigError for an input that means no shard, a file of unknown kind, a shard named twice and two shards of
    one name; StorageError when a place may not be listed.
    """
    shards: list[Shard] = []
    for given in inputs:
        found = _expand(given)
        if not found:
            raise ConfigError(f"{given}: no shards found; looked for names that end in {', '.join(FORMATS)}")
        shards.extend(found)
    shards.sort(key=lambda shard: (shard.name, shard.path))
    _refuse_repeats(shards)
    return shards


def _refuse_repeats(shards: Iterable[Shard]) -> None:
    by_place: dict[str, Shard] = {}
    by_name: dict[str, Shard] = {}
    for shard in shards:
        place = shard.path if "://" in shard.path else _real_path(shard.path)
        other = by_place.setdefault(place, shard)
        if other is not shard:
            raise ConfigError(f"{shard.path} is given twice (also as {other.path}); its documents would be counted twice")
        other = by_name.setdefault(shard.name, shard)
        if other is not shard:
            both = f"{other.path} and {shard.path} would both be called {shard.name!r}"
            raise ConfigError(f"{both}; give a folder above both, or make one run of each")


def _real_path(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return os.path.realpath(path) if os.path.islink(path) else f"{_real_folder(folder or '.')}/{name}"  # noqa: PTH114


@functools.lru_cache(maxsize=1024)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _expand(given: str) -> list[Shard]:
    found = storage.stat(given)
    if found is not None:
        format_of(given)
        return [found]
    if storage.store_of(given) is storage.store_of("."):
        if Path(given).is_dir():
            return _shards_below(local.walk(given))
        return _local_glob(given) if glob.has_magic(given) else _missing(given)
    if glob.has_magic(given):
        root = given[: given.rindex("/", 0, _first_wildcard(given))]
        wanted = re.compile(_glob_pattern(given[len(root) + 1 :]))
        return [shard for shard in _known(storage.walk(root)) if wanted.fullmatch(shard.name)]
    return _shards_below(storage.walk(given))


def _missing(given: str) -> list[Shard]:
    raise ConfigError(f"{given}: there is no such file or folder")


def _shards_below(found: Iterable[Shard]) -> list[Shard]:
    everything = list(found)
    runs = {shard.name.removesuffix(_RUN_FILE) for shard in everything if PurePosixPath(shard.name).name == _RUN_FILE}
    chosen = [shard for shard in everything if _belongs(shard.name, runs)]
    if "" in runs:
        chosen = [replace(shard, name=shard.name.removeprefix(_RUN_DOCUMENTS)) for shard in chosen]
    return list(_known(chosen))


def _belongs(name: str, runs: set[str]) -> bool:
    """Whether a run's folder above the file, if there is one, has it among its documents."""
    above = [run for run in runs if name.startswith(run)]
    return all(name.startswith(run + _RUN_DOCUMENTS) for run in above)


def _known(found: Iterable[Shard]) -> Iterable[Shard]:
    for shard in found:
        hidden = any(part.startswith(".") for part in PurePosixPath(shard.name).parts)
        if not hidden and suffix_of(shard.name) is not None:
            yield shard


def _first_wildcard(pattern: str) -> int:
    return min(pattern.find(character) for character in "*?[" if character in pattern)


def _local_glob(pattern: str) -> list[Shard]:
    head, slash, _ = pattern[: _first_wildcard(pattern)].rpartition("/")
    root = head + slash or "."
    named = [replace(found, name=Path(os.path.relpath(found.path, root)).as_posix()) for found in local.matching(pattern)]
    return list(_known(named))


def _glob_pattern(pattern: str) -> str:
    """The glob as a regular expression over relative names, as Python's `glob` reads it."""
    wildcards = {"**/": r"(?:[^/]+/)*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    expression = ""
    for piece in re.split(r"(\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\])", pattern):
        if len(piece) > 1 and piece[0] == "[":
            expression += "[" + piece[1:].replace("!", "^", 1)
        else:
            expression += wildcards.get(piece) or re.escape(piece)
    return expression
