"""What `dolmino report` does after parsing: gather, then write the page or print the tables."""

from __future__ import annotations

from collections.abc import Sequence

from dolmino_cli.cli.console import show
from dolmino_cli.errors import ConfigError
from dolmino_cli.report.amounts import big_bytes
from dolmino_cli.report.figures.found import find
from dolmino_cli.report.figures.gathered import gather
from dolmino_cli.report.page.document import html_page
from dolmino_cli.report.phrases import counted
from dolmino_cli.shards.storage import Output

_SUFFIXES = (".html", ".htm")


def run_report(
    folders: Sequence[str], *, output: str | None, title: str | None, examples: int, open_examples: bool, dry_run: bool
) -> None:
    """Report on `folders`. Raises DolminoError."""
    if output is not None and not output.endswith(_SUFFIXES):
        raise ConfigError(f"--output {output}: a report is one file; give a name that ends in {' or '.join(_SUFFIXES)}")
    if dry_run:
        runs, mixes = find(folders)
        for run in runs:
            show(f"run {run.label}")
        for mix in mixes:
            show(f"mix {mix.lock.manifest.name} in {', '.join(mix.labels)}")
        show(f"nothing was written{f' to {output}' if output else ''}")
        return
    found = gather(folders, examples=examples)
    if output is None:
        from dolmino_cli.report.terminal import tables

        for one in tables(found):
            show(one)
        return
    page = html_page(found, title=title, open_examples=open_examples)
    folder, _, name = output.rpartition("/")
    Output(folder or ("/" if output.startswith("/") else ".")).put(name, page)
    held = f"{counted(len(found.runs), 'run')}, {counted(len(found.mixes), 'mix', 'mixes')}"
    show(f"written to {output}: {big_bytes(len(page))}, {held}")
