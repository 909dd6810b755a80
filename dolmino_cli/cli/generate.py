"""`dolmino generate`: documents made by rule from a seed."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun, OutputOption
from dolmino_cli.cli.executor_options import ExecutorOptions, runs_tasks
from dolmino_cli.sources.arithmetic import PRELOAD

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make documents by rule, from a seed.")


@app.callback()
def group() -> None:
    """Make documents by rule, from a seed."""


@app.command("arithmetic")
@runs_tasks(preload=PRELOAD)
def arithmetic(
    tokenizer: Annotated[
        str,
        typer.Option(
            "--tokenizer",
            "-t",
            metavar="NAME_OR_PATH",
            help="What tokens are counted by: hub id, tokenizer.json, or a folder with one.",
            show_default=False,
        ),
    ],
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="What the documents depend on.", show_default=False)],
    output: OutputOption,
    how: ExecutorOptions,
    tokens: Annotated[
        str | None,
        typer.Option("--tokens", metavar="AMOUNT", help="Stop with the document that reaches so many, such as 11M."),
    ] = None,
    documents: Annotated[
        str | None, typer.Option("--documents", metavar="AMOUNT", help="Make so many documents instead, such as 200K.")
    ] = None,
    eos: Annotated[
        str | None, typer.Option("--eos", metavar="TOKEN", help="End-of-text token, where the tokenizer does not say.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Make arithmetic with many wordings, every equation true: the first part of DolminoSynthMath.

    Document i depends on the seed and i alone, so the output is the same for any number of workers, and a larger target
    begins with the documents of a smaller one. Run it again and finished shards are skipped.

    \b
    Examples:
      dolmino generate arithmetic --tokens 11M --tokenizer allenai/dolma2-tokenizer --seed 42 -o arithmetic
      dolmino generate arithmetic --documents 200K -t ./tokenizer.json --seed 7 -o arithmetic --dry-run
    """
    from dolmino_cli.cli.amounts import parse_amount
    from dolmino_cli.cli.run_generate import run_arithmetic

    run_arithmetic(
        how=how,
        dry_run=dry_run,
        output=output,
        tokenizer=tokenizer,
        seed=seed,
        tokens=None if tokens is None else parse_amount("--tokens", tokens),
        documents=None if documents is None else parse_amount("--documents", documents),
        eos=eos,
    )
