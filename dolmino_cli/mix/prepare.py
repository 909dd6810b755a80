"""From a manifest or a lock and token arrays to everything that decides a mix, before anything is written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.errors import ConfigError, unreadable
from dolmino_cli.mix import manifest as manifests
from dolmino_cli.mix.lock import Lock, Request, differences, parse, request_of
from dolmino_cli.mix.manifest import Manifest
from dolmino_cli.mix.plan import MixPlan, plan
from dolmino_cli.mix.populations import SourceArrays, copies_warning, open_arrays, populations, tokenizer_warning
from dolmino_cli.mix.reading import SourceFile
from dolmino_cli.mix.windows import MOST_SEQUENCE_LENGTH, SEQUENCE_LENGTH
from dolmino_cli.tokens.arrays import ArrayFile, MadeBy, TokenArrays

TOKENS_PER_FILE = 64_000_000
_MOST_TOKENS = 1 << 50  # of a part: more than any mix has
_MOST_PASSES = (1 << 16) - 1  # over a source: a document's copy is written as 16 bits


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A mix that can be written: `plan` is what it will take, `lock` the lock it must reproduce (None from a manifest)."""

    manifest: Manifest
    manifest_sha256: str
    arrays: dict[str, SourceArrays]
    plan: MixPlan
    request: Request
    lock: Lock | None
    warnings: tuple[str, ...]

    def files(self) -> list[SourceFile]:
        """The array files of all sources, in the order of source name, then of arrays.json."""
        return [
            SourceFile(source=name, number=number, root=source.arrays.root, array=array, dtype=source.arrays.dtype)
            for name, source in sorted(self.arrays.items())
            for number, array in enumerate(source.arrays.files)
        ]


def prepare(
    path: Path,
    *,
    arrays_root: str | None = None,
    scale: float | None = None,
    tokens_per_file: int | None = None,
    sequence_length: int | None = None,
) -> Prepared:
    """Read a manifest (.yaml) or a lock (.json) and open its arrays.

    A lock brings its own scale, tokens_per_file and sequence_length; from a manifest they are 1, TOKENS_PER_FILE and that of
    its `training`, else SEQUENCE_LENGTH, unless given. Raises ConfigError when a source has no arrays, and when options or
    inputs are not those of the lock, naming each.
    """
    bounds = (("tokens_per_file", tokens_per_file, _MOST_TOKENS), ("sequence_length", sequence_length, MOST_SEQUENCE_LENGTH))
    for name, value, most in bounds:
        if value is not None and not 1 <= value <= most:
            raise ConfigError(f"{name} is {value}; it must be 1 to {most:,}")
    lock, manifest, sha256 = None, None, ""
    if path.suffix == ".json":
        lock = parse(_read(path), str(path))
        manifest, sha256 = lock.manifest, lock.manifest_sha256
    else:
        manifest, sha256 = manifests.load(path), hashlib.sha256(_read(path)).hexdigest()
    elsewhere = {name: source.arrays for name, source in lock.sources.items()} if lock else None
    arrays = open_arrays(manifest, arrays_root=arrays_root, elsewhere=elsewhere)
    if missing := [name for name in manifest.sources if name not in arrays]:
        raise ConfigError(
            f"no token arrays for {', '.join(missing)}; make them with `dolmino retokenize`, and put them at"
            f" {arrays_root or 'ARRAYS'}/<source> or name them in the manifest as `arrays:`"
        )
    request = Request(
        manifest=manifest,
        scale=scale if scale is not None else lock.scale if lock else 1.0,
        tokens_per_file=tokens_per_file if tokens_per_file is not None else lock.tokens_per_file if lock else TOKENS_PER_FILE,
        sequence_length=sequence_length or (lock.sequence_length if lock else _window(manifest)),
        tokenizer=next(iter(arrays.values())).arrays.tokenizer,
        dtype=next(iter(arrays.values())).arrays.dtype,
        inputs={name: arrays[name].arrays.files for name in manifest.sources},
    )
    if lock is not None and (changed := list(differences(request_of(lock), request))):
        raise ConfigError(f"this is not what {path} was made from: {'; '.join(changed)}; restore it, or sample the manifest anew")
    planned = plan(manifest, populations(manifest, arrays), scale=request.scale)
    for source in planned.sources:
        if source.tokens > _MOST_PASSES * arrays[source.name].arrays.totals["tokens"]:
            raise ConfigError(
                f"source {source.name!r} would be taken more than {_MOST_PASSES:,} times over; give it a smaller share"
            )
    warnings = (tokenizer_warning(manifest, arrays), copies_warning(arrays), planned.left_out)
    return Prepared(
        manifest=manifest,
        manifest_sha256=sha256,
        arrays=arrays,
        plan=planned,
        request=request,
        lock=lock,
        warnings=tuple(warning for warning in warnings if warning is not None),
    )


def describe(prepared: Prepared, files: list[ArrayFile], root: str) -> TokenArrays:
    """The mix as token arrays: what its sources have in common, and where they differ, the value of each."""
    sources = {name: source.arrays for name, source in prepared.arrays.items()}
    made_by: list[MadeBy] = []
    for source in sources.values():
        made_by += [made for made in source.made_by or [] if made not in made_by]
    options = {key: None for source in sources.values() for key in source.options}
    described = {key: _common({name: source.options.get(key) for name, source in sources.items()}) for key in options}
    return TokenArrays(
        root=root,
        tokenizer=prepared.request.tokenizer,
        dtype=next(iter(sources.values())).dtype,
        engine=", ".join(sorted({source.engine for source in sources.values()})),
        options=described | {"tokens_per_file": prepared.request.tokens_per_file},
        files=files,
        totals={key: sum(getattr(file, key) for file in files) for key in ("documents", "tokens", "bytes")},
        made_by=made_by or None,
    )


def _window(manifest: Manifest) -> int:
    return manifest.training.sequence_length if manifest.training is not None else SEQUENCE_LENGTH


def _common(values: Mapping[str, object]) -> object:
    first = next(iter(values.values()))
    return first if all(value == first for value in values.values()) else dict(values)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
