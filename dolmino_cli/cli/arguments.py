"""Options that several verbs share, worded once."""

from __future__ import annotations

from typing import Annotated

import typer

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A bundled recipe's name, or the path of your own YAML.", show_default=False)
]
Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Shards: files, folders, globs, s3://bucket/prefix or glob, hf://datasets/ORG/NAME/... "
        "(.jsonl, .jsonl.gz, .jsonl.zst, .parquet).",
        show_default=False,
    ),
]
OutputOption = Annotated[
    str, typer.Option("--output", "-o", metavar="DIR_OR_S3", help="Folder or s3:// prefix to write to.", show_default=False)
]
Workers = Annotated[
    int, typer.Option("--workers", "-w", min=1, metavar="N", help="Worker processes; the output does not depend on it.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and what it would cost; write nothing.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SCORE.PARAMETER=VALUE", help="Replace one parameter of the recipe; recorded in the ledger. Repeatable."
    ),
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="paper|ai2",
        help="Where the paper and Ai2's code disagree, whose rule. Default: what the recipe says.",
        show_default=False,
    ),
]
OnError = Annotated[str, typer.Option("--error", metavar="fail|quarantine", help="What to do with an unreadable record.")]
