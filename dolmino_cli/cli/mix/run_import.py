"""What `dolmino mix import` does after parsing: read, show, write."""

from __future__ import annotations

from typing import cast

from dolmino_cli.bundled import find
from dolmino_cli.cli.amounts import parse_amount
from dolmino_cli.cli.console import remark, show
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.exchange.file_list import Dtype
from dolmino_cli.mix.exchange.import_mix import Wishes, import_mix, write_import
from dolmino_cli.mix.manifest import load
from dolmino_cli.report.exchange import consumed_line, import_table


def run_import(
    file: str,
    *,
    output: str,
    name: str | None,
    sources: list[str],
    sizes: str | None,
    tokens: str | None,
    tokenizer: str | None,
    dtype: str | None,
    seed: int | None,
    against: str | None,
    dry_run: bool,
) -> None:
    """Import and print the table. Raises DolminoError."""
    if dtype not in (None, "uint16", "uint32"):
        raise ConfigError(f"--dtype {dtype!r}; allowed: uint16, uint32")
    wishes = Wishes(
        name=name,
        sources=tuple(sources),
        sizes=sizes,
        tokens=parse_amount("--tokens", tokens) if tokens is not None else None,
        tokenizer=tokenizer,
        dtype=cast("Dtype | None", dtype),
        seed=seed,
        against=load(find("mixes", against)) if against is not None else None,
    )
    imported = import_mix(file, wishes)
    show(import_table(imported))
    if (line := consumed_line(imported)) is not None:
        show(line)
    for finding in imported.findings:
        remark(f"note: {finding}")
    if dry_run:
        show("nothing was written")
        return
    manifest, files = write_import(imported, output)
    show(f"written: {manifest} and {files}")
