"""Are the arrays of a mix the bytes that its lock names? Asked before a run trains on them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from dolmino_cli.errors import DataError, StorageError
from dolmino_cli.mix import verified_marks
from dolmino_cli.mix.for_training import MixForTraining
from dolmino_cli.mix.reading import Hashed
from dolmino_cli.mix.verified_marks import Mark
from dolmino_cli.shards import storage

_READERS = 4  # per rank; sha256 lets go of Python's lock
_TELL_SECONDS = 30


def check_arrays(mix: MixForTraining, parts: Iterable[int], *, say: Callable[[str], None]) -> None:
    """Read the arrays of `parts` (0-based). Raises DataError naming the first that is not what the lock says, StorageError.

    What was found right once is not read again while its size and its etag (locally: the time of its last change) stay what
    they were then: a restart begins at once. `dolmino mix verify --full` reads everything always.
    """
    parts = tuple(parts)
    full_verify = verified_marks.recall(mix.root) if storage.is_remote(mix.root) else {}
    marks = {mix.parts[part].name: _mark(mix, part) for part in parts}
    known = {name for name, mark in marks.items() if mark in (full_verify.get(name), _recalled(mix, name))}
    to_read = [part for part in parts if mix.parts[part].name not in known]
    if not to_read:
        return
    megabytes = sum(mix.parts[part].bytes for part in to_read) / 1e6
    say(f"reading {len(to_read):,} arrays ({megabytes:,.1f} MB) of {mix.root} for their sha256")
    changed, told = [], time.monotonic()
    with ThreadPoolExecutor(_READERS, thread_name_prefix="sha256") as readers:
        digests = readers.map(lambda part: _sha256(mix.path(part)), to_read)
        for read, (part, found) in enumerate(zip(to_read, digests, strict=True), 1):
            name = mix.parts[part].name
            if time.monotonic() > told + _TELL_SECONDS:
                say(f"read {read:,} of {len(to_read):,} arrays for their sha256")
                told = time.monotonic()
            if found != marks[name].sha256:
                changed.append((mix.path(part), found, marks[name].sha256))
            else:
                _remember(mix, name, marks[name])
    if changed:
        path, found, expected = changed[0]
        more = f" ({len(changed) - 1:,} more arrays were changed)" if len(changed) > 1 else ""
        problem = f"was changed after it was written: its sha256 is {found}, the lock says {expected}{more}"
        raise DataError(f"{problem}; restore it, or sample the mix again", path=path)


def _sha256(path: str) -> str:
    with storage.open_bytes(path) as raw:
        return Hashed(raw, path).finish()


def _mark(mix: MixForTraining, part: int) -> Mark:
    """What is there, with the sha256 that it ought to have."""
    found = mix.files[mix.parts[part].name]
    return Mark(etag=found.etag or "", bytes=found.bytes, sha256=mix.parts[part].sha256)


# One file of marks per array: ranks on many nodes write to the folder at the same time.
def _place(mix: MixForTraining, name: str) -> str:
    return storage.join(storage.absolute(mix.root), name)


def _recalled(mix: MixForTraining, name: str) -> Mark | None:
    return verified_marks.recall(_place(mix, name)).get(name)


def _remember(mix: MixForTraining, name: str, mark: Mark) -> None:
    with contextlib.suppress(StorageError):  # it is read again at the next start
        verified_marks.remember(_place(mix, name), {name: mark})
