"""`dolmino score`: only the measures of a recipe."""

from __future__ import annotations

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


@runs_tasks(preload=PRELOAD)
def score_shards(
    recipe: RecipeArgument,
    inputs: Inputs,
    output: OutputOption,
    how: ExecutorOptions,
    profile: ProfileOption = None,
    set_: Overrides = None,
    error: OnError = "fail",
    part_size: PartSize = "256MiB",
    max_document: MaxDocument = "128MiB",
    dry_run: DryRun = False,
) -> None:
    """Measure every document with a RECIPE's measures; decide nothing, rewrite nothing.

    Writes attributes/ (one row per document) and ledger/ under --output. `dolmino filter --scores` then decides from
    them, as often as thresholds move.

    \b
    Examples:
      dolmino score dclm s3://bucket/dclm/ -o s3://bucket/scores/dclm -w 16
      dolmino filter dclm s3://bucket/dclm/ -o out --scores s3://bucket/scores/dclm
    """
    from dolmino_cli.bundled import find
    from dolmino_cli.cli.amounts import parse_size
    from dolmino_cli.cli.run_recipe import choose, run_recipe
    from dolmino_cli.pipeline.shard_task import Options
    from dolmino_cli.recipe import load_recipe

    options = Options(
        decide=False,
        on_error=choose("--error", error, ("fail", "quarantine")),
        part_bytes=parse_size("--part-size", part_size),
        max_document_bytes=parse_size("--max-document", max_document),
    )
    run_recipe(
        load_recipe(find("filters", recipe), set_ or (), profile),
        inputs,
        output=output,
        options=options,
        how=how,
        dry_run=dry_run,
    )
