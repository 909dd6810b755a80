"""The options of `--executor slurm`: how many elements, and what Slurm is asked for them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dolmino_cli.errors import ConfigError

ArraySize = Annotated[
    int | None,
    typer.Option("--array-size", min=1, metavar="N", help="On Slurm: processes, of --workers CPUs each, that divide the run."),
]
TimeLimit = Annotated[
    str | None,
    typer.Option("--time", metavar="TIME", help="On Slurm: time limit of a process, such as 24:00:00. Default: the partition's."),
]
SlurmOption = Annotated[
    list[str] | None,
    typer.Option("--slurm-option", metavar="OPTION", help="On Slurm: one more option of sbatch: '--partition=cpu'. Repeatable."),
]
JobFolder = Annotated[
    str | None,
    typer.Option(
        "--job-folder",
        metavar="DIR",
        help="On Slurm: for script and logs, seen by all nodes. Default: OUTPUT/jobs; for S3 ~/.dolmino/jobs.",
    ),
]
Detach = Annotated[bool, typer.Option("--detach", help="On Slurm: submit and leave; `dolmino jobs status` says how far it is.")]
DEFAULTS = {"array_size": None, "time_limit": None, "slurm_option": None, "job_folder": None, "detach": False}


def refuse_options_of_slurm(executor: str, given: Any) -> None:
    """Raises ConfigError where one of these options is given to another executor, which would not heed it."""
    names = {"time_limit": "--time"}
    for name, default in DEFAULTS.items():
        if getattr(given, name) != default:
            option = names.get(name, "--" + name.replace("_", "-"))
            raise ConfigError(f"{option} is of Slurm, and tasks run with --executor {executor}; add --executor slurm")
