"""What `dolmino mix export` does after parsing: plan, show, write."""

from __future__ import annotations

from typing import cast

from dolmino_cli.cli.console import remark, show
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.export_arrays import ArrayFormat, check_output, plan_export, write_export
from dolmino_cli.mix.exchange.export_mix import ListFormat, plan_list, write_list
from dolmino_cli.mix.exchange.file_list import FileList
from dolmino_cli.mix.exchange.what import What, open_what
from dolmino_cli.report.exchange import array_export_table, list_export_table, steps_line
from dolmino_cli.shards.storage import Output

_LISTS = ("olmo", "olmo-core", "source-mixture")
_ARRAYS = ("megatron", "datatrove")


def run_export(
    given: str,
    *,
    to: str,
    output: str,
    arrays: str | None,
    prefix: str | None,
    sequence_length: int | None,
    batch_sequences: int | None,
    dry_run: bool,
) -> None:
    """Export and print the table. Raises DolminoError."""
    if to not in (*_LISTS, *_ARRAYS):
        raise ConfigError(f"--to {to!r}; allowed: {', '.join((*_LISTS, *_ARRAYS))}")
    if to != "megatron" and (sequence_length is not None or batch_sequences is not None):
        raise ConfigError(f"--sequence-length and --batch-sequences count Megatron's steps; leave them out for --to {to}")
    what = open_what(given, arrays_root=arrays)
    if to in _LISTS:
        _lists(what, cast(ListFormat, to), output=output, prefix=prefix, dry_run=dry_run)
        return
    if isinstance(what, FileList):
        raise ConfigError(
            f"--to {to} writes tokens, and {given} only lists their files; give a sampled mix, or a mix and --arrays"
        )
    export = plan_export(
        what,
        cast(ArrayFormat, to),
        root=output,
        prefix=prefix,
        sequence_length=sequence_length,
        batch_sequences=batch_sequences,
    )
    show(array_export_table(export))
    if export.steps is not None:
        show(steps_line(export.steps))
    elif to == "megatron":
        remark("note: train-iters are not counted: the mix says no training; give --sequence-length and --batch-sequences")
    for note in export.notes:
        remark(f"note: {note}")
    if dry_run:
        check_output(export, Output(output))
        show("nothing was written")
        return
    linked = write_export(export, Output(output))
    show(f"written to {output}" + (f"; {linked:,} files of tokens are hard links" if linked else ""))


def _lists(what: What, to: ListFormat, *, output: str, prefix: str | None, dry_run: bool) -> None:
    export = plan_list(what, to, output=output, prefix=prefix)
    show(list_export_table(export))
    for note in export.notes:
        remark(f"note: {note}")
    if dry_run:
        show(f"nothing was written; {export.path} would have {len(export.text.encode()):,} bytes")
        return
    write_list(export)
    show(f"written: {export.path}")
