"""What `dolmino sample` does after parsing: plan, sample, show planned against achieved."""

from __future__ import annotations

from pathlib import Path

from dolmino_cli.cli.console import remark, show
from dolmino_cli.mix.prepare import prepare
from dolmino_cli.mix.sample import How, sample_prepared
from dolmino_cli.report.mix_table import achieved_table, plan_table


def run_sample(
    manifest_or_lock: Path,
    *,
    output: str,
    arrays: str | None,
    workers: int,
    scale: float | None,
    tokens_per_file: int | None,
    sequence_length: int | None,
    scratch: str | None,
    lock: str | None,
    dry_run: bool,
) -> None:
    """Sample and print the table. Raises DolminoError."""
    prepared = prepare(
        manifest_or_lock, arrays_root=arrays, scale=scale, tokens_per_file=tokens_per_file, sequence_length=sequence_length
    )
    for warning in prepared.warnings:
        remark(f"note: {warning}")
    if dry_run:
        show(plan_table(prepared.plan))
        show("nothing was written")
        return
    result = sample_prepared(prepared, output=output, lock_path=lock, how=How(workers=workers, scratch=scratch))
    show(achieved_table(result.plan, result.lock))
    if not result.written:
        show("the mix was there already, complete and from the same lock")
    if prepared.lock is not None and prepared.lock.outputs is not None:
        show(f"identical to the lock: {len(result.lock.outputs or []):,} parts by sha256")
    show(f"written to {output}; lock: {result.lock_path}")
