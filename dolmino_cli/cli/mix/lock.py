"""`dolmino mix lock`: the lock of a mix that is not written yet."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import ArraysRoot, DryRun, LockedPartTokens, LockedScale, LockedWindowTokens, Workers
from dolmino_cli.cli.mix.arguments import MixArgument


def lock(
    mix: MixArgument,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="The MIX.lock.json to write.", show_default=False),
    ],
    arrays: ArraysRoot = None,
    scale: LockedScale = None,
    tokens_per_file: LockedPartTokens = None,
    sequence_length: LockedWindowTokens = None,
    workers: Workers = 1,
    full: Annotated[bool, typer.Option("--full", help="Read every input file: is it what its arrays.json says?")] = False,
    dry_run: DryRun = False,
) -> None:
    """Select the documents of a mix and lock them, without writing the mix: inputs by sha256, what is taken of each source.

    `dolmino sample FILE` then makes that mix or refuses, and adds the outputs to the lock that lies beside them. The same
    inputs give the same lock.

    \b
    Examples:
      dolmino mix lock dolmino-1124-50b --arrays s3://bucket/tokens -o mixes/50b.lock.json -w 16
      dolmino sample mixes/50b.lock.json -o s3://bucket/mixes/50b -w 16 --lock mixes/50b.lock.json
    """
    from dolmino_cli.cli.mix.run_lock import run_lock
    from dolmino_cli.mix.find_mix import find_mix

    run_lock(
        find_mix(mix),
        output=output,
        arrays=arrays,
        scale=scale,
        tokens_per_file=tokens_per_file,
        sequence_length=sequence_length,
        workers=workers,
        full=full,
        dry_run=dry_run,
    )
