"""What is not the same in two mixes: amounts per source, settings and, of two locks, input files and outputs.

A manifest stands for what it plans: over the arrays that are found, else the sizes that the lock has it is compared with, else
published ones. Two locks are compared by what was taken; a lock and a manifest by what was to be taken. So a manifest and its
own lock are equal, though a selection stops up to one document above its target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dolmino_cli.mix import manifest as manifests
from dolmino_cli.mix.compare import Compared, compare
from dolmino_cli.mix.find_lock import find_lock, names_a_lock
from dolmino_cli.mix.find_mix import find_mix
from dolmino_cli.mix.lock import Lock
from dolmino_cli.mix.manifest import Manifest
from dolmino_cli.mix.plan import MixPlan, PlannedSource, Population, plan
from dolmino_cli.mix.populations import find_populations
from dolmino_cli.tokens.arrays import NAME

# What decides a lock's bytes besides its manifest and its inputs.
_LOCK_SETTINGS = ("tokens_per_file", "sequence_length", "dtype")


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two: a manifest with the plan that its populations give, or a lock."""

    given: str
    manifest: Manifest
    planned: MixPlan
    lock: Lock | None = None


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A decision that is not the same."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class InputChange:
    """An input file that two locks do not agree on; its sha256 in each, None where a lock does not have it."""

    source: str
    file: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Diff:
    """Two mixes compared; `rows` holds what is equal, too."""

    before: Side
    after: Side
    rows: tuple[Compared, ...]
    settings: tuple[Setting, ...]
    inputs: tuple[InputChange, ...]
    outputs_equal: bool | None
    """Of two locks of sampled mixes: are all parts the same bytes? None where there are no two to compare."""

    @property
    def differs(self) -> bool:
        """Is anything not the same?"""
        rows = any(row.differs for row in self.rows)
        return rows or bool(self.settings) or bool(self.inputs) or self.outputs_equal is False

    @property
    def by_taken(self) -> bool:
        """Are the tokens those taken (two locks), rather than those to be taken?"""
        return self.before.lock is not None and self.after.lock is not None


def diff(before: str, after: str, *, arrays_root: str | None = None) -> Diff:
    """Compare two of: a bundled mix's name, a manifest's path, a lock's path, a mix's folder.

    Raises ConfigError for what is none of these or cannot be planned, DataError for a damaged lock.
    """
    locks = {given: find_lock(given)[1] for given in (before, after) if names_a_lock(given)}
    known: dict[str, Population] = {}
    for lock in locks.values():
        known |= {source.name: source.available for source in locked_plan(lock).sources if source.available is not None}
    sides = [
        Side(given=given, manifest=locks[given].manifest, planned=locked_plan(locks[given]), lock=locks[given])
        if given in locks
        else _manifest_side(given, arrays_root=arrays_root, known=known)
        for given in (before, after)
    ]
    return compare_sides(*sides)


def _manifest_side(given: str, *, arrays_root: str | None, known: Mapping[str, Population]) -> Side:
    manifest = manifests.load(find_mix(given))
    found = find_populations(manifest, arrays_root=arrays_root)
    sizes = {name: found[name] for name in found if found[name].kind == "arrays" or name not in known}
    locked = {name: known[name] for name in manifest.sources if name in known}
    return Side(given=given, manifest=manifest, planned=plan(manifest, locked | sizes))


def compare_sides(before: Side, after: Side) -> Diff:
    """As `diff`, of sides that were read."""
    plans = (before.planned, after.planned)
    inputs: tuple[InputChange, ...] = ()
    outputs_equal = None
    if before.lock is not None and after.lock is not None:
        plans = (locked_plan(before.lock, taken=True), locked_plan(after.lock, taken=True))
        inputs = tuple(_input_changes(before.lock, after.lock))
        if before.lock.outputs is not None and after.lock.outputs is not None:
            outputs_equal = before.lock.outputs == after.lock.outputs
    return Diff(
        before=before,
        after=after,
        rows=compare(*plans),
        settings=tuple(_settings(before, after)),
        inputs=inputs,
        outputs_equal=outputs_equal,
    )


def locked_plan(lock: Lock, *, taken: bool = False) -> MixPlan:
    """A lock as a plan over the arrays it was made from: of the tokens it took, or of those it was to take."""
    tokens = {name: source.taken_tokens if taken else source.target_tokens for name, source in lock.sources.items()}
    rows = tuple(
        PlannedSource(
            name=name,
            available=Population(tokens=source.tokens, documents=source.documents, kind="arrays"),
            tokens=tokens[name],
            mix_tokens=sum(tokens.values()),
            expected_mix_percent=None,
        )
        for name, source in lock.sources.items()
    )
    return MixPlan(name=lock.manifest.name, scale=lock.scale, sources=rows, expected_groups={})


def _settings(before: Side, after: Side) -> Iterator[Setting]:
    pairs: list[tuple[str, object, object]] = [
        ("tokenizer", before.manifest.tokenizer, after.manifest.tokenizer),
        ("seed", before.manifest.seed, after.manifest.seed),
        ("scale", before.planned.scale, after.planned.scale),
    ]
    if before.lock is not None and after.lock is not None:
        one_lock, other_lock = before.lock, after.lock
        pairs += [(name, getattr(one_lock, name), getattr(other_lock, name)) for name in _LOCK_SETTINGS]
        pairs.append(("sha256 of the arrays' tokenizer", one_lock.tokenizer.sha256, other_lock.tokenizer.sha256))
    for name, one, other in pairs:
        if one != other:
            yield Setting(name=name, before=f"{one}", after=f"{other}")


def _input_changes(before: Lock, after: Lock) -> Iterator[InputChange]:
    for source in sorted(before.sources.keys() | after.sources.keys()):
        shas = [_input_files(lock, source) for lock in (before, after)]
        for file in sorted(shas[0].keys() | shas[1].keys()):
            one, other = (of_lock.get(file) for of_lock in shas)
            if one != other:
                yield InputChange(source=source, file=file, before=one, after=other)


def _input_files(lock: Lock, name: str) -> dict[str, str]:
    """Every input file of a source -> its sha256."""
    source = lock.sources.get(name)
    if source is None:
        return {}
    files = {file.name: file.sha256 for file in source.files} | {file.index_name: file.index_sha256 for file in source.files}
    return {NAME: source.arrays_json_sha256} | files
