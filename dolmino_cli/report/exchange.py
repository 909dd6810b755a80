"""What was read from others' configurations, and what was written for their programs, as tables."""

from __future__ import annotations

from rich.table import Table

from dolmino_cli.mix.exchange.export_arrays import ArrayExport, Steps
from dolmino_cli.mix.exchange.export_mix import ListExport
from dolmino_cli.mix.exchange.import_mix import Imported
from dolmino_cli.mix.exchange.pools import Count, pools_of
from dolmino_cli.report.amounts import big_bytes, big_tokens


def import_table(imported: Imported) -> Table:
    """A row per source: its files, how often they are listed, and the tokens of both."""
    title = f"{imported.manifest.name}: {len(imported.files.files):,} lines of {sum(one.files for one in imported.pools):,} files"
    table = Table(title=title, title_justify="left")
    table.add_column("source")
    for heading in ("files", "lines", "listed", "tokens", "tokens listed", "Mix %"):
        table.add_column(heading, justify="right")
    whole = imported.listed
    for pool in imported.pools:
        percent = f"{100 * pool.listed.tokens / whole.tokens:.2f}" if pool.listed and whole and whole.tokens else ""
        share = imported.files.shares.get(pool.source)
        table.add_row(
            pool.source,
            f"{pool.files:,}",
            f"{pool.entries:,}",
            " ".join(f"x{times}" if len(pool.copies) == 1 else f"{files} x{times}" for times, files in pool.copies.items()),
            _tokens(pool.held),
            _tokens(pool.listed),
            percent if share is None else f"{100 * share.target_ratio:.4g}",
        )
    table.add_section()
    files, lines = sum(pool.files for pool in imported.pools), len(imported.files.files)
    table.add_row("total", f"{files:,}", f"{lines:,}", "", "", _tokens(whole), "", style="bold")
    return table


def consumed_line(imported: Imported) -> str | None:
    """How much of the listed tokens the configuration's run takes; None where it says no run, or tokens are not known."""
    run, whole = imported.run, imported.listed
    if run is None:
        return None
    training = run.training
    batch = f"{training.batch_sequences:,} sequences of {training.sequence_length:,} tokens"
    if run.consumed_tokens is None:
        times = f" {run.epochs} times" if run.epochs not in (None, 1) else ""
        return f"trains on all of it{times} in batches of {batch}"
    said = f"{training.steps:,} steps of {batch} take {big_tokens(run.consumed_tokens)} tokens"
    if whole is None or not whole.tokens:
        return said
    share = 100 * run.consumed_tokens / whole.tokens
    left = f"; {big_tokens(whole.tokens - run.consumed_tokens)} are never seen" if run.consumed_tokens < whole.tokens else ""
    return f"{said}, {share:.1f} % of the {big_tokens(whole.tokens)} listed{left}"


def _tokens(count: Count | None) -> str:
    return "?" if count is None else big_tokens(count.tokens)


def list_export_table(export: ListExport) -> Table:
    """A row per source: lines, files and the tokens that they hold."""
    files = export.listing.files
    table = Table(title=f"{files.name}: {len(files.files):,} lines", title_justify="left")
    table.add_column("source")
    for heading in ("lines", "files", "tokens listed"):
        table.add_column(heading, justify="right")
    for pool in pools_of(files):
        table.add_row(pool.source, f"{pool.entries:,}", f"{pool.files:,}", _tokens(pool.listed))
    return table


def array_export_table(export: ArrayExport) -> Table:
    """A row per dataset: what it holds, the tokens to take of it, which are its blend weight, and the bytes to write."""
    table = Table(title=f"to {export.to}: {big_bytes(sum(size for _, size in export.files))}", title_justify="left")
    table.add_column("dataset")
    for heading in ("documents", "tokens", "to take", "weight %", "files", "bytes"):
        table.add_column(heading, justify="right")
    whole = sum(one.take for one in export.datasets)
    for one in export.datasets:
        files = export.files_of(one)
        table.add_row(
            one.name,
            f"{one.documents:,}",
            big_tokens(one.tokens),
            big_tokens(one.take),
            f"{100 * one.take / whole:.2f}" if whole else "",
            f"{len(files):,}",
            big_bytes(sum(size for _, size in files)),
        )
    return table


def steps_line(steps: Steps) -> str:
    """The arithmetic of --train-iters in full."""
    return (
        f"train-iters = ceil({steps.tokens:,} tokens / {steps.sequence_length:,} / {steps.batch_sequences:,})"
        f" = {steps.iterations:,}"
    )
