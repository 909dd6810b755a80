"""Write a mix: choose documents by keyed hash, bring them into the order of a second one, and lock what came out.

    manifest or lock, token arrays ──mix_rows──▶ every part's documents ──write_part──▶ part-NNNNN.* ──▶ lock

In bounded memory: rows (documents without their tokens) are sorted a table at a time, a worker holds the rows of one part, and
tokens pass from the sources to the part some MB at a time. What is written depends on the manifest, the scale,
`tokens_per_file`, `sequence_length` and the sources' documents: not on workers or memory, nor on how sources are cut into files.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from dolmino_cli import __version__
from dolmino_cli.errors import RunFailed, StorageError
from dolmino_cli.executors import failures
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.executor import Executor, Phase
from dolmino_cli.executors.local import Local
from dolmino_cli.executors.scratch import check_seen_by_all, make_own, scratch_folder
from dolmino_cli.mix import folder
from dolmino_cli.mix.expected import check_lock, check_second_lock
from dolmino_cli.mix.find_lock import place_of_lock
from dolmino_cli.mix.folder import Mark
from dolmino_cli.mix.lock import Lock, LockedSource
from dolmino_cli.mix.lock_selection import locked
from dolmino_cli.mix.plan import MixPlan, PlannedSource
from dolmino_cli.mix.prepare import Prepared, describe, prepare
from dolmino_cli.mix.sampling import PRELOAD
from dolmino_cli.mix.sampling.choose import Watch, unwatched
from dolmino_cli.mix.sampling.memory import MEMORY_BYTES, Budget, documents_per_token
from dolmino_cli.mix.sampling.mix_rows import MixedRows, mix_rows
from dolmino_cli.mix.sampling.write_part import PartTask, write_part, written_part
from dolmino_cli.mix.written_parts import WrittenPart
from dolmino_cli.shards.ledger import recipe_hash
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens import arrays as token_arrays


@dataclass(frozen=True, kw_only=True)
class How:
    """What changes nothing of what is written: `memory_bytes` is for all processes together; `scratch` is a local folder.

    `copy_sources` copies what is taken of local sources to scratch, as is done with remote ones: for slow or shared disks.
    """

    executor: Executor = field(default_factory=Local)
    memory_bytes: int = MEMORY_BYTES
    scratch: str | None = None
    copy_sources: bool = False
    watch: Watch = unwatched


@dataclass(frozen=True, kw_only=True)
class SampleResult:
    """A mix that is there: planned and achieved. `written` is False where an earlier run had finished it already."""

    plan: MixPlan
    lock: Lock
    lock_path: str
    written: bool
    warnings: tuple[str, ...]

    @property
    def rows(self) -> tuple[tuple[PlannedSource, LockedSource], ...]:
        """Planned and achieved, per source in the manifest's order."""
        return tuple((planned, self.lock.sources[planned.name]) for planned in self.plan.sources)


def sample(
    manifest_or_lock: Path,
    *,
    output: str,
    arrays_root: str | None = None,
    scale: float | None = None,
    tokens_per_file: int | None = None,
    sequence_length: int | None = None,
    lock_path: str | None = None,
    workers: int = 1,
    memory_bytes: int = MEMORY_BYTES,
    scratch: str | None = None,
    copy_sources: bool = False,
) -> SampleResult:
    """Write the mix into `output` (a folder or s3:// prefix of its own) and its lock to `<output>/<name>.lock.json`.

    `scale` multiplies the tokens taken of every source. `scratch` is a local folder (default: inside a local output).
    `lock_path` is a second copy of the lock, local or on S3. From a lock, outputs that are not the lock's raise DataError
    naming the first. Over a finished output this does nothing; over another mix's, or another mix's `lock_path`, it raises
    ConfigError, and so it does when `memory_bytes` is too little for `workers` and `tokens_per_file`.
    """
    prepared = prepare(
        manifest_or_lock, arrays_root=arrays_root, scale=scale, tokens_per_file=tokens_per_file, sequence_length=sequence_length
    )
    how = How(executor=Local(workers=workers), memory_bytes=memory_bytes, scratch=scratch, copy_sources=copy_sources)
    return sample_prepared(prepared, output=output, lock_path=lock_path, how=how)


def sample_prepared(prepared: Prepared, *, output: str, lock_path: str | None = None, how: How | None = None) -> SampleResult:
    """As `sample`, of what `prepare` returned (so that a plan can be shown before the work begins)."""
    place, how = Output(output), how or How()
    scratch = scratch_folder(place, how.scratch, verb="sample")
    check_seen_by_all(place, how.scratch, how.executor)
    second = place_of_lock(lock_path, "--lock") if lock_path is not None else None
    if second is not None:
        check_second_lock(*second, prepared.request)
        second[0].check_writable()  # before the work, which may take hours
    found = folder.look(place, prepared.request)
    name = folder.lock_name(prepared.manifest.name)
    if found.lock is not None and found.complete:
        lock = found.lock
        if prepared.lock is not None:
            check_lock(prepared.lock, lock, place)
        folder.tidy(place, scratch)
    else:
        budget = check_memory(prepared, how)
        with how.executor.claim(place):
            lock = _make(prepared, place, scratch, expected=prepared.lock or found.lock, how=how, budget=budget)
    if second is not None:
        second[0].put(second[1], lock.to_json())
    return SampleResult(
        plan=prepared.plan, lock=lock, lock_path=place.path(name), written=not found.complete, warnings=prepared.warnings
    )


