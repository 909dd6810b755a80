"""`dolmino retokenize`: documents to token arrays."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun, Inputs, MaxDocument, OnError, OutputOption
from dolmino_cli.cli.executor_options import ExecutorOptions, runs_tasks
from dolmino_cli.tokens import PRELOAD


@runs_tasks(preload=PRELOAD)
def retokenize(
    inputs: Inputs,
    tokenizer: Annotated[
        str,
        typer.Option(
            "--tokenizer", "-t", metavar="NAME_OR_PATH", help="Hub id, tokenizer.json, or a folder with one.", show_default=False
        ),
    ],
    output: OutputOption,
    how: ExecutorOptions,
    eos: Annotated[
        str | None, typer.Option("--eos", metavar="TOKEN", help="End-of-text token, where the tokenizer does not say.")
    ] = None,
    tokens_per_file: Annotated[
        int, typer.Option("--tokens-per-file", min=1, metavar="N", help="Target size of a part-*.npy.")
    ] = 100_000_000,
    special_tokens: Annotated[
        str,
        typer.Option(
            "--special-tokens",
            metavar="text|token",
            help="What a special token's text in a document is: plain text (as dolma), or the token.",
        ),
    ] = "text",
    strip: Annotated[
        bool, typer.Option("--strip/--no-strip", help="Strip white space around a document's text, as dolma.")
    ] = True,
    engine: Annotated[
        str, typer.Option("--engine", metavar="auto|gigatoken|tokenizers", help="What encodes; ids are the same.")
    ] = "auto",
    error: OnError = "fail",
    max_document: MaxDocument = "128MiB",
    dry_run: DryRun = False,
) -> None:
    """Turn documents into token arrays that OLMo and OLMo-core read: headerless part-*.npy with part-*.csv.gz beside.

    Ids are those of Hugging Face `tokenizers`; every document ends with the end-of-text token. The output does not
    depend on the number of workers.

    \b
    Examples:
      dolmino retokenize filtered/dclm --tokenizer allenai/dolma2-tokenizer -o tokens/dclm -w 8
      dolmino retokenize s3://bucket/filtered/flan -t ./tokenizer.json -o s3://bucket/tokens/flan
    """
    from dolmino_cli.cli.amounts import parse_size
    from dolmino_cli.cli.run_retokenize import run_retokenize

    run_retokenize(
        inputs,
        tokenizer=tokenizer,
        output=output,
        how=how,
        eos=eos,
        tokens_per_file=tokens_per_file,
        special_tokens=special_tokens,
        strip=strip,
        engine=engine,
        on_error=error,
        max_document_bytes=parse_size("--max-document", max_document),
        dry_run=dry_run,
    )
