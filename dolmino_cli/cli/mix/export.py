"""`dolmino mix export`: a mix in the formats of OLMo, OLMo-core, Megatron-LM and datatrove."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun


def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A sampled mix's folder or lock, an imported NAME.files.txt, or a mix whose sources --arrays has.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="FORMAT", help="olmo, olmo-core, source-mixture, megatron or datatrove.", show_default=False
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="DIR_OR_FILE", help="Folder or s3:// prefix; for lists also the file.", show_default=False
        ),
    ],
    arrays: Annotated[
        str | None,
        typer.Option("--arrays", metavar="DIR_OR_S3", help="The sources' token arrays: source dclm at DIR_OR_S3/dclm."),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", metavar="PATH_OR_S3", help="Where the files lie for whoever reads the list.")
    ] = None,
    sequence_length: Annotated[
        int | None,
        typer.Option("--sequence-length", min=1, metavar="N", help="Tokens per sequence.", show_default="as the mix says"),
    ] = None,
    batch_sequences: Annotated[
        int | None,
        typer.Option("--batch-sequences", min=1, metavar="N", help="Sequences per step.", show_default="as the mix says"),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Write a mix for another program: lists of its files, or its tokens in that program's format.

    olmo: a YAML with data.paths under #SOURCE comments; olmo-core: a mix .txt; source-mixture: a YAML of ratios;
    megatron: .bin and .idx, blend weights and train-iters; datatrove: .ds, .ds.index and .ds.metadata (also for nanotron).

    \b
    Examples:
      dolmino mix export mixes/50b --to olmo -o 50b.yaml --prefix s3://bucket/mixes/50b
      dolmino mix export dolmino-1124-50b --arrays tokens --to megatron -o megatron --sequence-length 8192 --batch-sequences 1024
      dolmino mix export as-run/OLMo2-13B.files.txt --to olmo-core -o lists --prefix preprocessed
    """
    from dolmino_cli.cli.mix.run_export import run_export

    run_export(
        what,
        to=to,
        output=output,
        arrays=arrays,
        prefix=prefix,
        sequence_length=sequence_length,
        batch_sequences=batch_sequences,
        dry_run=dry_run,
    )