def check_memory(prepared: Prepared, how: How) -> Budget:
    """What the run may use. Raises ConfigError where that is too little for its workers and parts."""
    budget = Budget(memory_bytes=how.memory_bytes, workers=how.executor.workers)
    part_tokens = min(prepared.request.tokens_per_file, prepared.plan.tokens)
    budget.check_part(part_tokens, documents_per_token(prepared.plan.sources))
    return budget


def _make(prepared: Prepared, output: Output, scratch: Path, *, expected: Lock | None, how: How, budget: Budget) -> Lock:
    """The mix, or what is left of it to do. `expected`: what must come out."""
    mark = _mark(prepared, how, budget)
    if folder.begin(output, prepared.request, mark, scratch):
        try:
            lock = _write(prepared, output, scratch, mark, expected=expected, how=how, budget=budget)
            output.put(folder.lock_name(prepared.manifest.name), lock.to_json())
            folder.end(output)
            folder.tidy(output, scratch)
            return lock
        except (StorageError, RunFailed):
            # Of several processes the first that is done removes what others would still have read.
            if not folder.look(output, prepared.request).complete:
                raise
            for task in failures.names(output):  # what failed here for want of it is done
                failures.forget(output, task)
    finished = folder.look(output, prepared.request).lock
    assert finished is not None, "a mix that is complete has a lock"
    return finished


def _mark(prepared: Prepared, how: How, budget: Budget) -> Mark:
    """Runs of equal marks make the same files, those in scratch too, and so can go on from each other's."""
    request = {"request": msgspec.to_builtins(prepared.request), "dolmino": __version__}
    roots = {name: source.arrays.root for name, source in prepared.arrays.items()}
    rows = {**request, "roots": roots, "table_bytes": budget.table_bytes, "copied": how.copy_sources}
    return Mark(request_sha256=recipe_hash(request), scratch=recipe_hash(rows)[:16])


def _write(
    prepared: Prepared,
    output: Output,
    scratch: Path,
    mark: Mark,
    *,
    expected: Lock | None,
    how: How,
    budget: Budget,
) -> Lock:
    """Everything but the lock file."""
    workspace = scratch / mark.scratch
    make_own(scratch)
    make_own(workspace)
    mixed = mix_rows(
        prepared.plan,
        prepared.files(),
        seed=prepared.manifest.seed,
        tokens_per_file=prepared.request.tokens_per_file,
        scratch=workspace,
        budget=budget,
        executor=how.executor,
        copy_sources=how.copy_sources,
        watch=how.watch,
    )
    written = _write_parts(prepared, mixed, output, mark, how)
    outputs = [part.part for part in written]
    folder.check_parts(output, outputs)
    assert sum(part.tokens for part in outputs) == mixed.tokens, "the tokens written are not those chosen"
    lock = _with_outputs(locked(prepared, mixed.selections), written)
    if expected is not None:
        check_lock(expected, lock, output)
        if expected.outputs is not None:
            lock = expected
    description = describe(prepared, [part.array_file() for part in outputs], output.root).to_json()
    output.put(token_arrays.NAME, description)
    return dataclasses.replace(lock, arrays_json_sha256=hashlib.sha256(description).hexdigest())


def _write_parts(prepared: Prepared, mixed: MixedRows, output: Output, mark: Mark, how: How) -> list[WrittenPart]:
    sources = tuple(prepared.manifest.sources)

    def tasks() -> Iterator[PartTask]:
        for part, slices in mixed.parts(sources):
            yield PartTask(
                part=part,
                slices=slices,
                token_files=mixed.token_files,
                sources=sources,
                sequence_length=prepared.request.sequence_length,
                dtype=next(iter(prepared.arrays.values())).arrays.dtype,
                output=output,
                request_sha256=mark.request_sha256,
            )

    written: list[WrittenPart] = []
    done = 0
    with how.watch("write", mixed.tokens, "tokens") as say:
        say(0, "")
        phase = Phase(name="write", name_of=lambda task: f"{task.part:05d}", recorded=written_part)
        for _, result in attempt_all(
            how.executor, write_part, tasks(), what="parts", phase=phase, output=output, preload=PRELOAD
        ):
            written.append(result)
            done += result.part.tokens
            say(done, f"{len(written):,} parts")
    return sorted(written, key=lambda written: written.part.name)


def _with_outputs(lock: Lock, written: Sequence[WrittenPart]) -> Lock:
    """The lock of the selection, now that its parts are there."""
    repeated = np.sum([part.repeated_ids for part in written], axis=0)
    sources = {
        name: dataclasses.replace(source, repeated_ids=int(repeated[place]))
        for place, (name, source) in enumerate(lock.sources.items())
    }
    return dataclasses.replace(lock, sources=sources, outputs=[part.part for part in written])
