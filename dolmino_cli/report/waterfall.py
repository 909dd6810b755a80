"""The waterfall: documents and bytes in, what each decision dropped, what was kept, against what was expected."""

from __future__ import annotations

from rich.table import Table

from dolmino_cli.pipeline.dry_run import Prediction
from dolmino_cli.pipeline.tally import StageTally
from dolmino_cli.recipe import Recipe
from dolmino_cli.report.amounts import big_bytes, duration


def waterfall_table(recipe: Recipe, tally: StageTally, *, title: str | None = None) -> Table:
    """A row per way to be dropped. Bytes are UTF-8 bytes of the text that was read.

    Retention is of what came to that decision, or of all.
    """
    table = Table(title=title or f"{recipe.title}: what happened to every document", title_justify="left")
    table.add_column("")
    for heading in ("documents", "text", "retention", "expected"):
        table.add_column(heading, justify="right")
    records = tally.documents_in + tally.quarantined
    table.add_row("in", f"{records:,}", big_bytes(tally.bytes_in), "", "")
    if tally.quarantined:
        table.add_row("  quarantined (unreadable)", f"-{tally.quarantined:,}", "", "", "")
    for number, (decision, step) in enumerate(zip(recipe.drops, tally.steps, strict=True)):
        # Of what came to the decision, or, where that is what is published, of all.
        of = decision.expect.of if decision.expect else "arriving"
        retention = tally.retention_percent(number, of)
        expected = decision.expect.band if decision.expect else ""
        of_all = " of all" if of == "all" else ""
        table.add_row(
            f"  dropped: {decision.reason} ({decision.rule})",
            f"-{step.documents_dropped:,}",
            f"-{big_bytes(step.bytes_dropped)}" if step.bytes_dropped else "-0",
            "" if retention is None else f"{retention:.1f} %{of_all}",
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


def agreement_lines(recipe: Recipe, tally: StageTally) -> list[str]:
    """A line per approximate score: how far it lay from its definition on the sample, and how many lie that near a bound."""
    lines = []
    for score, found in tally.agreements.items():
        said = (
            f"{score}, compared with its reference on {found.documents + found.unlike:,} documents: "
            f"mean difference {found.mean:.2g}, largest {found.largest:.2g}"
        )
        if found.unlike:
            said += f", {found.unlike:,} with one score only"
        steps = [step for step, keep in zip(tally.steps, recipe.drops, strict=True) if keep.score == score]
        if any(step.documents_in for step in steps):
            said += f"; {sum(step.near for step in steps):,} documents lie that close to a bound"
        lines.append(said)
    return lines


def scores_line(recipe: Recipe, tally: StageTally) -> str:
    """One line for `dolmino score`."""
    names = ", ".join(measure.into for measure in recipe.measures)
    return f"{recipe.title}: {tally.documents_in:,} documents, {big_bytes(tally.bytes_in)} of text scored: {names}"
