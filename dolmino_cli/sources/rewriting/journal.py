"""The journal: every answer is on the disk before it counts, so that a killed run pays for none twice.

One file per shard, `<shard>.answers`: a header line, then one JSON line per outcome, in order of arrival. A line counts once
fsync has returned after it; what a kill left of an unfinished last line is cut off when the file is opened again.
"""

from __future__ import annotations

import fcntl
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from dolmino_cli.errors import DataError, RunFailed
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.sources.rewriting.account import Account
from dolmino_cli.sources.rewriting.outcome import ASKED_AGAIN, Outcome

FORMAT_VERSION = 1
_RUNS = "runs"
_RUNS_OF_SHARD = ".runs"
_ABSENT = -1
_DIGEST_BYTES = 8  # of the 32 in the line: enough to see that a request is another one


class _Header(msgspec.Struct, kw_only=True):
    dolmino_answers: int
    recipe: dict[str, Any]
    input: dict[str, Any]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Outcome)
_HEADER = msgspec.json.Decoder(_Header)


def journal_path(folder: Path, shard_name: str) -> Path:
    """Where the answers about a shard are kept."""
    return folder / f"{shard_name}.answers"


@contextmanager
def locked(folder: Path, *, concurrency: int) -> Iterator[None]:
    """Keep every other run away from the journal while the context is open. Raises RunFailed when one is there already.

    The lock is the system's: it ends with the process, however that ends. The file keeps who began and who ended: see `killed`.
    """
    with storage_errors("write", str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _RUNS).open("a", buffering=1)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunFailed(f"another run is writing to the journal {folder}; wait for it, or stop it first") from None
        file.write(f"began {concurrency}\n")
        try:
            yield
        finally:
            file.write("ended\n")


