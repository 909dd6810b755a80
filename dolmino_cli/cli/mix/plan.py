"""`dolmino mix plan`: what a mix would take, before anything is written."""

from __future__ import annotations

from dolmino_cli.cli.mix.arguments import ArraysRoot, MixArgument, Scale


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
