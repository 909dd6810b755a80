"""What `dolmino mix export` is given: a sampled mix, the arrays of a mix's sources, or an imported list of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dolmino_cli.bundled import find
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix import lock as locks
from dolmino_cli.mix import manifest as manifests
from dolmino_cli.mix.exchange import file_list
from dolmino_cli.mix.exchange.file_list import FileList
from dolmino_cli.mix.lock import Lock
from dolmino_cli.mix.manifest import Manifest
from dolmino_cli.mix.plan import plan
from dolmino_cli.mix.populations import open_arrays, populations
from dolmino_cli.shards import storage
from dolmino_cli.tokens.arrays import NAME, TokenArrays


@dataclass(frozen=True, kw_only=True)
class SampledMix:
    """A mix's own folder: its parts are the mix."""

    lock: Lock
    arrays: TokenArrays


@dataclass(frozen=True, kw_only=True)
class SourceArraysOfMix:
    """The arrays that a mix would be sampled from, and the tokens to take of each, 1 or more; in the manifest's order.

    `untaken` are the sources of which the mix takes no token. They are left out: Megatron refuses a weight of 0.
    """

    manifest: Manifest
    arrays: Mapping[str, TokenArrays]
    take: Mapping[str, int]
    untaken: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the sources."""
        if not self.untaken:
            return ()
        return (f"the mix takes no token of {', '.join(self.untaken)}, so nothing of it is exported",)


What = SampledMix | SourceArraysOfMix | FileList


def open_what(given: str, *, arrays_root: str | None) -> What:
    """A `.files.txt`, the folder of a mix, a mix's lock, or a manifest (bundled name or YAML) with the arrays of its sources.

    A lock that lies in its mix's folder is that mix, unless `arrays_root` asks for the sources. Raises ConfigError when it is
    none of these, or when arrays are missing.
    """
    if given.endswith(file_list.SUFFIX):
        if arrays_root is not None:
            raise ConfigError(f"{given} lists its files itself; leave --arrays out")
        return file_list.parse(_text(given), given)
    if given.endswith(locks.SUFFIX):
        lock, folder = locks.parse(storage.read_bytes(given), given), given.rpartition("/")[0] or "."
        if arrays_root is None and storage.exists(storage.join(folder, NAME)):
            return _mix(lock, folder, given)
        return _sources(lock.manifest, arrays_root, lock)
    if not given.endswith((".yaml", ".yml")) and storage.exists(storage.join(given, NAME)):
        if arrays_root is not None:
            raise ConfigError(f"{given} is a folder of arrays already; leave --arrays out")
        return _mix_in(given)
    return _sources(manifests.load(find("mixes", given)), arrays_root, None)


def _text(path: str) -> str:
    if not storage.exists(path):
        raise ConfigError(f"{path}: there is no such file; `dolmino mix import` writes one")
    return storage.read_bytes(path).decode("utf-8", errors="replace")


def _mix_in(folder: str) -> SampledMix:
    found = [name for name in storage.list_names(folder, locks.SUFFIX) if "/" not in name]
    if len(found) != 1:
        raise ConfigError(f"{folder} holds {len(found)} locks; give the folder of one mix that `dolmino sample` finished")
    path = storage.join(folder, found[0])
    return _mix(locks.parse(storage.read_bytes(path), path), folder, path)


def _mix(lock: Lock, folder: str, path: str) -> SampledMix:
    arrays = TokenArrays.open(folder)
    wanted = None if lock.outputs is None else [part.array_file() for part in lock.outputs]
    if wanted != arrays.files:
        raise ConfigError(f"{path} is not the lock of the arrays beside it; run `dolmino mix verify {path}`, or sample it anew")
    return SampledMix(lock=lock, arrays=arrays)


def _sources(manifest: Manifest, arrays_root: str | None, lock: Lock | None) -> SourceArraysOfMix:
    elsewhere = {name: source.arrays for name, source in lock.sources.items()} if lock else None
    found = open_arrays(manifest, arrays_root=arrays_root, elsewhere=elsewhere)
    if missing := [name for name in manifest.sources if name not in found]:
        raise ConfigError(
            f"no token arrays for {', '.join(missing)}; give --arrays with the folder or s3:// prefix that has"
            f" {missing[0]}, or the folder of a sampled mix"
        )
    arrays = {name: found[name].arrays for name in manifest.sources}
    if lock is None:
        take = {source.name: source.tokens for source in plan(manifest, populations(manifest, found)).sources}
        return _taken(manifest, arrays, take)
    if changed := [name for name in arrays if arrays[name].files != lock.sources[name].files]:
        raise ConfigError(f"the arrays of {', '.join(changed)} are not those of the lock; restore them, or give the manifest")
    return _taken(manifest, arrays, {name: lock.sources[name].target_tokens for name in arrays})


def _taken(manifest: Manifest, arrays: Mapping[str, TokenArrays], take: Mapping[str, int]) -> SourceArraysOfMix:
    used = {name: tokens for name, tokens in take.items() if tokens}
    return SourceArraysOfMix(
        manifest=manifest,
        arrays={name: arrays[name] for name in arrays if name in used},
        take=used,
        untaken=tuple(name for name in arrays if name not in used),
    )
