"""The same in the terminal: plain text, whatever ids and texts hold."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from dolmino_cli.report.block_histogram import histogram_lines
from dolmino_cli.report.figures.gathered import gather
from dolmino_cli.report.terminal import tables
from tests.report.make import make_mix, run_filter, write_run


def printed(*folders: Path) -> str:
    console = Console(width=160, highlight=False, record=True, force_terminal=True, file=(folders[0] / "screen").open("w"))
    for one in tables(gather([str(folder) for folder in folders], examples=2)):
        console.print(one, markup=False)
    return console.export_text()


def test_a_histogram_in_blocks(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"x": [0.0] * 6 + [24.0] * 3 + [48.0, None]}, {"score": "x", "at_least": 24.0})
    (report,) = gather([str(run)], examples=0).runs
    assert histogram_lines(report.histograms[0], "documents") == [
        "x: 10 documents · tallest bar 6 · 1 not measured",
        "  █",
        "  █",
        "  █",
        "  █                       █",
        "  █                       █",
        "  █                       █                      █",
        "  " + "─" * 48,
        "  " + " " * 24 + "▲ keep x >= 24",
        "  axis from 0 to 48",
    ]


def test_the_tables_hold_the_pages_figures(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": [{"id": "d[bold]0[/]\x1b[2J", "text": "[/red] x"}, {"id": "d1", "text": "y"}]})
    text = printed(tmp_path / "out", make_mix(tmp_path))
    for shown in ("2 documents in = 1 kept + 1 dropped + 0 quarantined", "math/a", "22.76 %", "d[bold]0[/]␛[2J", "[/red] x"):
        assert shown in text
    assert "(not written: filter with --rejects)" in text
