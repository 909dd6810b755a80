"""The waterfall: documents and bytes in, what each decision dropped, what was kept, against what was expected."""

from __future__ import annotations

from rich.table import Table

from dolmino_cli.pipeline.dry_run import Prediction
from dolmino_cli.pipeline.tally import StageTally
from dolmino_cli.recipe import Recipe
from dolmino_cli.report.amounts import big_bytes, duration


def waterfall_table(recipe: Recipe, tally: StageTally, *, title: str | None = None) -> Table:
    """A row per decision. Bytes are UTF-8 bytes of text; retention is of what came to that decision."""
    table = Table(title=title or f"{recipe.title}: what happened to every document", title_justify="left")
    table.add_column("")
    for heading in ("documents", "text", "retention", "expected"):
        table.add_column(heading, justify="right")
    records = tally.documents_in + tally.quarantined
    table.add_row("in", f"{records:,}", big_bytes(tally.bytes_in), "", "")
    if tally.quarantined:
        table.add_row("  quarantined (unreadable)", f"-{tally.quarantined:,}", "", "", "")
    for decision, step in zip(recipe.decisions, tally.steps, strict=True):
        retention = step.retention_percent
        expected = f"{decision.expect.percent:g} ± {decision.expect.within:g} %" if decision.expect else ""
        table.add_row(
            f"  dropped: {decision.reason} ({decision.rule})",
            f"-{step.documents_dropped:,}",
            f"-{big_bytes(step.bytes_dropped)}" if step.bytes_dropped else "-0",
            "" if retention is None else f"{retention:.1f} %",
            expected,
        )
    table.add_section()
    share = 100 * tally.documents_kept / records if records else 0.0
    table.add_row(
        "kept", f"{tally.documents_kept:,}", big_bytes(tally.bytes_kept), f"{share:.1f} %" if records else "", "", style="bold"
    )
    return table


def prediction_table(prediction: Prediction) -> Table:
    """What a dry run saw in its sample, and what the whole would give."""
    table = waterfall_table(
        prediction.recipe, prediction.tally, title=f"{prediction.recipe.title}: dry run, sample of {prediction.sampled}"
    )
    table.add_section()
    table.add_row("predicted for all shards", f"{prediction.documents_kept:,}", big_bytes(prediction.text_bytes_kept), "", "")
    table.add_row("  to be written (documents)", "", big_bytes(prediction.output_bytes), "", "")
    table.add_row(f"  tokens, at {prediction.bytes_per_token:g} bytes each", f"{prediction.tokens_kept:,}", "", "", "")
    table.add_row(f"  time, {prediction.workers} workers", "", duration(prediction.seconds), "", "")
    return table


def scores_line(recipe: Recipe, tally: StageTally) -> str:
    """One line for `dolmino score`."""
    names = ", ".join(measure.into for measure in recipe.measures)
    return f"{recipe.title}: {tally.documents_in:,} documents, {big_bytes(tally.bytes_in)} of text scored: {names}"
