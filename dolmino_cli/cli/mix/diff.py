"""`dolmino mix diff`: what is not the same in two mixes."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import ArraysRoot

_Mix = Annotated[
    str,
    typer.Argument(help="A bundled mix's name, the path of a YAML or of a MIX.lock.json, or a mix's folder.", show_default=False),
]


def diff(
    a: _Mix,
    b: _Mix,
    arrays: ArraysRoot = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 where they differ, as `git diff` does.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table: exact tokens, full sha256.")] = False,
) -> None:
    """Print what two mixes take of every source and what moved, in tokens, Source % and Mix %.

    Where one takes `math` and the other `math/gsm8k` and more, these are compared as `math`. Of two locks, changed input
    files are named, and whether the outputs are the same bytes. A manifest is planned over --arrays where they are, else
    over the sizes in the lock it is compared with, else over published sizes, marked *.

    \b
    Examples:
      dolmino mix diff dolmino-1124-100b dolmino-1124-100b-as-run
      dolmino mix diff mixes/50b.lock.json s3://bucket/mixes/50b --exit-code
    """
    import json as json_format

    from dolmino_cli.cli.console import show
    from dolmino_cli.mix.diff import diff as compare_mixes
    from dolmino_cli.report.mix_diff import diff_json, diff_lines, diff_table

    found = compare_mixes(a, b, arrays_root=arrays)
    if json:
        show(json_format.dumps(diff_json(found), indent=1, ensure_ascii=False))
    else:
        show(diff_table(found))
        for line in diff_lines(found):
            show(line)
        if not found.differs:
            show("the same mix")
    if exit_code and found.differs:
        raise typer.Exit(1)
