"""What `dolmino sample` does after parsing: plan, sample, show planned against achieved."""

from __future__ import annotations

from pathlib import Path

from dolmino_cli.cli.amounts import parse_size
from dolmino_cli.cli.console import counted, remark, show
from dolmino_cli.cli.executor_options import ExecutorOptions
from dolmino_cli.mix.prepare import prepare
from dolmino_cli.mix.sampling.sample import How, check_memory, sample_prepared
from dolmino_cli.report.mix_table import achieved_table, plan_table
from dolmino_cli.report.mix_windows import tail_warning, windows_line


def run_sample(
    manifest_or_lock: Path,
    *,
    output: str,
    arrays: str | None,
    how: ExecutorOptions,
    scale: float | None,
    tokens_per_file: int | None,
    sequence_length: int | None,
    scratch: str | None,
    memory: str,
    copy_sources: bool,
    lock: str | None,
    dry_run: bool,
) -> None:
    """Sample with progress and print the table. Raises DolminoError."""
    sampling = How(
        executor=how.make(output),
        memory_bytes=parse_size("--memory", memory),
        scratch=scratch,
        copy_sources=copy_sources,
        watch=lambda what, total, unit: counted(what, total=total, unit=unit),
    )
    prepared = prepare(
        manifest_or_lock, arrays_root=arrays, scale=scale, tokens_per_file=tokens_per_file, sequence_length=sequence_length
    )
    for warning in prepared.warnings:
        remark(f"note: {warning}")
    if dry_run:
        check_memory(prepared, sampling)
        show(plan_table(prepared.plan))
        show("nothing was written")
        return
    result = sample_prepared(prepared, output=output, lock_path=lock, how=sampling)
    show(achieved_table(result.plan, result.lock))
    show(windows_line(result.lock))
    if warning_of_tail := tail_warning(result.lock):
        remark(f"note: {warning_of_tail}")
    if not result.written:
        show(f"the mix was there already, complete by the sizes of its files; `dolmino mix verify {output} --full` reads them")
    elif prepared.lock is not None and prepared.lock.outputs is not None:
        show(f"identical to the lock: {len(prepared.lock.outputs):,} parts by sha256")
    show(f"written to {output}; lock: {result.lock_path}")
