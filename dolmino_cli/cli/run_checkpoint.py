"""What `dolmino checkpoint` does after parsing."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from dolmino_cli.cli.console import remark, show
from dolmino_cli.errors import ConfigError
from dolmino_cli.report.amounts import big_bytes
from dolmino_cli.train.planning.preflight import check_libraries
from dolmino_cli.train.saving.checkpoints import Checkpoint, checkpoint_of, checkpoints_of


def run_list(output: Path) -> None:
    """Print a row for each checkpoint. Raises ConfigError where there are none."""
    newest = checkpoint_of(output)
    found = checkpoints_of(output) or [newest]
    table = Table("step", "tokens", "size", "ranks", "folder", box=None, header_style="bold")
    for checkpoint in found:
        state = checkpoint.state()
        tokens = checkpoint.step * state.run["batch_sequences"] * state.run["sequence_length"]
        ranks = str(state.ran.get("world_size", ""))
        table.add_row(f"{checkpoint.step:,}", f"{tokens:,}", big_bytes(_bytes_of(checkpoint)), ranks, str(checkpoint.folder))
    show(table)


def run_export(output: Path, to: Path, *, step: int | None, dtype: str, dry_run: bool) -> None:
    """Export, or say what would be. Raises ConfigError, DataError, StorageError, MissingExtra."""
    if dtype not in ("bf16", "fp32"):
        raise ConfigError(f"--dtype is {dtype!r}; it must be bf16 or fp32")
    checkpoint = checkpoint_of(output, step)
    if to.exists():
        raise ConfigError(f"{to} exists already; remove it, or export to another folder")
    if dry_run:
        show(f"{checkpoint.folder}: the weights after step {checkpoint.step:,} would be written to {to} in {dtype}")
        return
    check_libraries(None, "`dolmino checkpoint export`")
    from dolmino_cli.train.saving.export import export_checkpoint

    export_checkpoint(checkpoint, to, dtype="bf16" if dtype == "bf16" else "fp32")
    remark(f"weights after step {checkpoint.step:,} written to {to}")


def _bytes_of(checkpoint: Checkpoint) -> int:
    return sum(path.stat().st_size for path in checkpoint.folder.iterdir())
