"""`dolmino mix plan`: what a mix would take, before anything is written."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import ArraysRoot
from dolmino_cli.cli.mix.arguments import MixArgument, Scale


def plan(
    mix: MixArgument,
    arrays: ArraysRoot = None,
    scale: Scale = 1.0,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="MIX", help="Say how it differs from this mix.", show_default="the manifest's"),
    ] = None,
    sequence_length: Annotated[
        int | None,
        typer.Option("--sequence-length", min=1, metavar="N", help="Tokens per window.", show_default="the manifest's"),
    ] = None,
    batch_sequences: Annotated[
        int | None, typer.Option("--batch-sequences", min=1, metavar="N", help="Windows per step.", show_default="the manifest's")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, metavar="N", help="Where training stops.", show_default="the manifest's, or one epoch"),
    ] = None,
    repetition_bound: Annotated[
        float, typer.Option("--repetition-bound", min=0.0, metavar="X", help="Warn of sources seen more often than this.")
    ] = 4.0,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            "--rate",
            metavar="NAME=NUMBER",
            help="Your speed: filter=, retokenize=, sample= (MB/s per core), train= (tokens/s per GPU). May be repeated.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Print what a mix takes of each source, what training on it and making it costs, and what to beware of.

    Per source and group: tokens available, Source %, tokens taken, epochs, Mix %, and the difference from what was published.
    Sources without arrays are planned from their published sizes, marked *. Warnings come last: repetition, sources that are
    exhausted, a size that is not the name's, published figures that contradict each other, tokens that no step sees.

    \b
    Examples:
      dolmino mix plan dolmino-1124-50b
      dolmino mix plan dolmino-1124-100b-as-run
      dolmino mix plan ./my-mix.yaml --arrays s3://bucket/tokens --batch-sequences 1024 --rate train=9500
    """
    from dolmino_cli.cli.mix.rates import parse_rates
    from dolmino_cli.cli.mix.run_plan import run_plan
    from dolmino_cli.mix.find_mix import find_mix

    run_plan(
        find_mix(mix),
        arrays=arrays,
        scale=scale,
        against=against,
        sequence_length=sequence_length,
        batch_sequences=batch_sequences,
        steps=steps,
        repetition_bound=repetition_bound,
        rates=parse_rates(rate or []),
        as_json=as_json,
    )
