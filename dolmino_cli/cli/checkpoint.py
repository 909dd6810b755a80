"""`dolmino checkpoint`: what a run has saved, and any of it as a Hugging Face checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun

app = typer.Typer(no_args_is_help=True, help="What a training run has saved: list it, export it to Hugging Face's format.")

RunOutput = Annotated[
    Path,
    typer.Argument(metavar="OUTPUT", help="The output folder of `dolmino train`, or a checkpoint in it.", show_default=False),
]


@app.command("list")
def list_checkpoints(output: RunOutput) -> None:
    """Show the whole checkpoints of a run: step, tokens, size, world size.

    \b
    Example:
      dolmino checkpoint list runs/7b-seed42
    """
    from dolmino_cli.cli.run_checkpoint import run_list

    run_list(output)


@app.command("export")
def export_to_hugging_face(
    output: RunOutput,
    to: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write to; it must not exist.", show_default=False)
    ],
    step: Annotated[
        int | None, typer.Option("--step", metavar="N", help="The checkpoint of this step.", show_default="the newest")
    ] = None,
    dtype: Annotated[str, typer.Option("--dtype", metavar="bf16|fp32", help="Of the weights.")] = "bf16",
    dry_run: DryRun = False,
) -> None:
    """Write a checkpoint as a Hugging Face checkpoint, tokenizer included, on one machine without a GPU.

    \b
    Examples:
      dolmino checkpoint export runs/7b-seed42 -o exported/7b-seed42
      dolmino checkpoint export runs/7b-seed42 --step 6000 --dtype fp32 -o exported/7b-seed42-half
    """
    from dolmino_cli.cli.run_checkpoint import run_export

    run_export(output, to, step=step, dtype=dtype, dry_run=dry_run)
