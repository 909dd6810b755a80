"""Are the files that a lock names the files that are there? Quick by size, full by sha256; everything that differs is named.

Quick reads no array. A file whose size the lock knows (arrays, bitmaps of windows) is compared by size; the others (rows,
documents, arrays.json: a few per cent of the bytes) have no recorded size and are read. On S3 an object with the etag that it had
when a full verify read it is not read again, and one with another etag than that is read, whatever its size
(`verified_marks`). So quick finds what is missing, cut short or extra; only full finds a changed byte of an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dolmino_cli.errors import StorageError
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.executor import Phase
from dolmino_cli.executors.local import Local
from dolmino_cli.mix import folder, verified_marks
from dolmino_cli.mix.locked_files import LockedFile, is_there
from dolmino_cli.mix.reading import Hashed
from dolmino_cli.mix.verified_marks import Mark
from dolmino_cli.shards import storage
from dolmino_cli.shards.shard import Shard

PRELOAD = ("dolmino_cli.mix.verify",)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file that is not what the lock says; `of` is `input of web`, `output` or another word for people."""

    of: str
    path: str
    what: str
    """Expected and found, in words."""

    def __str__(self) -> str:
        return f"{self.of} {self.path}: {self.what}"


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What listings say: the problems that are plain from them, and the files whose bytes are to be read."""

    files: tuple[LockedFile, ...]
    problems: dict[str, Problem]
    """By path."""
    found: dict[str, Shard]
    """By path."""
    to_read: tuple[LockedFile, ...]
    """Each path once, the largest first."""
    unchanged: int
    """Files not to be read because their etag is that of a full verify."""
    absent: tuple[str, ...]
    """Folders that are not there at all."""

    @property
    def bytes_to_read(self) -> int:
        """Of all files whose sha256 is to be found."""
        return sum(self.found[file.path].bytes for file in self.to_read)


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What came out; `problems` in the lock's order. `bytes` are those of all files found, `read_bytes` of those read."""

    files: int
    bytes: int
    by_size: int
    by_etag: int
    by_sha256: int
    read_bytes: int
    problems: tuple[Problem, ...]
    not_remembered: str | None = None
    """Why etags could not be kept for the next quick run; the result does not depend on it."""


def verify(files: Iterable[LockedFile], *, full: bool, workers: int = 1) -> Verified:
    """`look` and `read` in one. Raises StorageError where a folder cannot be listed."""
    return read(look(files, full=full), workers=workers)


def look(files: Iterable[LockedFile], *, full: bool) -> Looked:
    """Compare presence and sizes, one listing per folder; decide which files are to be read (all that are left, if `full`)."""
    files = tuple(files)
    found: dict[str, Shard] = {}
    problems: dict[str, Problem] = {}
    to_read: dict[str, LockedFile] = {}
    unchanged = 0
    absent = []
    for root in dict.fromkeys(file.root for file in files):
        listed = {shard.name: shard for shard in storage.walk(root)} if is_there(root) else {}
        absent += [] if listed else [root]
        # A store's etags change with the content; a local file's is its time, which need not.
        marks = verified_marks.recall(root) if storage.is_remote(root) and not full else {}
        below = {file.name: file for file in files if file.root == root}
        for name, file in below.items():
            shard = listed.get(name)
            if shard is None:
                size = f" of {file.bytes:,} bytes" if file.bytes is not None else ""
                problems[file.path] = _problem(file, f"missing; the lock has it{size}, sha256 {file.sha256}")
                continue
            found[file.path] = shard
            mark = marks.get(name)
            if file.bytes is not None and shard.bytes != file.bytes:
                problems[file.path] = _problem(file, f"{shard.bytes:,} bytes; the lock says {file.bytes:,}")
            elif mark == Mark(etag=shard.etag or "", bytes=shard.bytes, sha256=file.sha256):
                unchanged += 1
            elif full or file.bytes is None or mark is not None:
                to_read[file.path] = file
        if any(file.of == "output" for file in below.values()):
            problems |= _not_in_the_lock(root, listed, below)
    by_size = sorted(to_read.values(), key=lambda file: -found[file.path].bytes)
    return Looked(files=files, problems=problems, found=found, to_read=tuple(by_size), unchanged=unchanged, absent=tuple(absent))


def read(looked: Looked, *, workers: int = 1, progress: Progress | None = None) -> Verified:
    """Read what is to be read and compare sha256. `progress` is called with (bytes, files) done; nothing stops at a problem."""
    problems = dict(looked.problems)
    right: dict[str, dict[str, Mark]] = {}
    done_bytes = 0
    phase = Phase(name="verify", name_of=lambda file: file.path)
    digests = attempt_all(Local(workers=workers), _digest, looked.to_read, phase=phase, what="files", preload=PRELOAD)
    for done, (file, (digest, unread)) in enumerate(digests, 1):
        shard = looked.found[file.path]
        done_bytes += shard.bytes
        if digest is None:
            problems[file.path] = _problem(file, unread)
        elif digest != file.sha256:
            problems[file.path] = _problem(file, f"sha256 is {digest}; the lock says {file.sha256}")
        elif storage.is_remote(file.root) and shard.etag:
            mark = Mark(etag=shard.etag, bytes=shard.bytes, sha256=digest)
            right.setdefault(file.root, {})[file.name] = mark
        if progress is not None:
            progress(done_bytes, done)
    not_remembered = None
    try:
        for root, marks in right.items():
            verified_marks.remember(root, marks)
    except StorageError as error:
        not_remembered = str(error)
    paths = dict.fromkeys(file.path for file in looked.files)
    by_size = len(looked.found.keys() & paths.keys()) - len(looked.to_read) - looked.unchanged
    return Verified(
        files=len(paths),
        bytes=sum(shard.bytes for shard in looked.found.values()),
        by_size=by_size,
        by_etag=looked.unchanged,
        by_sha256=len(looked.to_read),
        read_bytes=done_bytes,
        problems=tuple(problems[path] for path in dict.fromkeys([*paths, *problems]) if path in problems),
        not_remembered=not_remembered,
    )


def _digest(file: LockedFile) -> tuple[str | None, str]:
    """The sha256 of what is stored, or None and why it cannot be read, which keeps no other file from being looked at."""
    try:
        with storage.open_bytes(file.path) as raw:
            return Hashed(raw, file.path).finish(), ""
    except StorageError as error:
        return None, str(error)


def _problem(file: LockedFile, what: str) -> Problem:
    return Problem(of=file.of, path=file.path, what=what)


def _not_in_the_lock(root: str, listed: Mapping[str, Shard], known: Mapping[str, LockedFile]) -> dict[str, Problem]:
    """A mix's folder is what a trainer is given: an array too many would be trained on."""
    found = {}
    for name in sorted(listed.keys() - known.keys()):
        path = storage.join(root, name)
        if name == folder.UNFINISHED:
            found[path] = Problem(of="output", path=path, what="the mix is not finished; run `dolmino sample` again")
        elif name.endswith(".npy") or name.rpartition("/")[2].startswith("part-"):
            found[path] = Problem(of="output", path=path, what=f"{listed[name].bytes:,} bytes; not in the lock")
    return found
