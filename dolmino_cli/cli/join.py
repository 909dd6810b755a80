"""`dolmino join`: documents made of what lies in several records of a source."""

from __future__ import annotations

from typing import Annotated

import typer

from dolmino_cli.cli.arguments import DryRun, OnError, OutputOption
from dolmino_cli.cli.executor_options import ExecutorOptions, runs_tasks
from dolmino_cli.sources.stackexchange import PRELOAD

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make documents of what lies in several records of a source.")


@app.callback()
def group() -> None:
    """Make documents of what lies in several records of a source."""


@app.command("stackexchange")
@runs_tasks(preload=PRELOAD)
def stackexchange(
    dumps: Annotated[
        list[str],
        typer.Argument(
            metavar="DUMP...",
            help="Dumps as the Internet Archive has them: SITE.7z, SITE-Posts.7z, SITE/Posts.xml; folders, globs, s3://.",
            show_default=False,
        ),
    ],
    output: OutputOption,
    how: ExecutorOptions,
    profile: Annotated[
        str, typer.Option("--profile", metavar="paper|ai2", help="The paper's words, or what Ai2's SQL did where it departs.")
    ] = "paper",
    min_question_score: Annotated[
        int, typer.Option("--min-question-score", metavar="N", help="Votes that a question needs.")
    ] = 3,
    min_answer_score: Annotated[
        int, typer.Option("--min-answer-score", metavar="N", help="Votes that its accepted answer needs.")
    ] = 5,
    all_scores: Annotated[
        bool, typer.Option("--all-scores", help="Pairs of any score, to decide with a recipe later (twice the work).")
    ] = False,
    scratch: Annotated[
        str | None,
        typer.Option(
            "--scratch",
            metavar="DIR",
            help="Local folder with room for a sixth of the unpacked XML (a third with --all-scores).",
            show_default="inside --output",
        ),
    ] = None,
    error: OnError = "fail",
    dry_run: DryRun = False,
) -> None:
    """Make a document of every Stack Exchange question with its accepted answer.

    Writes documents/SITE/, quarantine/ and ledger/ under --output; every row of a dump is counted once, by what became of
    it. Posts are joined on disk: memory does not grow with the dump. Run it again and what is done is skipped.

    \b
    Examples:
      dolmino join stackexchange dumps/ -o joined -w 8
      dolmino join stackexchange stackoverflow.com-Posts.7z s3://bucket/ai.stackexchange.com.7z -o s3://bucket/joined
      dolmino join stackexchange dumps/ -o joined --all-scores && dolmino filter stackexchange joined -o filtered
    """
    from dolmino_cli.cli.run_join import run_join
    from dolmino_cli.cli.run_recipe import choose

    run_join(
        dumps,
        how=how,
        dry_run=dry_run,
        output=output,
        profile=choose("--profile", profile, ("paper", "ai2")),
        min_question_score=None if all_scores else min_question_score,
        min_answer_score=None if all_scores else min_answer_score,
        on_error=choose("--error", error, ("fail", "quarantine")),
        scratch=scratch,
    )
