"""What `dolmino jobs status` prints: a table on a terminal, lines elsewhere, or JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from dolmino_cli.cli.console import show
from dolmino_cli.executors import status
from dolmino_cli.executors.claim import RUN
from dolmino_cli.executors.status import PhaseStatus, Running, Status
from dolmino_cli.report.amounts import duration
from dolmino_cli.shards.output import Output

_MOST_SHOWN = 20


def show_status(output: str, *, as_json: bool) -> int:
    """Print how far the run in `output` is; returns the exit code. Raises DolminoError."""
    found = status.read(Output(output))
    if as_json:
        show(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _show(found)
    return int(bool(found.failures) and found.state != "running")


def _show(found: Status) -> None:
    show(f"{found.output}: {found.state}, {found.done:,} tasks recorded")
    if found.phases and sys.stdout.isatty():
        _show_table(found.phases)
    else:
        for phase in found.phases:
            show("  " + ", ".join(f"{name} {value}" for name, value in _cells(phase).items()))
    for one in found.running[:_MOST_SHOWN]:
        show(f"  running: {_described(one)}")
    if len(found.running) > _MOST_SHOWN:
        show(f"  running: and {len(found.running) - _MOST_SHOWN:,} more (--json has them)")
    for failure in found.failures[:_MOST_SHOWN]:
        tries = f", {failure.tries} tries" if failure.tries > 1 else ""
        show(f"  failed: {failure.task}: {failure.reason} (on {failure.host}, {failure.at}{tries})")
    if len(found.failures) > _MOST_SHOWN:
        show(f"  failed: and {len(found.failures) - _MOST_SHOWN:,} more: see {found.output}/failures")


def _cells(phase: PhaseStatus) -> dict[str, str]:
    return {
        "phase": phase.phase,
        "by": phase.executor,
        "tasks": "?" if phase.tasks is None else f"{phase.tasks:,}",
        "done": f"{phase.done:,}",
        "running": f"{phase.running:,}",
        "failed": f"{phase.failed:,}",
        "left": "?" if phase.left is None else f"{phase.left:,}",
        "tasks/h": "?" if phase.tasks_per_hour is None else f"{phase.tasks_per_hour:,.0f}",
        "time left": "?" if phase.seconds_left is None else duration(phase.seconds_left),
    }


def _show_table(phases: list[PhaseStatus]) -> None:
    from rich.table import Table

    table = Table()
    for name in _cells(phases[0]):
        table.add_column(name, justify="left" if name in ("phase", "by") else "right")
    for phase in phases:
        table.add_row(*_cells(phase).values())
    show(table)


def _described(one: Running) -> str:
    what = "the whole run" if one.task == RUN else one.task
    silent = "" if one.alive else f", not heard of for {duration(one.silent_seconds)}"
    return f"{what} on {one.host} for {duration(one.seconds)}{silent}"
