"""`dolmino rewrite`: documents rewritten, made up or labelled by a model."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun, Inputs, OnError, OutputOption
from dolmino_cli.cli.executor_options import ExecutorOptions, runs_tasks
from dolmino_cli.sources.rewriting import PRELOAD

Template = Annotated[
    str,
    typer.Argument(metavar="TEMPLATE", help="A bundled template's name, or the path of your own YAML.", show_default=False),
]
EndpointOption = Annotated[
    str | None,
    typer.Option("--endpoint", metavar="URL", help="Base of an OpenAI-compatible API.", show_default="OPENAI_BASE_URL"),
]
Model = Annotated[
    str | None, typer.Option("--model", "-m", metavar="NAME", help="The model to ask.", show_default="the template's")
]
Copies = Annotated[int, typer.Option("--copies", min=1, metavar="K", help="Answers per document, each with its own seed.")]
Concurrency = Annotated[int, typer.Option("--concurrency", "-c", min=1, metavar="N", help="Most requests at a time, per worker.")]
Timeout = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Of one try.")]
Tries = Annotated[int, typer.Option("--tries", min=1, metavar="N", help="Of one request, before it is left to a rerun.")]
JournalOption = Annotated[
    str | None,
    typer.Option("--journal", metavar="DIR", help="Folder that keeps every answer; no S3.", show_default="inside --output"),
]
InputPrice = Annotated[
    float | None, typer.Option("--input-price", metavar="PRICE", help="Per million prompt tokens.", show_default=False)
]
OutputPrice = Annotated[
    float | None, typer.Option("--output-price", metavar="PRICE", help="Per million answer tokens.", show_default=False)
]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        "--tokenizer", "-t", metavar="NAME_OR_PATH", help="Counts the prompts' tokens in --dry-run.", show_default=False
    ),
]


@runs_tasks(preload=PRELOAD)
def rewrite(
    template: Template,
    inputs: Inputs,
    output: OutputOption,
    how: ExecutorOptions,
    endpoint: EndpointOption = None,
    model: Model = None,
    copies: Copies = 1,
    concurrency: Concurrency = 64,
    timeout: Timeout = 300.0,
    tries: Tries = 8,
    journal: JournalOption = None,
    input_price: InputPrice = None,
    output_price: OutputPrice = None,
    tokenizer: Tokenizer = None,
    error: OnError = "fail",
    dry_run: DryRun = False,
) -> None:
    """Ask a model about every document and make documents of its answers.

    Every answer is on the disk before it counts: killed, the same command goes on, and nothing is paid for twice. Writes
    documents/, attributes/, quarantine/, journal/ and ledger/ under --output. The key is taken from OPENAI_API_KEY.

    \b
    Examples:
      dolmino rewrite mind-two-students annotated/ -o mind --endpoint http://127.0.0.1:8000/v1 -c 256
      dolmino rewrite persona-math-problem personas.jsonl -o problems --copies 3 --input-price 2.5 --output-price 10 --dry-run
    """
    from dolmino_cli.cli.run_recipe import choose
    from dolmino_cli.cli.run_rewrite import run_rewrite
    from dolmino_cli.sources.rewriting.account import Prices

    run_rewrite(
        template,
        inputs,
        how=how,
        output=output,
        journal=journal,
        model=model,
        copies=copies,
        on_error=choose("--error", error, ("fail", "quarantine")),
        prices=Prices(input=input_price, output=output_price),
        tokenizer=tokenizer,
        dry_run=dry_run,
        url=endpoint,
        concurrency=concurrency,
        timeout_seconds=timeout,
        tries=tries,
    )
