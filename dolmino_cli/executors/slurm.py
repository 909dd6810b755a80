"""A run as a Slurm job array: each element runs the same command line with --shard I/N. Slurm starts and requeues; that is all.

job = ArrayJob(command=["dolmino", "filter", ...], elements=100, workers=8, ...)
number = submit(job)                 # writes the script, for a person to read and to submit again, and calls sbatch
elements(number)                     # those that Slurm still has, and in which state
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.errors import ConfigError, RunFailed
from dolmino_cli.shards.failures import storage_errors

_PATIENCE_SECONDS = 60
_NUMBER = re.compile(r"(\d+)(;.*)?\Z")


@dataclass(frozen=True, kw_only=True)
class ArrayJob:
    """What is asked of Slurm: `elements` processes of `workers` CPUs, each on one node."""

    name: str
    command: Sequence[str]
    """Without options that say where tasks run; a share is added to it."""
    elements: int
    workers: int
    working_folder: Path
    job_folder: Path
    """For the script and the elements' logs: a folder that all nodes see."""
    memory_bytes_per_worker: int | None = None
    time: str | None = None
    options: Sequence[str] = ()
    """More options of sbatch, such as `--partition=cpu`."""

    def script(self) -> str:
        """What sbatch is given."""
        memory = []
        if self.memory_bytes_per_worker is not None:
            memory = [f"--mem={-(-self.memory_bytes_per_worker * self.workers // 2**20)}M"]
        options = [
            f"--job-name={self.name}",
            f"--array=0-{self.elements - 1}",
            "--nodes=1",
            "--ntasks=1",
            f"--cpus-per-task={self.workers}",
            *memory,
            *([f"--time={self.time}"] if self.time else []),
            "--requeue",
            "--open-mode=append",
            f"--chdir={_quoted(self.working_folder)}",
            f"--output={_quoted(self.job_folder / '%A_%a.log')}",
            "--export=ALL",
            *self.options,
        ]
        share = f"--shard $SLURM_ARRAY_TASK_ID/{self.elements} --workers {self.workers}"
        return "\n".join(
            [
                "#!/bin/bash",
                f"# {self.elements} processes divide one run among them. One that is requeued, or submitted again, goes on where",
                "# the run is; how many of them run at once, and how often, changes nothing in what is written.",
                "# Credentials are not in here: the environment of sbatch is passed on (--export=ALL).",
                *(f"#SBATCH {option}" for option in options),
                f"exec {shlex.join(self.command)} {share}",
                "",
            ]
        )


def _quoted(path: Path) -> str:
    """As sbatch reads it in a script's options."""
    text = str(path)
    return f'"{text}"' if any(character.isspace() for character in text) else text


@dataclass(frozen=True, kw_only=True)
class Element:
    """One element that Slurm has: its state (`RUNNING`, `PENDING`) and why it waits."""

    id: str
    state: str
    reason: str

    @property
    def described(self) -> str:
        """Such as `running` and `pending (Resources)`."""
        return self.state.lower() + ("" if self.reason == "None" else f" ({self.reason})")


def write_script(job: ArrayJob) -> Path:
    """Write the script under the next free number in the job folder. Raises StorageError."""
    with storage_errors("write", str(job.job_folder)):
        job.job_folder.mkdir(parents=True, exist_ok=True)
        number = 1 + max((int(path.stem) for path in job.job_folder.glob("*.sbatch") if path.stem.isdigit()), default=0)
        while True:
            path = job.job_folder / f"{number:03d}.sbatch"
            try:
                with path.open("x") as file:
                    file.write(job.script())
                return path
            except FileExistsError:  # of another command, since the folder was listed
                number += 1


def submit(script: Path) -> str:
    """Submit the script; returns the job's number. Raises ConfigError where there is no Slurm, RunFailed where it refuses."""
    answer = _slurm("sbatch", "--parsable", str(script))
    found = _NUMBER.match(answer.stdout.strip())
    if answer.returncode or found is None:
        raise RunFailed(f"sbatch does not take {script}: {_said(answer)}; see its options with --dry-run")
    return found.group(1)


def elements(number: str) -> list[Element]:
    """The elements of a job that have not ended; of those that wait, one may stand for many. Raises RunFailed."""
    answer = _slurm("squeue", "--noheader", f"--jobs={number}", "--format=%i|%T|%r")
    if answer.returncode:
        if "Invalid job id" in answer.stderr:  # Slurm has forgotten it
            return []
        raise RunFailed(f"squeue: {_said(answer)}")
    rows = [line.strip().split("|", 2) for line in answer.stdout.splitlines() if line.count("|") >= 2]
    return [Element(id=id, state=state, reason=reason) for id, state, reason in rows]


def cancel_waiting(number: str) -> None:
    """Take back the elements of a job that have not begun. Where Slurm does not do it, they begin and find nothing to do."""
    with suppress(RunFailed):  # it did not answer: no reason for a run that is done to fail
        _slurm("scancel", "--state=PENDING", number)


def _slurm(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program)
    if found is None:
        raise ConfigError(
            f"--executor slurm: there is no {program} on this machine; run the command on a login node of the cluster, or start "
            "it N times by any other batch system, with --shard I/N"
        )
    try:
        return subprocess.run(
            [found, *arguments], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        raise RunFailed(f"{program} did not answer in {_PATIENCE_SECONDS} s") from None


def _said(answer: subprocess.CompletedProcess[str]) -> str:
    return " ".join((answer.stderr or answer.stdout).split()) or f"exit code {answer.returncode}"
