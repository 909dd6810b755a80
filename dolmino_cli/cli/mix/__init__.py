"""`dolmino mix`: the verbs over manifests and locks, one file each."""

from __future__ import annotations

import typer

from dolmino_cli.cli.mix import diff as diff_verb
from dolmino_cli.cli.mix import export as export_verb
from dolmino_cli.cli.mix import import_ as import_verb
from dolmino_cli.cli.mix import list as list_verb
from dolmino_cli.cli.mix import lock as lock_verb
from dolmino_cli.cli.mix import plan as plan_verb
from dolmino_cli.cli.mix import verify as verify_verb

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Plan, lock, verify and compare mixes; read and write others' lists."
)
app.command("list")(list_verb.list_mixes)
app.command("plan")(plan_verb.plan)
app.command("lock")(lock_verb.lock)
app.command("verify")(verify_verb.verify)
app.command("diff")(diff_verb.diff)
app.command("import")(import_verb.import_mix)
app.command("export")(export_verb.export)


@app.callback()
def group() -> None:
    """Work on mixes."""
