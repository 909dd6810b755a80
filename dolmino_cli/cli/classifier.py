"""`dolmino classifier`: a text classifier of one's own for the stage `fasttext`."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun, OnError, OutputOption
from dolmino_cli.errors import ConfigError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Train a text classifier for the stage `fasttext`.")

Labelled = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[LABELLED]...",
        help="Shards of documents that each say their label: files, folders, globs, s3://, hf://datasets/ORG/NAME/... "
        "Records need a `text`, and no `id`.",
        show_default=False,
    ),
]
LabelField = Annotated[
    str, typer.Option("--label-field", metavar="PATH", help="Where a document has its label; also looked for in metadata.")
]
Positive = Annotated[list[str] | None, typer.Option(metavar="VALUE", help="A label of documents to find. Repeatable.")]
Negative = Annotated[
    list[str] | None, typer.Option(metavar="VALUE", help="A label of the others. Repeatable. Default: every other label.")
]
Positives = Annotated[
    list[str] | None, typer.Option(metavar="DOCS", help="Shards of documents to find, whatever they say. Repeatable.")
]
Negatives = Annotated[list[str] | None, typer.Option(metavar="DOCS", help="Shards of other documents. Repeatable.")]
HeldOut = Annotated[float, typer.Option(metavar="PERCENT", help="Of the texts, set aside to judge the model by.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the choice of held-out texts, and of fastText.")]
Epochs = Annotated[int, typer.Option(metavar="N", help="How often every text is seen.")]
LearningRate = Annotated[float, typer.Option(metavar="RATE", help="At the start; it falls to 0.")]
Dim = Annotated[int, typer.Option(metavar="N", help="Length of the vectors.")]
WordNgrams = Annotated[int, typer.Option(metavar="N", help="Longest run of words with a vector.")]
Buckets = Annotated[int, typer.Option(metavar="N", help="Vectors that runs of words share.")]
MinCount = Annotated[int, typer.Option(metavar="N", help="How often a word must occur to count.")]
Threads = Annotated[int, typer.Option(metavar="N", help="More than 1 is faster and gives another model every time.")]
Newlines = Annotated[str, typer.Option(metavar="dclm|space", help="How a text becomes one line; as in the stage `fasttext`.")]


@app.callback()
def group() -> None:
    """Train a text classifier for the stage `fasttext`."""


@app.command("train")
def train(
    output: OutputOption,
    labelled: Labelled = None,
    label_field: LabelField = "label",
    positive: Positive = None,
    negative: Negative = None,
    positives: Positives = None,
    negatives: Negatives = None,
    held_out: HeldOut = 10.0,
    seed: Seed = 0,
    epochs: Epochs = 10,
    learning_rate: LearningRate = 0.5,
    dim: Dim = 100,
    word_ngrams: WordNgrams = 2,
    buckets: Buckets = 200_000,
    min_count: MinCount = 3,
    threads: Threads = 1,
    newlines: Newlines = "dclm",
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

    given = tuple(positive or ()), tuple(negative or ())
    if any(given) and not labelled:
        raise ConfigError("--positive and --negative name labels of LABELLED files, and there is none; shards go to --positives")
    training = Training(
        shards=shards_of(labelled or (), positives or (), negatives or ()),
        labels=Labels(field=label_field, positive=given[0], negative=given[1]) if labelled else None,
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
