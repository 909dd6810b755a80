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
ArraysRoot = Annotated[
    str | None,
    typer.Option(
        "--arrays", metavar="DIR_OR_S3", help="Where token arrays are: source dclm at DIR_OR_S3/dclm.", show_default=False
    ),
]
# What decides a mix's bytes besides its manifest; a lock has its own.
LockedScale = Annotated[
    float | None, typer.Option("--scale", metavar="X", help="Take X times as many tokens of every source.", show_default="1")
]
LockedPartTokens = Annotated[
    int | None, typer.Option("--tokens-per-file", min=1, metavar="N", help="Target size of a part.", show_default="64000000")
]
LockedWindowTokens = Annotated[
    int | None,
    typer.Option(
        "--sequence-length",
        min=1,
        metavar="N",
        help="Tokens of a training window, whose repetitions are looked for.",
        show_default="the manifest's training, else 4096",
    ),
]
PartSize = Annotated[
    str,
    typer.Option(
        "--part-size",
        metavar="SIZE",
        help="Of a part, decompressed: what a killed worker redoes at most. Several workers do a large shard's parts.",
    ),
]
MaxDocument = Annotated[
    str, typer.Option("--max-document", metavar="SIZE", help="A larger record is quarantined without its bytes, not read.")
]
OnError = Annotated[str, typer.Option("--error", metavar="fail|quarantine", help="What to do with an unreadable record.")]
