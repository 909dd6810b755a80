"""What `dolmino classifier train` does after parsing: list, train, show how good the model is."""

from __future__ import annotations

from collections.abc import Sequence

from dolmino_cli.cli.console import remark, show
from dolmino_cli.errors import ConfigError
from dolmino_cli.report.classifier import count_lines, judged_lines, threshold_table
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.storage import Output
from dolmino_cli.sources.classifier.labelled import LabelledShard
from dolmino_cli.sources.classifier.training import MODEL, REPORT, Training, check_both_kinds, count, train


def shards_of(labelled: Sequence[str], positives: Sequence[str], negatives: Sequence[str]) -> list[LabelledShard]:
    """The shards that the request means. Raises ConfigError for none, or for files of one kind only."""
    kinds = ((labelled, None), (positives, True), (negatives, False))
    if not any(given for given, _ in kinds):
        raise ConfigError("no documents; give LABELLED files, or --positives and --negatives")
    if not labelled and not (positives and negatives):
        missing = "--negatives" if positives else "--positives"
        raise ConfigError(f"documents of one kind only; give {missing} too, or LABELLED files that have both")
    shards = [LabelledShard(shard=shard, label=label) for given, label in kinds if given for shard in list_shards(given)]
    paths = [one.shard.path for one in shards]
    for path in paths:
        if paths.count(path) > 1:
            raise ConfigError(f"{path} is given twice, with labels that may differ; give it once")
    return shards


def run_training(training: Training, output: str, *, dry_run: bool) -> None:
    """Train and print what came of it. Raises DolminoError."""
    place = Output(output)
    stored_bytes = sum(one.shard.bytes for one in training.shards)
    remark(f"{len(training.shards):,} shards, {stored_bytes / 1e6:,.1f} MB")
    if dry_run:
        counts = count(training)
        show("\n".join(count_lines(counts)))
        check_both_kinds(counts)
        show(f"nothing was written to {output}")
        return
    if training.settings.threads > 1:
        remark(f"  {training.settings.threads} threads: another run gives another model")
    report = train(training, place)
    show("\n".join(judged_lines(report)))
    show(threshold_table(report))
    show(f"{place.path(MODEL)}  sha256 {report['model']['sha256']}\n{place.path(REPORT)}")
