"""`dolmino mix`: what a mix would take, before anything is written."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at mixes: what a manifest takes from each source.")

MixArgument = Annotated[
    str, typer.Argument(metavar="MIX", help="A bundled mix's name, or the path of your own YAML.", show_default=False)
]
ArraysRoot = Annotated[
    str | None,
    typer.Option(
        "--arrays", metavar="DIR_OR_S3", help="Where token arrays are: source dclm at DIR_OR_S3/dclm.", show_default=False
    ),
]
Scale = Annotated[
    float, typer.Option("--scale", metavar="X", help="Take X times as many tokens of every source, 1e-4 for a small trial.")
]


@app.callback()
def group() -> None:
    """Look at mixes."""


@app.command("plan")
def plan(mix: MixArgument, arrays: ArraysRoot = None, scale: Scale = 1.0) -> None:
    """Print per source: tokens available, Source %, tokens taken, epochs, Mix %, and the difference from what was published.

    Sources without arrays are planned from their published sizes, marked *.

    \b
    Examples:
      dolmino mix plan dolmino-1124-50b
      dolmino mix plan ./my-mix.yaml --arrays s3://bucket/tokens
    """
    from dolmino_cli.bundled import find
    from dolmino_cli.cli.console import show
    from dolmino_cli.mix.manifest import load
    from dolmino_cli.mix.plan import plan as plan_mix
    from dolmino_cli.mix.populations import find_populations
    from dolmino_cli.report.mix_table import plan_table

    manifest = load(find("mixes", mix))
    show(plan_table(plan_mix(manifest, find_populations(manifest, arrays_root=arrays), scale=scale)))


@app.command("list")
def list_mixes() -> None:
    """List the bundled mixes with what they take by the published sizes.

    \b
    Example:
      dolmino mix list
    """
    from dolmino_cli.bundled import bundled_names, find
    from dolmino_cli.cli.console import show
    from dolmino_cli.mix.manifest import load
    from dolmino_cli.mix.plan import plan as plan_mix
    from dolmino_cli.mix.populations import find_populations
    from dolmino_cli.report.amounts import big_tokens

    for name in bundled_names("mixes"):
        manifest = load(find("mixes", name))
        total = plan_mix(manifest, find_populations(manifest, arrays_root=None)).tokens
        show(f"{name:<24} {big_tokens(total):>9}  {manifest.reference or ''}")
