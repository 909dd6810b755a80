"""What `dolmino sample` does after parsing: plan, sample, show planned against achieved."""

from __future__ import annotations

from pathlib import Path

from dolmino_cli.cli.console import err, out
from dolmino_cli.mix.prepare import prepare
from dolmino_cli.mix.sample import sample_prepared
from dolmino_cli.report.mix_table import achieved_table, plan_table


def run_sample(
    manifest_or_lock: Path,
    *,
    output: str,
    arrays: str | None,
    workers: int,
    scale: float | None,
    tokens_per_file: int | None,
    scratch: str | None,
    lock: str | None,
    dry_run: bool,
) -> None:
    """Sample and print the table. Raises DolminoError."""
    prepared = prepare(manifest_or_lock, arrays_root=arrays, scale=scale, tokens_per_file=tokens_per_file)
    for warning in prepared.warnings:
        err.print(f"note: {warning}", soft_wrap=True)
    if dry_run:
        out.print(plan_table(prepared.plan))
        out.print("nothing was written", soft_wrap=True)
        return
    result = sample_prepared(prepared, output=output, workers=workers, scratch=scratch, lock_path=lock)
    out.print(achieved_table(result.plan, result.lock))
    if not result.written:
        out.print("the mix was there already, complete and from the same lock", soft_wrap=True)
    if prepared.lock is not None:
        out.print(f"identical to the lock: {len(result.lock.outputs):,} files by sha256", soft_wrap=True)
    out.print(f"written to {output}; lock: {result.lock_path}", soft_wrap=True)
