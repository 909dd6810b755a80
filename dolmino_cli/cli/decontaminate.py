"""`dolmino decontaminate`: the evaluation index, what a run found with it, and what it can find."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import Workers

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Keep evaluation sets out of training data: index them, review what a recipe found, test what would be found.",
)

IndexArgument = Annotated[
    str, typer.Argument(metavar="INDEX", help="File that `dolmino decontaminate index` wrote.", show_default=False)
]
_SHOWN_TOO_SHORT = 10


@app.callback()
def group() -> None:
    """Keep evaluation sets out of training data."""


@app.command("index")
def index(
    evals: Annotated[
        list[str],
        typer.Argument(
            metavar="EVALS...",
            help="Evaluation files, folders, globs, hf://datasets/... (.jsonl .json .csv .tsv, .gz or .zst, .parquet, .arrow),"
            " or a .yaml that lists sets.",
            show_default=False,
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="File to write.", show_default=False)],
    fields: Annotated[
        list[str] | None,
        typer.Option("--fields", metavar="NAME[,NAME]", help="What makes an instance, joined by newlines. Repeatable."),
    ] = None,
    task: Annotated[str, typer.Option("--task", help="Name of the task. Default: the file's name.")] = "",
    task_field: Annotated[str, typer.Option("--task-field", metavar="NAME", help="Field with the name of the task.")] = "",
    split: Annotated[str, typer.Option("--split", help="Name of the split.")] = "",
    split_field: Annotated[str, typer.Option("--split-field", metavar="NAME", help="Field with the name of the split.")] = "",
    id_field: Annotated[str, typer.Option("--id-field", metavar="NAME", help="Field with an item's id. Default: its line.")] = "",
    n: Annotated[int, typer.Option("--n", metavar="WORDS", help="Words of an n-gram.")] = 8,
    normalised: Annotated[
        bool, typer.Option("--normalised", help="Compare words in lower case without punctuation, not as written.")
    ] = False,
    shortest: Annotated[
        int, typer.Option("--shortest", metavar="WORDS", help="Words that an instance of fewer than n needs to be matched.")
    ] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which files would be read; write nothing.")] = False,
) -> None:
    """Index evaluation sets, every split of them, for the stage `ngram_overlap`. Exact n-grams, no Bloom filter.

    An instance of fewer than n words is matched as a whole. Those of fewer than --shortest words are not matched, and shown.

    \b
    Examples:
      dolmino decontaminate index evals/*.jsonl.gz --fields question --fields context,question -o evals.index
      dolmino decontaminate index evals.yaml -o evals.index --normalised
    """
    from dolmino_cli.cli.run_decontaminate import run_index
    from dolmino_cli.sources.evaluation_index import IndexOptions

    options = IndexOptions(n=n, words="normalised" if normalised else "as_written", shortest=shortest)
    names = {"task": task, "task_field": task_field, "split": split, "split_field": split_field, "id": id_field}
    run_index(evals, tuple(fields or ()), names, output=output, options=options, dry_run=dry_run)


@app.command("show")
def show_index(
    index: IndexArgument, too_short: Annotated[bool, typer.Option("--too-short", help="List every unmatched instance.")] = False
) -> None:
    """Print what is in an INDEX: tasks, instances, those too short to match, memory, sha256.

    \b
    Example:
      dolmino decontaminate show evals.index --too-short
    """
    from dolmino_cli.cli.run_decontaminate import show_index

    show_index(index, most_too_short=None if too_short else _SHOWN_TOO_SHORT)


@app.command("review")
def review(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Output folder of `dolmino filter`.", show_default=False)],
    task: Annotated[str, typer.Option("--task", help="Show documents of this task only.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="How many documents to show.")] = 10,
    index: Annotated[str, typer.Option("--index", metavar="FILE", help="Where the index is now, if it was moved.")] = "",
) -> None:
    """Show the documents that a RUN dropped beside the instances they hold, the overlap marked, and a report per task.

    \b
    Examples:
      dolmino decontaminate review filtered/flan
      dolmino decontaminate review filtered/flan --task gsm8k --limit 50
    """
    from dolmino_cli.cli.run_decontaminate import run_review

    run_review(run, task=task, limit=limit, index=index)


@app.command("selftest")
def selftest(
    index: IndexArgument,
    clean: Annotated[
        list[str] | None,
        typer.Option("--clean", metavar="DOCS", help="Documents that should hold no instance. Repeatable."),
    ] = None,
    per_length: Annotated[
        int, typer.Option("--per-length", min=1, metavar="N", help="Instances planted of every class of lengths.")
    ] = 200,
    workers: Workers = 1,
) -> None:
    """Plant instances of an INDEX - verbatim, in other case, without punctuation, in long documents - and say what is found.

    Prints recall by length of the instance for every rule, and what is flagged of clean documents. Fails (exit 1) when an
    instance of three words or more that is planted verbatim is not found by the default rule.

    \b
    Examples:
      dolmino decontaminate selftest evals.index
      dolmino decontaminate selftest evals.index --clean wiki/ --per-length 1000
    """
    from dolmino_cli.cli.run_decontaminate import run_selftest

    run_selftest(index, clean or [], per_length=per_length, workers=workers)
