"""A mix as a table: per source what there is, what is taken, and how that compares with what was published."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rich.table import Table

from dolmino_cli.mix.lock import Lock
from dolmino_cli.mix.manifest import group_names
from dolmino_cli.mix.plan import MixPlan, PlannedSource
from dolmino_cli.report.amounts import big_tokens


def plan_table(plan: MixPlan) -> Table:
    """A row per source, the members of a group below its sum. Available counts marked * are published, not arrays on hand."""
    table = _table(
        f"{plan.name}: {big_tokens(plan.tokens)} tokens planned{_scaled(plan)}",
        ("available", "Source %", "taken", "epochs", "Mix %", "published Mix %", "difference"),
    )
    groups = {group.name: group for group in plan.groups}
    shown: set[str] = set()
    for source in _below_their_groups(plan.sources):
        for outer in group_names([source.name]):
            if outer not in shown:
                _add_plan_row(table, groups[outer])
                shown.add(outer)
        _add_plan_row(table, source)
    table.add_section()
    table.add_row("total", "", "", big_tokens(plan.tokens), "", "100.00", "", "", style="bold")
    notes = []
    if any(source.available is not None and source.available.kind == "published" for source in plan.sources):
        notes.append("* published figure: no token arrays given for this source")
    if any(source.available is None for source in plan.sources):
        notes.append("? not known: neither token arrays nor a published figure")
    if notes:
        table.caption, table.caption_justify = "\n".join(notes), "left"
    return table


def published_total(plan: MixPlan) -> str | None:
    """The size that was published of the whole mix beside the planned one; None where none was."""
    if plan.expected_tokens is None:
        return None
    change = 100 * Fraction(plan.tokens - plan.expected_tokens, plan.expected_tokens)
    return f"published: {big_tokens(plan.expected_tokens)} tokens in all; planned {big_tokens(plan.tokens)} ({_signed(change)} %)"


def _below_their_groups(sources: Sequence[PlannedSource]) -> list[PlannedSource]:
    """In their order, but those of a group together, where its first one stands."""
    paths = {source.name: [*group_names([source.name]), source.name] for source in sources}
    first = {prefix: place for place, prefix in enumerate(dict.fromkeys(prefix for path in paths.values() for prefix in path))}
    return sorted(sources, key=lambda source: [first[prefix] for prefix in paths[source.name]])


def _add_plan_row(table: Table, source: PlannedSource) -> None:
    """A source or a group; those of a group stand below it, by one step per level."""
    known = source.available
    mark = "*" if known is not None and known.kind == "published" else ""
    *outer, name = source.name.split("/")
    table.add_row(
        "  " * len(outer) + name,
        "?" if known is None else big_tokens(known.tokens) + mark,
        "" if source.source_percent is None else f"{float(source.source_percent):.4g}",
        big_tokens(source.tokens),
        "" if source.epochs is None else f"{float(source.epochs):.4g}",
        _mix_percent(float(source.mix_percent)),
        *_published(source, float(source.mix_percent)),
    )


def achieved_table(plan: MixPlan, lock: Lock) -> Table:
    """A row per source: planned against what the lock says was written, or will be."""
    written = sum(source.taken_tokens for source in lock.sources.values())
    table = _table(
        f"{plan.name}: {big_tokens(written)} tokens {'sampled' if lock.outputs is not None else 'selected'}{_scaled(plan)}",
        ("available", "taken", "over target", "Source %", "documents", "Mix %", "published Mix %", "difference"),
    )
    for planned in plan.sources:
        source = lock.sources[planned.name]
        table.add_row(
            planned.name,
            big_tokens(source.tokens),
            big_tokens(source.taken_tokens),
            f"{source.taken_tokens - source.target_tokens:+,}",
            f"{source.source_percent:.4g}",
            f"{source.taken_documents:,}",
            _mix_percent(source.mix_percent),
            *_published(planned, source.mix_percent),
        )
    table.add_section()
    documents = sum(source.taken_documents for source in lock.sources.values())
    table.add_row("total", "", big_tokens(written), "", "", f"{documents:,}", "100.00", "", "", style="bold")
    return table


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("source")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _scaled(plan: MixPlan) -> str:
    return "" if plan.scale == 1 else f", at scale {plan.scale:g}"


def _published(source: PlannedSource, mix_percent: float) -> tuple[str, str]:
    published = source.expected_mix_percent
    return ("", "") if published is None else (f"{float(published):g}", _signed(mix_percent - float(published)))


def _mix_percent(percent: float) -> str:
    """With two digits; a source that is there is never printed as none."""
    return "<0.01" if 0 < percent < 0.005 else f"{percent:.2f}"


def _signed(value: float | Fraction) -> str:
    """With two digits, and no -0.00."""
    return f"{round(float(value), 2) + 0.0:+.2f}"
