"""`dolmino clean`: what killed runs left in an output, and its removal."""

from __future__ import annotations

from typing import Annotated

import typer


def clean(
    output: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="The folder or s3:// prefix that a run wrote to.", show_default=False)
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Remove what may go; without it, it is listed only.")] = False,
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="TIME", help="Age from which what other machines left may go: 90m, 12h, 2d."),
    ] = "1d",
) -> None:
    """List what killed runs left in OUTPUT: unfinished files and uploads, leases, parts of shards that are done, scratch.

    Documents, attributes, arrays and the ledger are never touched, nor what a running process holds.

    \b
    Examples:
      dolmino clean s3://bucket/filtered/dclm
      dolmino clean s3://bucket/filtered/dclm --yes --older-than 12h
    """
    from dolmino_cli.cli.amounts import parse_duration
    from dolmino_cli.cli.run_clean import run_clean

    run_clean(output, yes=yes, older_than_seconds=parse_duration("--older-than", older_than))
