"""A trained classifier as people read it: what became of every record, and what each threshold keeps."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from dolmino_cli.sources.classifier.labelled import Counts


def count_lines(counts: Counts) -> list[str]:
    """Every record of the input, by what became of it."""
    set_aside = {
        "repeated": counts.repeated,
        "contradicting an earlier label": counts.contradicting,
        "empty": counts.empty,
        "unlabelled": counts.unlabelled,
        "unreadable": counts.unreadable,
    }
    used = [f"  {number:>12,}  {part}" for part, number in counts.used.items()]
    return [f"{counts.records:,} records", *used, *(f"  {number:>12,}  {why}" for why, number in set_aside.items() if number)]


def judged_lines(report: dict[str, Any]) -> list[str]:
    """The counts, and the model's figures at one half."""
    judged = report["judged"]
    half = next(row for row in judged["thresholds"] if row["threshold"] == 0.5)
    return [
        *count_lines(Counts(**report["counts"])),
        f"on the held-out texts: AUC {judged['auc']:.4f}; at 0.5 precision {_share(half['precision'])},"
        f" recall {_share(half['recall'])}, F1 {_share(half['f1'])}",
    ]


def threshold_table(report: dict[str, Any]) -> Table:
    """A row per threshold."""
    judged = report["judged"]
    title = f"{judged['positive']:,} positive and {judged['negative']:,} negative texts held out, by threshold"
    table = Table(title=title, title_justify="left")
    for heading in ("at least", "precision", "recall", "F1", "kept"):
        table.add_column(heading, justify="right")
    for row in judged["thresholds"]:
        shares = [_share(row[name]) for name in ("precision", "recall", "f1")]
        table.add_row(f"{row['threshold']:g}", *shares, f"{100 * row['kept']:.1f} %")
    return table


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
