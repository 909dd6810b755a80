"""`dolmino mix import`: a published configuration to a manifest and the list of its files."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun


def import_mix(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="An OLMo YAML with data.paths, an OLMo-core mix .txt, or an OLMo-core source mixture YAML.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="DIR_OR_YAML", help="Folder, s3:// prefix, or the manifest's own .yaml.", show_default=False
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The mix's name.", show_default="run_name, or FILE's")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="PREFIX=NAME", help="Paths that begin with PREFIX are of source NAME. Repeatable."),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option("--sizes", metavar="DIR_OR_S3", help="Count tokens by the sizes of the listed files below here."),
    ] = None,
    tokens: Annotated[
        str | None, typer.Option("--tokens", metavar="AMOUNT", help="Size of a source mixture that does not say it, as 100B.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", metavar="NAME", help="The files' tokenizer.", show_default="as FILE says")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", metavar="uint16|uint32", help="The files' dtype.", show_default="as FILE says")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="The manifest's seed.", show_default="as FILE says, else 42")
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="MIX", help="Name copies that this mix's Source % contradict.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Read somebody's configuration of a mix: a manifest, every file as often as it is listed, and what is odd about them.

    Tokens are those of `#SOURCE: prefix (191.58MT)` comments, or of the files' sizes with --sizes.

    \b
    Examples:
      dolmino mix import OLMo2-13B-stage2-seed1110-100B.yaml -o as-run
      dolmino mix import OLMo-midtraining-mix-0625-100B.txt --tokenizer allenai/dolma2-tokenizer -o as-run
      dolmino mix import mixture.yaml --tokens 100B --tokenizer allenai/dolma2-tokenizer -o mixes/theirs.yaml
    """
    from dolmino_cli.cli.mix.run_import import run_import

    run_import(
        file,
        output=output,
        name=name,
        sources=source or [],
        sizes=sizes,
        tokens=tokens,
        tokenizer=tokenizer,
        dtype=dtype,
        seed=seed,
        against=against,
        dry_run=dry_run,
    )
