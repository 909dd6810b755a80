"""MIX.lock.json: everything that a tool found out about a mix; with the inputs it names, the arrays come out byte for byte.

The same inputs give the same lock bytes: no times, no machine, no scratch paths, no worker counts stand in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import msgspec

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.manifest import Manifest
from dolmino_cli.mix.provenance import provenance_name
from dolmino_cli.mix.share import KINDS
from dolmino_cli.mix.windows import SEQUENCE_LENGTH, repeated_name
from dolmino_cli.tokens.arrays import ArrayFile, TokenizerRecord

FORMAT = "dolmino mix lock"
VERSION = 2
SUFFIX = ".lock.json"


@dataclass(frozen=True, kw_only=True)
class MixPart(ArrayFile):
    """One part of a mix: its array and rows, its documents (`provenance`), and which of its windows repeat themselves."""

    documents_sha256: str
    repeated_sha256: str
    windows: int
    """Of the lock's `sequence_length` tokens; the tokens that fill none are never trained on."""
    repeated_windows: int
    """How many of them a trainer masks."""

    @property
    def file_names(self) -> tuple[str, ...]:
        """All files of the part, the array first."""
        return self.name, self.index_name, provenance_name(self.name), repeated_name(self.name)

    def array_file(self) -> ArrayFile:
        """As arrays.json has it."""
        return ArrayFile(**{field.name: getattr(self, field.name) for field in dataclasses.fields(ArrayFile)})


@dataclass(frozen=True, kw_only=True)
class LockedSource:
    """What a source was, and what was taken of it. `last_key` (hex) is the hash of the last document of its partial pass."""

    arrays: str
    arrays_json_sha256: str
    tokens: int
    documents: int
    target_tokens: int
    taken_tokens: int
    taken_documents: int
    repeated_ids: int | None
    """Documents taken whose id another document of the same pass has; None before anything was sampled."""
    whole_passes: int
    last_key: str | None
    source_percent: float
    """Achieved; rounded to 9 digits after the point."""
    mix_percent: float
    files: list[ArrayFile]


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A mix, complete: its decisions, its inputs, and its outputs (None: decided and selected, but not yet sampled)."""

    format: str = FORMAT
    version: int = VERSION
    manifest_sha256: str
    """Of the manifest file that was sampled first."""
    manifest: Manifest
    scale: float
    tokens_per_file: int
    sequence_length: int = SEQUENCE_LENGTH
    """Tokens of a window."""
    tokenizer: TokenizerRecord
    dtype: str
    sources: dict[str, LockedSource]
    outputs: list[MixPart] | None
    arrays_json_sha256: str | None
    """Of the mix's own arrays.json; None before anything was sampled."""

    def to_json(self) -> bytes:
        """The file's bytes."""
        return msgspec.json.format(msgspec.json.encode(dataclasses.asdict(self)), indent=1) + b"\n"


@dataclass(frozen=True, kw_only=True)
class _Header:
    """What every version of a lock begins with."""

    format: str
    version: int


def parse(data: bytes, path: str) -> Lock:
    """A lock from its file's bytes. Raises DataError when it is none, or of another version."""
    try:
        header = msgspec.json.decode(data, type=_Header)
        if (header.format, header.version) != (FORMAT, VERSION):
            found = f"is {header.format!r} version {header.version}; this dolmino reads {FORMAT!r} version {VERSION}"
            raise DataError(f"{found}: sample the manifest anew", path=path)
        lock = msgspec.json.decode(data, type=Lock)
        if problems := list(_contradictions(lock)):
            raise DataError(f"is a damaged mix lock: {'; '.join(problems)}; restore it, or make it anew", path=path)
        return lock
    except (msgspec.DecodeError, ConfigError) as error:
        raise DataError(f"is not a mix lock: {error}; make a new one from the manifest", path=path) from None


