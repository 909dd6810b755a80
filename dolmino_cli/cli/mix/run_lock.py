"""What `dolmino mix lock` does after parsing: plan, check the inputs where asked, select, write the lock."""

from __future__ import annotations

from pathlib import Path

import typer

from dolmino_cli.cli.console import counted, remark, show
from dolmino_cli.cli.mix.run_verify import show_problems, watched_read
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.find_lock import place_of_lock
from dolmino_cli.mix.lock_selection import lock_selection
from dolmino_cli.mix.locked_files import locked_inputs
from dolmino_cli.mix.prepare import prepare
from dolmino_cli.mix.verify import look
from dolmino_cli.report.amounts import big_bytes
from dolmino_cli.report.mix_table import achieved_table, plan_table


def run_lock(
    manifest: Path,
    *,
    output: str,
    arrays: str | None,
    scale: float | None,
    tokens_per_file: int | None,
    sequence_length: int | None,
    workers: int,
    full: bool,
    dry_run: bool,
) -> None:
    """Lock and print the table. Raises DolminoError; ends with 1 where --full finds inputs that are not what they were."""
    if manifest.suffix == ".json":
        raise ConfigError(f"{manifest} is a lock already; give a manifest, or verify it with `dolmino mix verify {manifest}`")
    parent, name = place_of_lock(output, "--output")
    prepared = prepare(
        manifest, arrays_root=arrays, scale=scale, tokens_per_file=tokens_per_file, sequence_length=sequence_length
    )
    for warning in prepared.warnings:
        remark(f"note: {warning}")
    if dry_run:
        show(plan_table(prepared.plan))
        show("nothing was written")
        return
    parent.check_writable()
    there = parent.read(name)
    lock = lock_selection(prepared, workers=workers, watch=lambda what, total, unit: counted(what, total=total, unit=unit))
    if there is not None and there != lock.to_json():
        raise ConfigError(f"{output} is another lock; delete it, or give another --output (`dolmino mix diff` compares them)")
    if full:
        roots = {source: found.arrays.root for source, found in prepared.arrays.items()}
        verified = watched_read(look(locked_inputs(lock, roots), full=True), what="checking inputs", workers=workers)
        if verified.problems:
            show_problems(verified)
            raise typer.Exit(1)
        show(f"{verified.files:,} input files of {big_bytes(verified.bytes)} are what their arrays.json say, by sha256")
    parent.put(name, lock.to_json())
    show(achieved_table(prepared.plan, lock))
    show(f"locked, not yet sampled: {output}; make the mix with: dolmino sample {output} -o DIR_OR_S3")
