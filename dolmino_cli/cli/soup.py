"""`dolmino soup`: the mean of checkpoints."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun


def soup(
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            metavar="CHECKPOINT...",
            help="Folders of save_pretrained, outputs of dolmino train, or hub ids (owner/name@revision).",
            show_default=False,
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.", show_default=False)],
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights", metavar="1,1,2", help="How much each counts; divided by their sum.", show_default="each as much"
        ),
    ] = None,
    dtype: Annotated[str, typer.Option("--dtype", metavar="keep|bf16|fp32", help="Of the weights that are written.")] = "keep",
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Take only those checkpoints that do not make the soup's --metric worse.")
    ] = False,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            metavar="'CMD {checkpoint}'",
            help="Scores the folder that stands for {checkpoint}: prints a number on its last line.",
            show_default=False,
        ),
    ] = None,
    metric_key: Annotated[
        str | None,
        typer.Option(
            "--metric-key", metavar="KEY", help="Dotted key of the number in the JSON that --metric prints.", show_default=False
        ),
    ] = None,
    lower_is_better: Annotated[bool, typer.Option("--lower-is-better", help="Of two metrics the lower is the better.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Average the weights of checkpoints of one model, summed in fp32, and write a checkpoint with what it was made of.

    Keys, shapes, dtypes, configurations and tokenizers must agree. In memory are pieces of one tensor.
    The same checkpoints give the same bytes; soup.json in the output names them by sha256.

    \b
    Examples:
      dolmino soup runs/seed42 runs/seed42069 runs/seed666 -o soup
      dolmino soup runs/100b-1110 runs/100b-2662 runs/300b --weights 1,1,2 -o soup
      dolmino soup runs/* -o soup --greedy --metric-key gsm8k-star.exact_match,strict-match \\
        --metric 'dolmino eval {checkpoint} --task gsm8k-star --json'
    """
    from dolmino_cli.cli.run_soup import run_soup

    run_soup(
        checkpoints,
        output=output,
        weights=weights,
        dtype=dtype,
        greedy=greedy,
        metric=metric,
        metric_key=metric_key,
        lower_is_better=lower_is_better,
        dry_run=dry_run,
    )