def _contradictions(lock: Lock) -> Iterator[str]:
    """What cannot stand in one lock together: nobody but an editor wrote it so."""
    if lock.sources.keys() != lock.manifest.sources.keys():
        yield f"sources {', '.join(lock.sources)}, its manifest has {', '.join(lock.manifest.sources)}"
    for name, source in lock.sources.items():
        for of in ("tokens", "documents"):
            if (held := sum(getattr(file, of) for file in source.files)) != getattr(source, of):
                yield f"{of} of {name} are {getattr(source, of):,}, its files have {held:,}"
    if lock.outputs is None:
        return
    if lock.arrays_json_sha256 is None:
        yield "there are outputs and no arrays_json_sha256"
    for of in ("tokens", "documents"):
        taken = sum(getattr(source, f"taken_{of}") for source in lock.sources.values())
        written = sum(getattr(part, of) for part in lock.outputs)
        if taken != written:
            yield f"{taken:,} {of} are taken of the sources, {written:,} in the outputs"
    names = [part.name for part in lock.outputs]
    if len(set(names)) < len(names) or any(PurePosixPath(name).name != name for name in names):
        yield f"two outputs of one name, or a name that is a path ({', '.join(names[:3])}...)"
    for part in lock.outputs:
        if part.windows != part.tokens // lock.sequence_length:
            yield f"{part.name} has {part.windows:,} windows of {lock.sequence_length:,} in {part.tokens:,} tokens"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What decides a mix's bytes: two runs with equal requests make equal files."""

    manifest: Manifest
    scale: float
    tokens_per_file: int
    sequence_length: int
    tokenizer: TokenizerRecord
    dtype: str
    inputs: dict[str, list[ArrayFile]]
    """Per source its files. Where they lie does not matter, nor what else their arrays.json says."""


def request_of(lock: Lock) -> Request:
    """The request that a lock was made for."""
    return Request(
        manifest=lock.manifest,
        scale=lock.scale,
        tokens_per_file=lock.tokens_per_file,
        sequence_length=lock.sequence_length,
        tokenizer=lock.tokenizer,
        dtype=lock.dtype,
        inputs={name: source.files for name, source in lock.sources.items()},
    )


def differences(locked: Request, now: Request) -> Iterator[str]:
    """What changed between a lock and a new request, one phrase each; nothing when they make the same mix."""
    for field in dataclasses.fields(Manifest):
        before, after = getattr(locked.manifest, field.name), getattr(now.manifest, field.name)
        if field.name == "sources":
            yield from _source_differences(locked, now)
            yield from _group_differences(locked, now)
        elif field.name in ("name", "tokenizer", "seed", "total_tokens") and before != after:
            yield f"manifest {field.name} ({before} in the lock, {after} now)"
    for name in ("scale", "tokens_per_file", "sequence_length", "dtype"):
        if getattr(locked, name) != getattr(now, name):
            yield f"{name} ({getattr(locked, name)} in the lock, {getattr(now, name)} now)"
    if locked.tokenizer != now.tokenizer:
        yield f"tokenizer of the arrays ({_tokenizer(locked.tokenizer)} in the lock, {_tokenizer(now.tokenizer)} now)"
    for name in sorted(locked.inputs.keys() & now.inputs.keys()):
        yield from _input_differences(name, locked.inputs[name], now.inputs[name])


def _source_differences(locked: Request, now: Request) -> Iterator[str]:
    before, after = locked.manifest.sources, now.manifest.sources
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield f"source {name} ({'only in the lock' if name in before else 'not in the lock'})"
            continue
        for decided in (*KINDS, "max_epochs", "min_tokens"):
            old, new = getattr(before[name], decided), getattr(after[name], decided)
            if old != new:
                yield f"{decided} of {name} ({old} in the lock, {new} now)"
    if list(before) != list(after) and before.keys() == after.keys():
        yield f"order of the sources ({', '.join(before)} in the lock, {', '.join(after)} now)"


def _group_differences(locked: Request, now: Request) -> Iterator[str]:
    before, after = ({name: group.says() for name, group in request.manifest.groups.items()} for request in (locked, now))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"group {name} ({before.get(name, 'none')} in the lock, {after.get(name, 'none')} now)"


def _input_differences(source: str, locked: list[ArrayFile], now: list[ArrayFile]) -> Iterator[str]:
    before, after = ({file.name: file for file in files} for files in (locked, now))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            how = "missing now" if name not in after else "not in the lock" if name not in before else "changed"
            yield f"input {name} of {source} ({how})"


def _tokenizer(tokenizer: TokenizerRecord) -> str:
    return f"{tokenizer.name} {tokenizer.sha256[:12]}, eos {tokenizer.eos_id}"
