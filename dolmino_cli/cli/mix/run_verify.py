"""What `dolmino mix verify` does after parsing: look, read with progress, name what differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from dolmino_cli.cli.console import counted, remark, show
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.verify import Looked, Verified, look, read
from dolmino_cli.mix.verify_target import find_target
from dolmino_cli.report.amounts import big_bytes


def run_verify(
    lock: str,
    *,
    arrays: str | None,
    mix: str | None,
    manifest: Path | None,
    full: bool,
    inputs_only: bool,
    outputs_only: bool,
    workers: int,
) -> None:
    """Verify and print one line, or one per file that differs. Raises DolminoError; ends with 1 where anything differs."""
    if inputs_only and outputs_only:
        raise ConfigError("--inputs-only and --outputs-only leave nothing to verify; give one of them, or none")
    if manifest is not None and manifest.suffix == ".json":
        raise ConfigError(f"--manifest {manifest} is a lock; give the YAML (`dolmino mix diff` compares two locks)")
    target = find_target(lock, arrays_root=arrays, mix=mix, manifest=manifest, inputs=not outputs_only, outputs=not inputs_only)
    for line in target.remarks:
        remark(f"note: {line}")
    looked = look(target.files, full=full)
    for root in looked.absent:
        remark(f"note: nothing is at {root}; --arrays says where the inputs are, --mix where the outputs are")
    verified = watched_read(looked, what="verify", workers=workers)
    if verified.not_remembered is not None:
        remark(f"note: the next quick run will not know these etags: {verified.not_remembered}")
    verified = replace(verified, problems=(*target.problems, *verified.problems))
    if verified.problems:
        show_problems(verified)
        raise typer.Exit(1)
    show(_summary(verified, full=full))


def watched_read(looked: Looked, *, what: str, workers: int) -> Verified:
    """`read`, with megabytes a second and the time left on standard error where there is anything to read."""
    if not looked.to_read:
        return read(looked)
    with counted(what, total=-(-looked.bytes_to_read // 10**6), unit="MB") as say:
        say(0, "")
        return read(
            looked,
            workers=workers,
            progress=lambda done_bytes, files: say(-(-done_bytes // 10**6), f"{files:,}/{len(looked.to_read):,} files"),
        )


def show_problems(verified: Verified) -> None:
    """A line per file that differs, and how many they are."""
    for problem in verified.problems:
        show(str(problem))
    many = len(verified.problems)
    show(f"{many:,} difference{'s' if many != 1 else ''} from the lock in {verified.files:,} files")


def _summary(verified: Verified, *, full: bool) -> str:
    ways = {"sha256": verified.by_sha256, "etag": verified.by_etag, "size": verified.by_size}
    how = ", ".join(f"{count:,} by {way}" for way, count in ways.items() if count)
    more = "" if full or not verified.by_size else "; --full reads those too"
    return f"nothing differs from the lock: {verified.files:,} files, {big_bytes(verified.bytes)} ({how}{more})"
