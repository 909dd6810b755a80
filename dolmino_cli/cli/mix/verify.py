"""`dolmino mix verify`: are the files of a mix those of its lock?"""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import ArraysRoot, Workers


def verify(
    lock: Annotated[
        str, typer.Argument(metavar="LOCK_OR_MIX", help="A MIX.lock.json, or the folder of a mix; s3:// too.", show_default=False)
    ],
    arrays: ArraysRoot = None,
    mix: Annotated[
        str | None,
        typer.Option("--mix", metavar="DIR_OR_S3", help="Where the outputs are.", show_default="the lock's own folder"),
    ] = None,
    manifest: Annotated[
        str | None,
        typer.Option(
            "--manifest", metavar="MIX", help="Is the lock this manifest's? A YAML or a bundled name.", show_default=False
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full/--quick", help="Read every file and compare its sha256; quick compares arrays by size.")
    ] = False,
    inputs_only: Annotated[bool, typer.Option("--inputs-only", help="Leave the outputs alone.")] = False,
    outputs_only: Annotated[bool, typer.Option("--outputs-only", help="Leave the inputs alone.")] = False,
    workers: Workers = 1,
) -> None:
    """Compare every input and output of a mix with its lock; name every file that is not the one it says.

    Quick finds what is missing, cut short or extra, and reads what has no recorded size (rows, documents, arrays.json); only
    --full finds a changed byte of an array. On S3 it remembers etags, so that the next quick run sees what changed since.
    Ends with 1 where anything differs. Writes nothing into the mix.

    \b
    Examples:
      dolmino mix verify s3://bucket/mixes/50b
      dolmino mix verify mixes/50b.lock.json --mix s3://bucket/mixes/50b --arrays s3://bucket/tokens --full -w 16
    """
    from dolmino_cli.cli.mix.run_verify import run_verify
    from dolmino_cli.mix.find_mix import find_mix

    run_verify(
        lock,
        arrays=arrays,
        mix=mix,
        manifest=find_mix(manifest) if manifest is not None else None,
        full=full,
        inputs_only=inputs_only,
        outputs_only=outputs_only,
        workers=workers,
    )
