"""A mix as a table: per source what there is, what is taken, and how that compares with what was published."""

from __future__ import annotations

from rich.table import Table

from dolmino_cli.mix.plan import MixPlan, PlannedSource


def plan_table(plan: MixPlan) -> Table:
    """A row per source. Available counts marked * are published figures, not arrays on hand."""
    scaled = "" if plan.scale == 1 else f", at scale {plan.scale:g}"
    table = Table(title=f"{plan.name}: {tokens(plan.tokens)} tokens planned{scaled}", title_justify="left")
    table.add_column("source")
    for heading in ("available", "Source %", "taken", "epochs", "Mix %", "published Mix %", "difference"):
        table.add_column(heading, justify="right")
    for source in plan.sources:
        table.add_row(*_row(source))
    table.add_section()
    table.add_row("total", "", "", tokens(plan.tokens), "", "100.00", "", "", style="bold")
    if any(source.available.kind == "published" for source in plan.sources):
        table.caption = "* published figure: no token arrays given for this source"
        table.caption_justify = "left"
    return table


def _row(source: PlannedSource) -> list[str]:
    mark = "*" if source.available.kind == "published" else ""
    published, difference = source.expected_mix_percent, source.mix_percent_difference
    return [
        source.name,
        tokens(source.available.tokens) + mark,
        f"{float(source.source_percent):.4g}",
        tokens(source.tokens),
        f"{float(source.epochs):.4g}",
        f"{float(source.mix_percent):.2f}",
        "" if published is None else f"{float(published):g}",
        "" if difference is None else f"{float(difference):+.2f}",
    ]


def tokens(count: int) -> str:
    """A token count in the unit that reads best."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if count >= size:
            return f"{count / size:,.2f}{unit}"
    return f"{count:,}"
