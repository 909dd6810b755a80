"""Many mixes as a table: one line each, families together, sizes in the order of their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.table import Table

from dolmino_cli.mix.manifest import Manifest
from dolmino_cli.mix.plan import MixPlan
from dolmino_cli.report.amounts import big_tokens


def list_table(mixes: Iterable[tuple[Manifest, MixPlan]]) -> Table:
    """Name, tokens taken by the published sizes, number of sources, and where the numbers come from, of each mix."""
    table = Table()
    table.add_column("mix", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("sources", justify="right", no_wrap=True)
    table.add_column("reference", no_wrap=True, overflow="ellipsis")
    family = None
    for manifest, plan in sorted(mixes, key=lambda mix: _by_family_and_size(mix[0].name)):
        if family is not None and _family(manifest.name) != family:
            table.add_section()
        family = _family(manifest.name)
        table.add_row(manifest.name, big_tokens(plan.tokens), str(len(plan.sources)), manifest.reference or "")
    return table


def _family(name: str) -> str:
    """`dolmino` of `dolmino-1124-50b`."""
    return name.partition("-")[0]


def _by_family_and_size(name: str) -> list[tuple[int, str]]:
    """A key that puts 50b before 100b."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
