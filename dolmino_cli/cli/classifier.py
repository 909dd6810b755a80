"""`dolmino classifier`: a text classifier of one's own for the stage `fasttext`."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun, OnError, OutputOption

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Train a text classifier for the stage `fasttext`.")


@app.callback()
def group() -> None:
    """Train a text classifier for the stage `fasttext`."""


@app.command("train")
def train(
    output: OutputOption,
    labelled: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LABELLED]...",
            help="Shards of documents that each say their label: files, folders, globs, s3://, hf://datasets/ORG/NAME/... "
            "Records need a `text`, and no `id`.",
            show_default=False,
        ),
    ] = None,
    label_field: Annotated[
        str, typer.Option("--label-field", metavar="PATH", help="Where a document has its label; also looked for in metadata.")
    ] = "label",
    positive: Annotated[
        list[str] | None,
        typer.Option("--positive", metavar="VALUE", help="A label of documents to find. Repeatable.", show_default=False),
    ] = None,
    negative: Annotated[
        list[str] | None,
        typer.Option("--negative", metavar="VALUE", help="A label of the others. Repeatable. Default: every other label."),
    ] = None,
    positives: Annotated[
        list[str] | None,
        typer.Option("--positives", metavar="DOCS", help="Shards of documents to find, whatever they say. Repeatable."),
    ] = None,
    negatives: Annotated[
        list[str] | None, typer.Option("--negatives", metavar="DOCS", help="Shards of other documents. Repeatable.")
    ] = None,
    held_out: Annotated[
        float, typer.Option("--held-out", metavar="PERCENT", help="Of the texts, set aside to judge the model by.")
    ] = 10.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the choice of held-out texts, and of fastText.")] = 0,
    epochs: Annotated[int, typer.Option("--epochs", metavar="N", help="How often every text is seen.")] = 10,
    learning_rate: Annotated[float, typer.Option("--learning-rate", metavar="RATE", help="At the start; it falls to 0.")] = 0.5,
    dim: Annotated[int, typer.Option("--dim", metavar="N", help="Length of the vectors.")] = 100,
    word_ngrams: Annotated[int, typer.Option("--word-ngrams", metavar="N", help="Longest run of words with a vector.")] = 2,
    buckets: Annotated[int, typer.Option("--buckets", metavar="N", help="Vectors that runs of words share.")] = 200_000,
    min_count: Annotated[int, typer.Option("--min-count", metavar="N", help="How often a word must occur to count.")] = 3,
    threads: Annotated[
        int, typer.Option("--threads", metavar="N", help="More than 1 is faster and gives another model every time.")
    ] = 1,
    newlines: Annotated[
        str, typer.Option("--newlines", metavar="dclm|space", help="How a text becomes one line; as in the stage `fasttext`.")
    ] = "dclm",
    error: OnError = "fail",
    dry_run: DryRun = False,
) -> None:
    """Train a fastText classifier on labelled documents and judge it on some that it has not seen.

    Writes model.bin, for the stage `fasttext` with `label: __label__positive`, and model.json: inputs by hash, what became of
    every record, settings, and precision, recall and AUC on the held-out texts.

    \b
    Examples:
      dolmino classifier train owm-annotated.jsonl --label-field math --positive yes -o owm-math
      dolmino classifier train --positives math/ --negatives web/ --negatives code/ -o owm-math --dry-run
      dolmino filter metamath MetaMathQA.jsonl --set math.model=owm-math/model.bin -o out/metamath
    """
    from dolmino_cli.cli.run_classifier import run_training, shards_of
    from dolmino_cli.cli.run_recipe import choose
    from dolmino_cli.sources.classifier.labelled import Labels
    from dolmino_cli.sources.classifier.training import Settings, Training

    labels = None
    if labelled:
        labels = Labels(field=label_field, positive=tuple(positive or ()), negative=tuple(negative or ()))
    training = Training(
        shards=shards_of(labelled or (), positives or (), negatives or ()),
        labels=labels,
        settings=Settings(
            dim=dim,
            epochs=epochs,
            learning_rate=learning_rate,
            word_ngrams=word_ngrams,
            buckets=buckets,
            min_count=min_count,
            threads=threads,
            seed=seed,
        ),
        newlines=choose("--newlines", newlines, ("dclm", "space")),
        held_out_percent=held_out,
        seed=seed,
        on_error=choose("--error", error, ("fail", "quarantine")),
    )
    run_training(training, output, dry_run=dry_run)
