"""`dolmino microanneal`: small annealing runs that judge a source."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import ArraysRoot, DryRun, Workers

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Judge sources by small annealing runs.")


@app.callback()
def group() -> None:
    """Judge sources by small annealing runs."""


@app.command("plan")
def plan(
    source: Annotated[
        list[str],
        typer.Option(
            "--source",
            metavar="NAME[=COPIES]",
            help="A source, or a group of sources, with its own number of copies. May be repeated.",
            show_default=False,
        ),
    ],
    web: Annotated[str, typer.Option("--web", metavar="NAME", help="The source that fills up, seen once.", show_default=False)],
    ratio: Annotated[
        float, typer.Option("--ratio", metavar="PERCENT", help="The web's part of the mix, in percent.", show_default=False)
    ],
    copies: Annotated[float, typer.Option("--copies", metavar="N", help="Passes over every source that states none.")] = 1.0,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE.yaml", help="The manifest to write.", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The mix's name.", show_default="the file's, without .yaml")
    ] = None,
    base: Annotated[
        str, typer.Option("--from", metavar="MIX", help="Where sizes, seed and tokenizer are taken from.")
    ] = "dolmino-1124-50b",
    arrays: ArraysRoot = None,
    batch_sequences: Annotated[int, typer.Option("--batch-sequences", min=1, metavar="N", help="Windows per step.")] = 1024,
    sequence_length: Annotated[int, typer.Option("--sequence-length", min=1, metavar="N", help="Tokens per window.")] = 4096,
    start_step: Annotated[
        int, typer.Option("--start-step", metavar="K", help="Go on from step K of a 7B anneal: start at its learning rate there.")
    ] = 0,
    dry_run: DryRun = False,
) -> None:
    """Write the manifest of a microanneal: copies of some sources, filled up with web, one epoch, learning rate to 0.

    Copies are passes (source_percent), no file is copied. Prints what is taken of each source, steps and costs. Sizes are those
    of token arrays where --arrays has them, else those published in the mix of --from.

    \b
    Examples:
      dolmino microanneal plan --source math --copies 2 --web dclm --ratio 50 -o math-2x.yaml
      dolmino microanneal plan --source math/gsm8k=4 --source math/tulumath --web dclm --ratio 65 -o gsm8k-4x.yaml
      dolmino microanneal plan --source mine --arrays s3://bucket/tokens --web dclm --ratio 50 -o mine.yaml
    """
    from dolmino_cli.cli.run_microanneal import parse_copies, run_plan

    run_plan(
        parse_copies(source, copies),
        web=web,
        ratio=ratio,
        output=output,
        name=name,
        base=base,
        arrays=arrays,
        batch_sequences=batch_sequences,
        sequence_length=sequence_length,
        start_step=start_step,
        dry_run=dry_run,
    )


@app.command("run")
def run(
    plans: Annotated[
        list[str],
        typer.Argument(metavar="PLAN...", help="Manifests of `microanneal plan`, or names of bundled mixes.", show_default=False),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="Folder with one for each plan in it.", show_default=False)
    ],
    arrays: ArraysRoot = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint", "-c", metavar="DIR_OR_HUB_ID", help="The weights that every run starts from.", show_default=False
        ),
    ] = None,
    run_: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Preset or RUN.yaml for what the plans do not say: loss, optimizer, hardware.",
            show_default="as OLMo 2's configs",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace one value of --run. Repeatable.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, metavar="N", help="Of the order.", show_default="that of --run, else 7201")
    ] = None,
    launch: Annotated[
        str | None,
        typer.Option(
            "--launch", metavar="'torchrun ...'", help="What starts the trainer on several GPUs.", show_default="one process"
        ),
    ] = None,
    workers: Workers = 1,
    memory: Annotated[str, typer.Option("--memory", metavar="SIZE", help="What sampling may use, such as 16GiB.")] = "4GiB",
    metric: Annotated[
        str | None,
        typer.Option(
            "--eval", metavar="'CMD {checkpoint}'", help="Scores a model: a number on its last line.", show_default="none"
        ),
    ] = None,
    metric_key: Annotated[
        str | None,
        typer.Option("--eval-key", metavar="KEY", help="Dotted key of the number in the JSON that --eval prints."),
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option("--eval-task", metavar="NAME", help="A task of `dolmino eval`, such as gsm8k-star; repeatable."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Sample, train and evaluate microanneals, one after another, and print them as a table.

    Batch, windows, steps and learning rates are those of each plan. What fails is named at the end and stops no other; what is
    done is not done again. DIR/results.json has the table, DIR/NAME the mix, the run file, logs and the model.

    \b
    Examples:
      dolmino microanneal run math-2x.yaml -o sweep --arrays tokens -c allenai/OLMo-2-1124-7B --dry-run
      dolmino microanneal run plans/*.yaml -o sweep --arrays tokens -c olmo2-7b-stage1 --run olmo2-7b-as-run \\
        --launch 'torchrun --nproc-per-node 8' --eval-task gsm8k-star
    """
    from dolmino_cli.cli.run_microanneal_run import run_sweep

    run_sweep(
        plans,
        arrays=arrays,
        checkpoint=checkpoint,
        output=output,
        run=run_,
        overrides=set_ or (),
        seed=seed,
        launch=launch,
        workers=workers,
        memory=memory,
        metric=metric,
        metric_key=metric_key,
        tasks=tasks or (),
        dry_run=dry_run,
    )
