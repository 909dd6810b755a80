"""`dolmino report`: runs and mixes as one page, or in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun


def report(
    folders: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER...",
            help="Outputs of filter, score, join, rewrite, generate or sample, or folders above them; local or s3://.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE.html", help="Where to write the page.", show_default="the report in the terminal"
        ),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Of the page.", show_default="the mix")] = None,
    examples: Annotated[
        int, typer.Option("--examples", min=0, metavar="N", help="Documents to show on each side of every bound.")
    ] = 3,
    open_examples: Annotated[bool, typer.Option("--open-examples", help="Show them unfolded.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Show what is in runs and mixes: waterfalls, score histograms with their bounds, shares planned and taken.

    The page is one file that asks for nothing else: no scripts, no requests. Without --output the same in the terminal.

    \b
    Examples:
      dolmino report filtered/ mix/ -o report.html
      dolmino report filtered/dclm
      dolmino report s3://bucket/filtered s3://bucket/mixes/50b -o s3://bucket/50b.html --title "Dolmino 50B, as sampled"
    """
    from dolmino_cli.cli.run_report import run_report

    run_report(folders, output=output, title=title, examples=examples, open_examples=open_examples, dry_run=dry_run)
