"""Two mixes as a table, a row per source and group; and the same for machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from rich.table import Table

from dolmino_cli.mix.compare import Amount, Compared
from dolmino_cli.mix.diff import Diff, Side
from dolmino_cli.report.amounts import big_tokens

_DIGITS = 9  # after the point, as in a lock


def diff_table(diff: Diff) -> Table:
    """A row per source, sums of groups above theirs; rows in which nothing moved are dim. A is the first mix, B the second."""
    table = Table(title=f"A: {_described(diff.before)}\nB: {_described(diff.after)}", title_justify="left")
    table.add_column("source")
    headings = ("taken A" if diff.by_taken else "planned A", "B", "B - A", "Source % A", "B", "Mix % A", "B", "points")
    for heading in headings:
        table.add_column(heading, justify="right")
    groups = [row.name for row in diff.rows if row.is_group]
    for row in diff.rows:
        style = "bold" if row.is_group else "dim" if not row.tokens_difference and not row.mix_points else ""
        table.add_row(_below(row.name, groups), *_cells(row), style=style)
    total = [sum(_tokens(row.before) for row in _sources(diff)), sum(_tokens(row.after) for row in _sources(diff))]
    table.add_section()
    table.add_row("total", *map(big_tokens, total), _signed(total[1] - total[0]), "", "", "100.00", "100.00", "", style="bold")
    if any(amount is not None and amount.published for row in diff.rows for amount in (row.before, row.after)):
        table.caption, table.caption_justify = "* of a published figure: no token arrays given for this source", "left"
    return table


def diff_lines(diff: Diff) -> Iterator[str]:
    """What no row can say: settings, sizes of sources, input files and outputs that are not the same."""
    for setting in diff.settings:
        yield f"{setting.name}: {setting.before} in A, {setting.after} in B"
    for row in _sources(diff):
        if row.before and row.after and row.before.available != row.after.available:
            yield f"tokens that {row.name} has: {_available(row.before)} in A, {_available(row.after)} in B"
    for change in diff.inputs:
        how = "only in B" if change.before is None else "only in A" if change.after is None else ""
        how = how or f"sha256 {(change.before or '')[:12]} in A, {(change.after or '')[:12]} in B"
        yield f"input {change.file} of {change.source}: {how}"
    if diff.outputs_equal is not None:
        yield "the outputs are the same bytes" if diff.outputs_equal else "the outputs are not the same bytes"


def diff_json(diff: Diff) -> dict[str, Any]:
    """The whole comparison; tokens are exact, percents and points rounded to 9 digits."""
    return {
        "differs": diff.differs,
        "tokens": "taken" if diff.by_taken else "planned",
        "a": {"given": diff.before.given, "name": diff.before.manifest.name},
        "b": {"given": diff.after.given, "name": diff.after.manifest.name},
        "rows": [
            {
                "name": row.name,
                "is_group": row.is_group,
                "a": _amount(row.before),
                "b": _amount(row.after),
                "tokens_difference": row.tokens_difference,
                "mix_points": _rounded(row.mix_points),
            }
            for row in diff.rows
        ],
        "settings": {setting.name: {"a": setting.before, "b": setting.after} for setting in diff.settings},
        "inputs": [
            {"source": change.source, "file": change.file, "a": change.before, "b": change.after} for change in diff.inputs
        ],
        "outputs_equal": diff.outputs_equal,
    }


def _described(side: Side) -> str:
    what = "planned" if side.lock is None else "locked" if side.lock.outputs is None else "sampled"
    scale = "" if side.planned.scale == 1 else f" at scale {side.planned.scale:g}"
    return f"{side.manifest.name} ({what}{scale}: {side.given})"


def _below(name: str, groups: list[str]) -> str:
    """`math/gsm8k` -> `  gsm8k` where a row for `math` stands above it."""
    outer = [group for group in groups if name.startswith(group + "/")]
    return "  " * len(outer) + (name.removeprefix(outer[-1] + "/") if outer else name)


def _sources(diff: Diff) -> list[Compared]:
    return [row for row in diff.rows if not row.is_group]


def _tokens(amount: Amount | None) -> int:
    return amount.tokens if amount else 0


def _cells(row: Compared) -> list[str]:
    sides = (row.before, row.after)
    taken = [big_tokens(side.tokens) if side else "-" for side in sides]
    source = [_percent(side.source_percent, side.published) if side else "-" for side in sides]
    mixed = [f"{float(side.mix_percent):.2f}" if side else "-" for side in sides]
    points = f"{float(row.mix_points):+.2f}" if round(row.mix_points, 2) else ""
    return [*taken, _signed(row.tokens_difference), *source, *mixed, points]


def _signed(tokens: int) -> str:
    return f"{'+' if tokens > 0 else '-'}{big_tokens(abs(tokens))}" if tokens else ""


def _percent(percent: Fraction | None, published: bool) -> str:
    return "?" if percent is None else f"{float(percent):.4g}{'*' if published else ''}"


def _available(amount: Amount) -> str:
    if amount.available is None:
        return "not known"
    return f"{amount.available:,}{' (published)' if amount.published else ''}"


def _amount(amount: Amount | None) -> dict[str, Any] | None:
    if amount is None:
        return None
    percents = {"source_percent": _rounded(amount.source_percent), "mix_percent": _rounded(amount.mix_percent)}
    return asdict(amount) | percents


def _rounded(value: Fraction | None) -> float | None:
    return None if value is None else round(float(value), _DIGITS)
