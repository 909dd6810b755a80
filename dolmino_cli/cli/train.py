"""`dolmino train`: mid-train a model on a mix, on one GPU or on many."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun


def train(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="A preset's name, or the path of your own RUN.yaml.", show_default=False),
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option("--mix", "-m", metavar="DIR_OR_S3", help="A mix of `dolmino sample`.", show_default=False),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            "-c",
            metavar="DIR_OR_HUB_ID",
            help="The weights to start from: Hugging Face's format, or a checkpoint of a run.",
            show_default="random weights of the run's shape",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder for checkpoints, metrics and the exported model.", show_default=False
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, metavar="N", help="Of the order of the windows.", show_default="the run's")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, metavar="N", help="Where the run ends.", show_default="the run's")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace one value, keys with dots as in the file. Repeatable."),
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option("--gpus", min=1, metavar="N", help="With --dry-run: for so many.", show_default="torchrun's, else 1"),
    ] = None,
    gpu: Annotated[
        str | None, typer.Option("--gpu", metavar="H200", help="With --dry-run: of this kind.", show_default="this machine's")
    ] = None,
    gpu_memory: Annotated[
        str | None,
        typer.Option("--gpu-memory", metavar="SIZE", help="Of each GPU, such as 80GB.", show_default="that of the GPU"),
    ] = None,
    tokens_per_second: Annotated[
        float | None,
        typer.Option("--tokens-per-second", min=0.001, metavar="N", help="With --dry-run: the speed of one GPU."),
    ] = None,
    watts: Annotated[
        float | None,
        typer.Option(
            "--watts", min=1, metavar="W", help="With --dry-run: a cap on the power of a GPU.", show_default="the GPU's"
        ),
    ] = None,
    dry_run: DryRun = False,
    print_: Annotated[bool, typer.Option("--print", help="Print the whole run as YAML, to be kept; train nothing.")] = False,
    presets: Annotated[bool, typer.Option("--presets", help="List the presets and exit.")] = False,
    shapes: Annotated[bool, typer.Option("--shapes", help="List the shapes of models and exit.")] = False,
) -> None:
    """Train a model on a mix as a RUN says: a preset of OLMo 2's or LLM-jp's, or a YAML file of yours.

    Started by torchrun on several GPUs or nodes, by itself on one GPU or a CPU. Run it again and it goes on from its newest
    checkpoint. What cannot run is refused before a GPU is touched.

    \b
    Examples:
      dolmino train --presets
      dolmino train olmo2-7b --print > runs/7b.yaml
      dolmino train olmo2-7b --gpus 128 --gpu H200 --set hardware.replicas=16 --dry-run
      torchrun --nproc-per-node 8 --no-python dolmino train runs/7b.yaml -m mixes/50b -c olmo2-7b-stage1 -o out/7b-42
      dolmino train tiny -m mixes/small -o out/tiny --steps 20
    """
    from dolmino_cli.cli.run_train import list_presets, list_shapes, run_train

    if presets or shapes:
        (list_presets if presets else list_shapes)()
        return
    given = {"mix": mix, "checkpoint": checkpoint, "output": output, "seed": seed, "steps": steps}
    run_train(
        run,
        given={name: value for name, value in given.items() if value is not None},
        overrides=set_ or (),
        gpus=gpus,
        gpu=gpu,
        gpu_memory=gpu_memory,
        tokens_per_second=tokens_per_second,
        watts=watts,
        dry_run=dry_run,
        print_only=print_,
    )
