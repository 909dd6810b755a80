"""`dolmino eval`: what a checkpoint scores."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun


def evaluate(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT", help="Folder of save_pretrained, output of dolmino train, or hub id.", show_default=False
        ),
    ],
    task: Annotated[
        list[str] | None,
        typer.Option("--task", metavar="NAME", help="A task of lm-evaluation-harness; repeatable.", show_default="gsm8k-star"),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the results as JSON.", show_default="only printed"),
    ] = None,
    final: Annotated[
        bool,
        typer.Option("--final", help="Ask the 1,119 items of GSM8K that are held out; every time is recorded in --output."),
    ] = False,
    shots: Annotated[
        int | None,
        typer.Option("--shots", min=0, metavar="N", help="Worked examples in the prompt.", show_default="as the task has it"),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="Only the first N items of each task: a trial.", show_default="all"),
    ] = None,
    items: Annotated[
        str | None,
        typer.Option("--items", metavar="FILE", help="GSM8K's test.jsonl, where the hub is out of reach.", show_default=False),
    ] = None,
    examples: Annotated[
        str | None,
        typer.Option(
            "--examples", metavar="FILE", help="Beside --items, GSM8K's train.jsonl, for the prompt.", show_default=False
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="NAME", help="Branch, tag or commit of a hub id.", show_default=False)
    ] = None,
    batch_size: Annotated[
        str, typer.Option("--batch-size", metavar="N|auto", help="Prompts at once; auto finds what fits the GPU.")
    ] = "8",
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="Such as cuda:1.", show_default="a GPU if there is one")
    ] = None,
    json_line: Annotated[
        bool, typer.Option("--json", help="End with a line of JSON: value by task and metric, for `dolmino soup --metric-key`.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Evaluate a checkpoint by lm-evaluation-harness, with 95 % intervals, held-out items kept held out.

    gsm8k-star is GSM*: 200 of the 1,319 items of GSM8K's test split, to develop by. Tasks that ask the others are refused without
    --final. Numbers depend on the harness's prompts: compare them with its own only. pip install 'dolmino[eval]'

    \b
    Examples:
      dolmino eval runs/seed42 -o evaluations
      dolmino eval allenai/OLMo-2-0425-1B --task gsm8k_cot-star --task mmlu -o evaluations --batch-size auto
      dolmino eval soup --task gsm8k --final -o evaluations
      dolmino eval soup --items test.jsonl --examples train.jsonl
    """
    from dolmino_cli.cli.run_eval import run_eval
    from dolmino_cli.train.evaluation.request import EvalRequest

    run_eval(
        EvalRequest(
            checkpoint=checkpoint,
            tasks=tuple(task or ["gsm8k-star"]),
            output=output,
            final=final,
            shots=shots,
            limit=limit,
            items=items,
            examples=examples,
            revision=revision,
            batch_size=batch_size,
            device=device,
        ),
        json_line=json_line,
        dry_run=dry_run,
    )