@contextmanager
def locked_shard(folder: Path, shard_name: str, *, concurrency: int) -> Iterator[None]:
    """As `locked`, of one shard's answers, where several processes have a shard each; waits for one that has this one.

    Raises RunFailed where a single process runs over the whole journal.
    """
    path = folder / f"{shard_name}{_RUNS_OF_SHARD}"
    with storage_errors("write", str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        whole, file = (folder / _RUNS).open("a"), path.open("a", buffering=1)
    with whole, file:
        try:
            fcntl.flock(whole, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunFailed(f"another run is writing to the journal {folder}; wait for it, or stop it first") from None
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"began {concurrency}\n")
        try:
            yield
        finally:
            file.write("ended\n")


def killed(folder: Path) -> tuple[int, int]:
    """Runs over this journal that did not end by themselves, and how many requests they may have had under way then.

    Where processes had a shard each, each of those that were killed counts.
    """
    found = [_killed(path) for path in (folder / _RUNS, *sorted(folder.rglob(f"*{_RUNS_OF_SHARD}")))]
    return sum(runs for runs, _ in found), sum(requests for _, requests in found)


def _killed(path: Path) -> tuple[int, int]:
    runs = requests = under_way = 0
    for line in path.read_text().splitlines() if path.is_file() else ():
        word, _, number = line.partition(" ")
        if word == "began":
            runs, requests = runs + bool(under_way), requests + under_way
            under_way = int(number)
        else:
            under_way = 0
    return runs, requests


def read_header(path: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Recipe and input identity that a journal was begun with; None where there is none, or no whole header was written."""
    if not path.is_file():
        return None
    with storage_errors("read", str(path)), path.open("rb") as file:
        line = file.readline()
    if not line.endswith(b"\n"):
        return None
    try:
        header = _HEADER.decode(line)
    except msgspec.MsgspecError as error:
        problem = f"damaged journal ({error}); delete it to ask for all of its answers again"
        raise DataError(problem, path=str(path), line=1) from None
    if header.dolmino_answers != FORMAT_VERSION:
        problem = f"journal of format {header.dolmino_answers}, this dolmino reads {FORMAT_VERSION}"
        raise DataError(f"{problem}; finish with the dolmino that began", path=str(path), line=1)
    return header.recipe, header.input


def stored(path: Path) -> tuple[int, Account]:
    """How many requests a rerun will not ask again, and the account of all; (0, empty) where there is no journal."""
    account, requests = Account(), 0
    for _, _, outcome in _whole_lines(path) if path.is_file() else ():
        if outcome is not None:
            account.add(outcome)
            requests += outcome.kind not in ASKED_AGAIN
    return requests, account


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes, Outcome | None]]:
    """Offset, bytes and outcome (None for the header) of every line but an unfinished last one. Raises DataError."""
    offset = 0
    with storage_errors("read", str(path)), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                outcome = _DECODER.decode(line) if number > 1 else None
            except msgspec.MsgspecError as error:
                advice = "restore the file, or cut it before this line: the answers after it are asked for again"
                raise DataError(f"damaged journal ({error}); {advice}", path=str(path), line=number) from None
            yield offset, line, outcome
            offset += len(line)


class Journal:
    """The answers about one shard: where each lies in the file, by number of its request. 16 bytes of memory per request.

    Only one process may hold it (`locked`). `cut_bytes` is what an earlier kill had left of an unfinished line. `account` sums
    what is in the file.
    """

    def __init__(self, path: Path, *, recipe: Mapping[str, Any], input: Mapping[str, Any], requests: int) -> None:
        self.path, self.account, self.cut_bytes = path, Account(), 0
        self._offsets = array("q", [_ABSENT]) * requests
        self._digests = array("Q", [0]) * requests
        with storage_errors("write", str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("a+b", buffering=0)
            self._end = self._load()
            if self._end == 0:
                header = _Header(dolmino_answers=FORMAT_VERSION, recipe=dict(recipe), input=dict(input))
                self._append(_ENCODER.encode(header) + b"\n")
                _sync_folder(path.parent)

    def __contains__(self, number: int) -> bool:
        """Whether the request has an outcome."""
        return self._offsets[number] != _ABSENT

    def __len__(self) -> int:
        return sum(1 for offset in self._offsets if offset != _ABSENT)

    def same(self, number: int, digest: bytes) -> bool:
        """Whether the stored outcome is that of the request with this digest."""
        return self._digests[number] == int.from_bytes(digest[:_DIGEST_BYTES], "big")

    def store(self, outcomes: Sequence[Outcome]) -> None:
        """Append outcomes; when this returns they are on the disk. Raises StorageError, and then none of them counts."""
        lines = [_ENCODER.encode(outcome) + b"\n" for outcome in outcomes]
        start = self._end
        with storage_errors("write", str(self.path)):
            self._append(b"".join(lines))
        for outcome, line in zip(outcomes, lines, strict=True):
            self.account.add(outcome)
            if outcome.kind != "gave_up":
                self._place(outcome, start)
            start += len(line)

    def outcomes(self, numbers: range) -> Iterator[Outcome]:
        """The stored outcomes of consecutive requests, all of which must be there."""
        with storage_errors("read", str(self.path)), self.path.open("rb") as file:
            for number in numbers:
                assert number in self, f"{self.path}: nothing is stored for request {number}"
                if file.tell() != self._offsets[number]:
                    file.seek(self._offsets[number])
                yield _DECODER.decode(file.readline())

    def close(self) -> None:
        """End writing."""
        self._file.close()

    def _append(self, data: bytes) -> None:
        try:
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
            os.fdatasync(self._file.fileno()) if hasattr(os, "fdatasync") else os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), self._end)  # half a line in the middle would spoil the file
            raise
        self._end += len(data)

    def _load(self) -> int:
        """Read what is there, cut off an unfinished last line; returns where the whole lines end."""
        end = 0
        for offset, line, outcome in _whole_lines(self.path):
            end = offset + len(line)
            if outcome is None:
                continue
            if not 0 <= outcome.number < len(self._offsets):
                raise DataError(f"request {outcome.number} of a shard of {len(self._offsets)}", path=str(self.path))
            self.account.add(outcome)
            if outcome.kind not in ASKED_AGAIN:
                self._place(outcome, offset)
        self.cut_bytes = os.fstat(self._file.fileno()).st_size - end
        if self.cut_bytes:
            os.ftruncate(self._file.fileno(), end)
        return end

    def _place(self, outcome: Outcome, offset: int) -> None:
        self._offsets[outcome.number] = offset
        self._digests[outcome.number] = int(outcome.request[: 2 * _DIGEST_BYTES], 16)


def _sync_folder(folder: Path) -> None:
    """Make the new file's name itself outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
