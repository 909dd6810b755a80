"""The `dolmino` command: its verbs, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Annotated

import typer

from dolmino_cli import __version__
from dolmino_cli.cli.verbs import VerbGroup
from dolmino_cli.errors import DolminoError, LeftToOthers

app = typer.Typer(
    name="dolmino",
    cls=VerbGroup,
    no_args_is_help=True,
    add_completion=False,
    # Rich costs 130 ms of imports before the first line of help; plain help answers in half the time.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=(
        "Build Dolmino-style mid-training mixes: raw shards -> filtered documents -> token arrays -> a sampled mix, "
        "reproducible from two folders of YAML."
    ),
    epilog="Example: dolmino filter dclm s3://bucket/dclm/ --output s3://bucket/filtered/dclm --workers 16",
)

# Verbs that make arrays and have no workers to start before that (`runs_tasks`): they begin as those do, without pandas.
_WITHOUT_WORKERS = {"classifier", "decontaminate", "microanneal", "mix", "report", "trace"}


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dolmino {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, not only its line.")] = False,
) -> None:
    """Set what holds for every verb."""
    if debug:
        os.environ["DOLMINO_DEBUG"] = "1"
    if context.invoked_subcommand in _WITHOUT_WORKERS and "--help" not in sys.argv:
        from dolmino_cli.executors import imported_first  # noqa: F401


# What Typer makes of a KeyboardInterrupt; 128 + SIGINT, as shells have it.
_INTERRUPTED = 130


def main() -> int:
    """Do what the command line asks. Returns the exit code: 0 done, 1 the run failed, 2 the request was wrong, 130 Ctrl-C."""
    if sys.platform == "linux":
        # Read when pyarrow is imported, here and in workers: 25 MB less per process than its default, at the same speed.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    try:
        app()
    except SystemExit as stop:
        if stop.code == _INTERRUPTED:
            typer.echo("dolmino: stopped; run the same command again to go on", err=True)
        return stop.code if isinstance(stop.code, int) else 0
    except LeftToOthers as left:
        typer.echo(f"dolmino: {left}", err=True)
        return left.exit_code
    except (DolminoError, OSError) as error:
        if os.environ.get("DOLMINO_DEBUG"):
            import traceback

            traceback.print_exc()
        typer.echo(f"dolmino: error: {_said_by_system(error) if isinstance(error, OSError) else error}", err=True)
        return error.exit_code if isinstance(error, DolminoError) else 1
    finally:
        _tell_troubles()
    return 0


def _said_by_system(error: OSError) -> str:
    """An error that nothing below had words for: a disk may fail anywhere."""
    from dolmino_cli.shards.failures import explain

    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{explain(error)} (`dolmino --debug VERB ...` shows in doing what)"


def _tell_troubles() -> None:
    """Say how many requests to S3 had to be tried again, if any: the run was slower for them."""
    told = sys.modules.get("dolmino_cli.shards.s3_troubles")
    troubles = told and told.take()
    if troubles:
        typer.echo(f"{troubles}", err=True)


def run() -> None:
    """Entry point of the installed command."""
    # Where a script has no path, workers do not run it again before they begin, which takes each of them 35 ms.
    vars(sys.modules["__main__"]).pop("__file__", None)
    code = main()
    # What is left is to free what the process holds. The system does that at once; object by object it takes 0.1 s.
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # such as a closed pipe
        code = code or 1
    os._exit(code)


if __name__ == "__main__":
    run()
