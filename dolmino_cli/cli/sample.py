"""`dolmino sample`: a manifest or a lock to mix arrays."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import (
    ArraysRoot,
    DryRun,
    LockedPartTokens,
    LockedScale,
    LockedWindowTokens,
    OutputOption,
)
from dolmino_cli.cli.executor_options import ExecutorOptions, runs_tasks
from dolmino_cli.mix.sampling import PRELOAD


@runs_tasks(preload=PRELOAD)
def sample(
    mix: Annotated[
        str,
        typer.Argument(
            metavar="MIX", help="A bundled mix's name, your own YAML, or a MIX.lock.json to rebuild.", show_default=False
        ),
    ],
    output: OutputOption,
    how: ExecutorOptions,
    arrays: ArraysRoot = None,
    scale: LockedScale = None,
    tokens_per_file: LockedPartTokens = None,
    sequence_length: LockedWindowTokens = None,
    scratch: Annotated[
        str | None,
        typer.Option(
            "--scratch", metavar="DIR", help="Local folder with room for what is copied.", show_default="inside --output"
        ),
    ] = None,
    memory: Annotated[
        str, typer.Option("--memory", metavar="SIZE", help="What all workers together may use, such as 16GiB.")
    ] = "4GiB",
    copy_sources: Annotated[
        bool,
        typer.Option(
            "--copy-sources", help="Copy what is taken of local sources to scratch first, as of S3: for slow or shared disks."
        ),
    ] = False,
    lock: Annotated[
        str | None, typer.Option("--lock", metavar="FILE", help="Write a second copy of the lock here, for git: NAME.lock.json.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Select and shuffle documents into mix arrays, with provenance rows and a lock.

    Selection is by document and keyed hash: the same for any number of workers and any sharding, within one document of
    the target for every source. From the lock, anyone with the same arrays gets the same bytes.

    \b
    Examples:
      dolmino sample dolmino-1124-50b --arrays s3://bucket/tokens -o s3://bucket/mixes/50b -w 16 --memory 16GiB
      dolmino sample dolmino-1124-50b --arrays tokens -o trial --scale 1e-4
      dolmino sample dolmino-1124-50b.lock.json --arrays tokens -o rebuilt
    """
    from dolmino_cli.cli.run_sample import run_sample
    from dolmino_cli.mix.find_mix import find_mix

    run_sample(
        find_mix(mix),
        output=output,
        arrays=arrays,
        how=how,
        scale=scale,
        tokens_per_file=tokens_per_file,
        sequence_length=sequence_length,
        scratch=scratch,
        memory=memory,
        copy_sources=copy_sources,
        lock=lock,
        dry_run=dry_run,
    )
