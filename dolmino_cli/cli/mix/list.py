"""`dolmino mix list`: the bundled mixes and what they take."""

from __future__ import annotations


def list_mixes() -> None:
    """List the bundled mixes: tokens they take by the published sizes, number of sources, reference.

    \b
    Example:
      dolmino mix list
    """
    from dolmino_cli.bundled import bundled_names, find
    from dolmino_cli.cli.console import show
    from dolmino_cli.mix.manifest import load
    from dolmino_cli.mix.plan import plan as plan_mix
    from dolmino_cli.mix.populations import published_populations
    from dolmino_cli.report.mix_list import list_table

    manifests = [load(find("mixes", name)) for name in bundled_names("mixes")]
    show(list_table((manifest, plan_mix(manifest, published_populations(manifest))) for manifest in manifests))
