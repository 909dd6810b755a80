"""`dolmino filter`: one recipe over any number of shards."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import (
    DryRun,
    Inputs,
    MaxDocument,
    OnError,
    OutputOption,
    Overrides,
    PartSize,
    ProfileOption,
    RecipeArgument,
)
from dolmino_cli.cli.executor_options import ExecutorOptions, runs_tasks
from dolmino_cli.pipeline import PRELOAD

Scores = Annotated[
    str | None, typer.Option("--scores", metavar="DIR", help="Decide from the scores of an earlier run; measure nothing.")
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="zst|gz|plain|parquet|same", help="Of the documents written. Default: zst; Parquet stays Parquet."
    ),
]
ZstdLevel = Annotated[
    int,
    typer.Option("--zstd-level", min=1, max=19, metavar="N", help="Of .zst and Parquet documents; 3 is 13 % smaller, slower."),
]


@runs_tasks(preload=PRELOAD)
def filter_shards(
    recipe: RecipeArgument,
    inputs: Inputs,
    output: OutputOption,
    how: ExecutorOptions,
    profile: ProfileOption = None,
    set_: Overrides = None,
    error: OnError = "fail",
    scores: Scores = None,
    rejects: Annotated[bool, typer.Option("--rejects", help="Also write the dropped documents, to rejects/.")] = False,
    measure_dropped: Annotated[
        bool, typer.Option("--measure-dropped", help="Score documents that an earlier decision dropped, too (slower).")
    ] = False,
    format_: FormatOption = None,
    zstd_level: ZstdLevel = 1,
    expect: Annotated[
        str, typer.Option("--expect", metavar="report|fail", help="When retention leaves a published band.")
    ] = "report",
    part_size: PartSize = "256MiB",
    max_document: MaxDocument = "128MiB",
    dry_run: DryRun = False,
) -> None:
    """Keep the documents that a RECIPE keeps; say why every other one went.

    Writes documents/, attributes/ (one row per input document: id, line, every score, kept, reason), quarantine/ and
    ledger/ under --output. Run it again and finished shards are skipped.

    \b
    Examples:
      dolmino filter dclm s3://bucket/dclm/ -o s3://bucket/filtered/dclm -w 16
      dolmino filter dclm s3://bucket/dclm/ -o s3://bucket/as-run/dclm --profile ai2
      dolmino filter ./my.yaml 'shards/*.jsonl.zst' -o out --dry-run
      dolmino filter dclm shards/ -o out --scores scored --set dclm_quality.at_least=0.05
    """
    from dolmino_cli.bundled import find
    from dolmino_cli.cli.amounts import parse_size
    from dolmino_cli.cli.run_recipe import choose, run_recipe
    from dolmino_cli.pipeline.names import FORMATS
    from dolmino_cli.pipeline.shard_task import Options
    from dolmino_cli.recipe import load_recipe

    options = Options(
        on_error=choose("--error", error, ("fail", "quarantine")),
        rejects=rejects,
        measure_dropped=measure_dropped,
        format=choose("--format", format_, FORMATS) if format_ else None,
        zstd_level=zstd_level,
        scores=scores,
        part_bytes=parse_size("--part-size", part_size),
        max_document_bytes=parse_size("--max-document", max_document),
    )
    fail_unexpected = choose("--expect", expect, ("report", "fail")) == "fail"
    run_recipe(
        load_recipe(find("filters", recipe), set_ or (), profile),
        inputs,
        output=output,
        options=options,
        how=how,
        dry_run=dry_run,
        fail_unexpected=fail_unexpected,
    )
