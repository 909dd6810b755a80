"""What is known of the finished parts of shards that are not finished: an entry for each, as a shard has one in the ledger.

`parts/<shard>/00002.json` says that part 2 is whole; its files are in `parts/<shard>/00002/`. Its counts have `lines` (those
that begin in it) and `last` (no part comes after it) besides the usual. All goes when the shard is put together.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError
from dolmino_cli.executors.leases import FOLDER as LEASES
from dolmino_cli.shards import ledger
from dolmino_cli.shards.ledger import LedgerEntry, difference, input_identity
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import Output, list_names

FOLDER = "parts"
_FILE = re.compile(r"(.+)/(\d{5,})(\.json|/[^/]+)\Z")


class PartRecords:
    """Entries of the parts of one shard."""

    def __init__(self, output: Output, shard: Shard, recipe: Mapping[str, Any]) -> None:
        self._output, self._shard, self._recipe = output, shard, recipe

    def load(self, number: int) -> LedgerEntry | None:
        """The entry of a part that is done. Raises ConfigError when it was done with another recipe or input."""
        entry = ledger.load(self._output, self._name(number), folder=FOLDER)
        if entry is not None:
            refuse_changed(entry, self._output, self._shard, self._recipe)
        return entry

    def save(self, number: int, entry: LedgerEntry) -> None:
        """Record a part, after its files."""
        assert entry.name == self._name(number), entry.name
        ledger.save(self._output, entry, folder=FOLDER)

    def forget(self, number: int) -> None:
        """Have the part done again."""
        self._output.delete(f"{FOLDER}/{self._name(number)}.json")

    def entry(self, number: int, **facts: Any) -> LedgerEntry:
        """An entry of a part; `facts` are the other fields of LedgerEntry."""
        return LedgerEntry(name=self._name(number), recipe=dict(self._recipe), input=input_identity(self._shard), **facts)

    def _name(self, number: int) -> str:
        return f"{self._shard.name}/{number:05d}"


def refuse_changed(entry: LedgerEntry, output: Output, shard: Shard, recipe: Mapping[str, Any]) -> None:
    """Raises ConfigError where an entry is of another recipe or input than the run's, naming what changed."""
    changed = difference(entry, recipe=recipe, input=input_identity(shard))
    if changed:
        # Another profile has other stages: that says it all.
        changed = [line for line in changed if line.startswith("recipe.profile:")] or changed
        raise ConfigError(
            f"{output.root} holds results for {entry.name!r} of another run: {'; '.join(changed)}; "
            "use another --output, or delete this one"
        )


def begun_shards(output: Output) -> dict[str, int]:
    """Shards of which files of parts are there, with the number of one of them: one that has an entry, where any has."""
    found = (_FILE.match(name) for name in list_names(output.path(FOLDER), ""))
    matches = sorted((match for match in found if match is not None), key=lambda match: match.group(3) == ".json")
    return {match.group(1): int(match.group(2)) for match in matches}


def remove_parts(output: Output, shard_name: str) -> None:
    """Remove the parts of a shard that is put together: the entries first, so that none says what is not there."""
    folder = f"{FOLDER}/{shard_name}"
    names = list_names(output.path(folder), "")
    for name in sorted(names, key=lambda name: ("/" in name, name)):
        output.delete(f"{folder}/{name}")
    path = output.local_path(folder)
    if path is not None:
        shutil.rmtree(path, ignore_errors=True)
        _remove_empty(path.parent, Path(output.root))


def remove_empty_folders(output: Output) -> None:
    """Remove the folders that leases of parts were in."""
    root = output.local_path(f"{LEASES}/{FOLDER}")
    if root is not None and root.is_dir():
        folders = sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True)
        for folder in (*folders, root):
            _remove_empty(folder, Path(output.root))


def _remove_empty(folder: Path, root: Path) -> None:
    with suppress(OSError):  # not empty
        while folder != root:
            folder.rmdir()
            folder = folder.parent
