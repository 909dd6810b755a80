"""Write a mix: choose documents by keyed hash, bring them into the order of a second one, and lock what came out.

    manifest or lock, token arrays ──choose──▶ selections ──scatter──▶ scratch ──gather──▶ part-NNNNN.npy, .csv.gz ──▶ lock

An external shuffle in bounded memory: a worker holds one chunk of a source file, or one part of the mix (`tokens_per_file`).
What is written depends on the manifest, the scale, `tokens_per_file` and the sources' documents: not on workers, nor on how
the sources are cut into files.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dolmino_cli.errors import DataError
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.local import run_tasks
from dolmino_cli.mix import folder
from dolmino_cli.mix.choose import PRELOAD, choose
from dolmino_cli.mix.gather import Scattered, part_count
from dolmino_cli.mix.lock import Lock, LockedSource, MixPart
from dolmino_cli.mix.plan import MixPlan, PlannedSource
from dolmino_cli.mix.prepare import Prepared, describe, prepare
from dolmino_cli.mix.scatter import ScatterTask, scatter
from dolmino_cli.mix.select import Selection
from dolmino_cli.mix.write_part import PartTask, WrittenPart, write_part
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens import arrays as token_arrays


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
    workers: int = 1,
    tokens_per_file: int | None = None,
    sequence_length: int | None = None,
    scratch: str | None = None,
    lock_path: str | None = None,
    counters: Counters | None = None,
) -> SampleResult:
    """Write the mix into `output` (a folder or s3:// prefix of its own) and its lock to `<output>/<name>.lock.json`.

    `scale` multiplies the tokens taken of every source. `scratch` is a local folder with room for the mix (default: inside a
    local output). `lock_path` is a local file for a second copy of the lock. From a lock, outputs that are not the lock's
    raise DataError naming the first. Over a finished output this does nothing; over another mix's it raises ConfigError.
    """
    return sample_prepared(
        prepare(
            manifest_or_lock,
            arrays_root=arrays_root,
            scale=scale,
            tokens_per_file=tokens_per_file,
            sequence_length=sequence_length,
        ),
        output=output,
        workers=workers,
        scratch=scratch,
        lock_path=lock_path,
        counters=counters,
    )


def sample_prepared(
    prepared: Prepared,
    *,
    output: str,
    workers: int = 1,
    scratch: str | None = None,
    lock_path: str | None = None,
    counters: Counters | None = None,
) -> SampleResult:
    """As `sample`, of what `prepare` returned (so that a plan can be shown before the work begins)."""
    place = Output(output)
    found = folder.look(place, prepared.request)
    name = folder.lock_name(prepared.manifest.name)
    if found.lock is not None and found.complete:
        lock = found.lock
    else:
        lock = _write(prepared, place, expected=prepared.lock or found.lock, workers=workers, scratch=scratch, counters=counters)
        place.put(name, lock.to_json())
        folder.end(place)
    if lock_path is not None:
        Output(str(Path(lock_path).parent)).put(Path(lock_path).name, lock.to_json())
    return SampleResult(
        plan=prepared.plan, lock=lock, lock_path=place.path(name), written=not found.complete, warnings=prepared.warnings
    )


def _write(
    prepared: Prepared, output: Output, *, expected: Lock | None, workers: int, scratch: str | None, counters: Counters | None
) -> Lock:
    """Everything but the lock file. `expected`: what must come out."""
    folder.begin(output)
    workspace = folder.fresh_scratch(output, scratch)
    try:
        files = prepared.files()
        chosen = choose(prepared.plan, files, seed=prepared.manifest.seed, workers=workers)
        taken = sum(selection.tokens for selection in chosen.values())
        tasks = [
            ScatterTask(file=file, selection=chosen[file.source], seed=prepared.manifest.seed, scratch=workspace, name=f"{i:06d}")
            for i, file in enumerate(files)
        ]
        counts = [count for _, count in run_tasks(scatter, tasks, workers=workers, counters=counters, preload=PRELOAD)]
        assert sum(tokens for _, tokens in counts) == taken, "the tokens scattered are not those chosen"
        parts = _part_tasks(prepared, tasks, part_count(taken, prepared.request.tokens_per_file), output)
        written = [part for _, part in run_tasks(write_part, parts, workers=workers, counters=counters, preload=PRELOAD)]
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    present = sorted((part for part in written if part is not None), key=lambda part: part.part.name)
    outputs = [part.part for part in present]
    assert sum(part.tokens for part in outputs) == taken, "the tokens gathered are not those scattered"
    lock = _lock(prepared, chosen, present)
    if expected is not None:
        _check_selection(expected, lock, output)
        if expected.outputs is not None:
            _check_outputs(expected.outputs, outputs, output)
            lock = expected
    output.put(token_arrays.NAME, describe(prepared, [part.array_file() for part in outputs], output.root).to_json())
    return lock


def _check_selection(expected: Lock, now: Lock, output: Output) -> None:
    for name, want in expected.sources.items():
        for field in ("taken_tokens", "taken_documents", "last_key"):
            locked, found = getattr(want, field), getattr(now.sources[name], field)
            if locked != found:
                raise DataError(f"differs from the lock: {field} of {name} is {found}, the lock says {locked}", path=output.root)


def _part_tasks(prepared: Prepared, scattered: Sequence[ScatterTask], parts: int, output: Output) -> list[PartTask]:
    order = list(prepared.manifest.sources)
    files = tuple(Scattered(name=task.name, source=order.index(task.file.source)) for task in scattered)
    first = scattered[0]
    return [
        PartTask(
            scratch=first.scratch,
            scattered=files,
            part=part,
            parts=parts,
            sources=tuple(order),
            sequence_length=prepared.request.sequence_length,
            dtype=first.file.dtype,
            output=output,
        )
        for part in range(parts)
    ]


def _check_outputs(expected: Sequence[MixPart], written: Sequence[MixPart], output: Output) -> None:
    if len(expected) != len(written):
        raise DataError(f"{len(written)} parts came out, the lock has {len(expected)}", path=output.root)
    for want, have in zip(expected, written, strict=True):
        for field in dataclasses.fields(MixPart):
            locked, now = getattr(want, field.name), getattr(have, field.name)
            if locked != now:
                problem = f"differs from the lock: {field.name} is {now}, the lock says {locked}"
                raise DataError(problem, path=output.path(have.name))


def _lock(prepared: Prepared, chosen: Mapping[str, Selection], written: Sequence[WrittenPart]) -> Lock:
    repeated = np.sum([part.repeated_ids for part in written], axis=0)
    mix_tokens = sum(selection.tokens for selection in chosen.values())
    sources = {}
    for place, row in enumerate(prepared.plan.sources):
        arrays, selection = prepared.arrays[row.name], chosen[row.name]
        sources[row.name] = LockedSource(
            arrays=arrays.arrays.root,
            arrays_json_sha256=arrays.arrays_json_sha256,
            tokens=arrays.arrays.totals["tokens"],
            documents=arrays.arrays.totals["documents"],
            target_tokens=row.tokens,
            taken_tokens=selection.tokens,
            taken_documents=selection.documents,
            repeated_ids=int(repeated[place]),
            whole_passes=selection.passes,
            last_key=f"{selection.last.key:016x}" if selection.last else None,
            source_percent=round(100 * selection.tokens / arrays.arrays.totals["tokens"], 9),
            mix_percent=round(100 * selection.tokens / mix_tokens, 9),
            files=arrays.arrays.files,
        )
    return Lock(
        manifest_sha256=prepared.manifest_sha256,
        manifest=prepared.manifest,
        scale=prepared.request.scale,
        tokens_per_file=prepared.request.tokens_per_file,
        sequence_length=prepared.request.sequence_length,
        tokenizer=prepared.request.tokenizer,
        dtype=prepared.request.dtype,
        sources=sources,
        outputs=[part.part for part in written],
    )
