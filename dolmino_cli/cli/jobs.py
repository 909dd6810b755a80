"""`dolmino jobs`: how far runs are."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See how far a run is.")


@app.callback()
def jobs() -> None:
    """See how far a run is."""


@app.command("status")
def status(
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="What --output of the run was.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say how many tasks of the run in OUTPUT are done, running, failed (and why) and left, how fast and for how long.

    Reads the output only, so it works from any machine that sees it, whatever runs the tasks. Exit code 1 when tasks failed
    and nothing is running any more.

    \b
    Examples:
      dolmino jobs status s3://bucket/filtered/dclm
      dolmino jobs status filtered/dclm --json
    """
    from dolmino_cli.cli.run_jobs import show_status

    code = show_status(output, as_json=as_json)
    if code:
        raise typer.Exit(code)
