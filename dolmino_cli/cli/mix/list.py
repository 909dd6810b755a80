"""`dolmino mix list`: the bundled mixes and what they take."""

from __future__ import annotations


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
