"""What the tasks of a sample returned, kept in scratch: whoever goes on with the run, or is at it too, takes it from there."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from dolmino_cli.errors import StorageError
from dolmino_cli.shards.appearing import appearing
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.storage import Output

T = TypeVar("T")


def recall(path: Path) -> Any | None:
    """The record at `path`; None where there is none, or none that is whole (a machine that lost power)."""
    with storage_errors("read scratch", str(path)):
        try:
            return pickle.loads(path.read_bytes())
        except (FileNotFoundError, EOFError, pickle.UnpicklingError):
            return None


def remembered(path: Path, work: Callable[[], T]) -> T:
    """The record at `path`, or what `work` returns, recorded there.

    Done twice at once, `work` must give the same. One may remove what it was done from after it was recorded: another that
    fails of that takes the record. Raises what `work` raises, StorageError.
    """
    found = recall(path)
    if found is not None:
        return cast(T, found)
    try:
        result = work()
    except StorageError:
        found = recall(path)
        if found is None:
            raise
        return cast(T, found)
    with storage_errors("write scratch", str(path)), appearing(path) as partial:
        partial.write_bytes(pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL))
    return result


def agreed(scratch: Path, name: str, value: list[str]) -> list[str]:
    """What the first of all processes of a run gave for `value`: for what depends on the machine. Raises StorageError."""
    place = Output(str(scratch))
    place.put_new(name, json.dumps(value).encode())
    return cast(list[str], json.loads(place.read(name) or b"[]"))
