"""`dolmino trace`: from a token of a mix to its document, from a step to what it saw, from an id or a text to its places."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import Workers


def trace(
    mix: Annotated[
        str,
        typer.Argument(metavar="MIX_FOLDER", help="What `dolmino sample` wrote: a folder or s3:// prefix.", show_default=False),
    ],
    at: Annotated[
        str | None, typer.Option("--at", metavar="PART:OFFSET", help="The token at this offset of a part.", show_default=False)
    ] = None,
    token: Annotated[
        int | None, typer.Option("--token", metavar="N", help="Token N of the mix, from 0 through all parts.", show_default=False)
    ] = None,
    window: Annotated[
        int | None,
        typer.Option("--window", metavar="N", help="What window N holds, from 0 through all parts.", show_default=False),
    ] = None,
    step: Annotated[
        int | None, typer.Option("--step", metavar="N", help="What step N (the first is 1) trains on.", show_default=False)
    ] = None,
    find: Annotated[
        str | None,
        typer.Option(
            "--find",
            metavar="ID|TEXT",
            help="Every place of a document; of a text, where it has a space and is no id.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="Where a text stands: reads all tokens.", show_default=False)
    ] = None,
    rank: Annotated[int | None, typer.Option("--rank", metavar="N", help="Of a step, this rank's windows, from 0.")] = None,
    row: Annotated[int | None, typer.Option("--row", metavar="N", help="Of a step and rank, this window, from 0.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="The trainer's seed (not the manifest's).")] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="N", help="The trainer's windows per step, of all ranks together.")
    ] = None,
    world_size: Annotated[int, typer.Option("--world-size", metavar="N", help="The trainer's number of ranks.")] = 1,
    epochs: Annotated[int, typer.Option("--epochs", metavar="N", help="How often the trainer goes through the mix.")] = 1,
    sequence_length: Annotated[
        int | None,
        typer.Option("--sequence-length", min=1, metavar="N", help="Tokens of a window.", show_default="the mix's"),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer", "-t", metavar="NAME_OR_PATH", help="The mix's tokenizer.", show_default="as the lock names it"
        ),
    ] = None,
    documents: Annotated[
        list[str] | None,
        typer.Option(
            "--documents",
            metavar="[SOURCE=]DIR",
            help="What was tokenized, for scores, input line and record. Repeatable.",
            show_default=False,
        ),
    ] = None,
    context: Annotated[int, typer.Option("--context", min=0, metavar="N", help="Characters of text to show.")] = 300,
    full: Annotated[bool, typer.Option("--full", help="Show all text of a document.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Stop after so many places of a text.")] = 10,
    workers: Workers = 1,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per answer, for programs.")] = False,
) -> None:
    """Say what a token of a mix is, what a training step saw, and where a document or a text is in it.

    Give one of --at, --token, --window, --step, --find and --text. With --seed and --batch, every answer says when the
    trainer saw it: OLMo's order, PCG64 of the seed over the windows of the mix.

    \b
    Examples:
      dolmino trace mixes/50b --at part-00012:345678
      dolmino trace mixes/50b --step 1000 --seed 42 --batch 1024
      dolmino trace mixes/50b --step 1000 --rank 3 --row 7 --seed 42 --batch 1024 --world-size 64 -t tokenizer.json
      dolmino trace mixes/50b --find dclm-0001 --documents dclm=filtered/dclm
      dolmino trace mixes/50b --text "the quick brown fox" -w 8
    """
    from dolmino_cli.cli.run_trace import Asked, Training, run_trace

    run_trace(
        mix,
        Asked(at=at, token=token, window=window, step=step, find=find, text=text, rank=rank, row=row),
        Training(seed=seed, batch=batch, world_size=world_size, epochs=epochs, sequence_length=sequence_length),
        tokenizer=tokenizer,
        documents=tuple(documents or ()),
        context=None if full else context,
        limit=limit,
        workers=workers,
        json=json,
    )
