"""What `dolmino clean` prints and does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dolmino_cli.cli.console import remark, show
from dolmino_cli.executors.cleaning import Leftover, find
from dolmino_cli.report.amounts import big_bytes, duration
from dolmino_cli.shards.output import Output

if TYPE_CHECKING:
    from rich.table import Table


def run_clean(output: str, *, yes: bool, older_than_seconds: float) -> None:
    """List the leftovers and, with `yes`, remove those that may go. Raises DolminoError."""
    found = list(find(Output(output), older_than_seconds=older_than_seconds))
    if not found:
        show(f"nothing is left over in {output}")
        return
    show(_table(found))
    going = [leftover for leftover in found if leftover.kept is None]
    total = f"{len(going):,} of {len(found):,} may go, {big_bytes(sum(leftover.bytes for leftover in going))}"
    if not yes:
        show(total)
        if going:
            remark("nothing was removed; --yes removes what may go")
        return
    for leftover in going:
        leftover.remove()
    show(f"{total}: removed")


def _table(found: list[Leftover]) -> Table:
    from rich.table import Table

    table = Table()
    for heading in ("what", "where"):
        table.add_column(heading, overflow="fold")
    for heading in ("size", "age"):
        table.add_column(heading, justify="right")
    table.add_column("may go")
    for leftover in found:
        fate = "yes" if leftover.kept is None else f"no: {leftover.kept}"
        table.add_row(leftover.what, leftover.where, big_bytes(leftover.bytes), duration(leftover.age_seconds), fate)
    return table
