"""What a verb does with `--executor slurm`: submit itself as a job array, wait until that has ended, and say what went wrong."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.cli.console import PLAIN_LINE_EVERY_SECONDS, remark
from dolmino_cli.errors import ConfigError, RunFailed, StorageError
from dolmino_cli.executors import slurm, status
from dolmino_cli.executors.failures import MOST_SHOWN, Failure
from dolmino_cli.executors.slurm import ArrayJob
from dolmino_cli.executors.status import Status
from dolmino_cli.report.amounts import duration
from dolmino_cli.shards.output import Output

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _LOOKING_SHARE = 0.5, 20.0, 0.1
_SUBMISSIONS = 2
_MOST_SILENCE = 20
_ERROR = "dolmino: error: "


def element_command(arguments: Sequence[str], *, without: dict[str, bool]) -> list[str]:
    """This command as elements run it: `arguments` (those of the process, its name first) less the options `without`.

    `without` says of each option whether a value follows it.
    """
    program, *given = arguments
    path = Path(program)
    found = (
        [str(path.absolute())] if path.name == "dolmino" and path.is_file() else [sys.executable, "-m", "dolmino_cli.cli.main"]
    )
    words = iter(given)
    for word in words:
        name, separator, _ = word.partition("=")
        if word in without:
            if without[word]:
                next(words, None)
        elif not (separator and name in without) and not any(_is_short(word, option) for option in without):
            found.append(word)
    return found


def _is_short(word: str, option: str) -> bool:
    """Is it `-w8`?"""
    return len(option) == 2 and word.startswith(option) and word != option


def array_job(
    *,
    verb: str,
    command: Sequence[str],
    output: str,
    workers: int,
    array_size: int | None,
    time_limit: str | None,
    slurm_option: Sequence[str] | None,
    job_folder: str | None,
    memory_bytes_per_worker: int | None,
) -> ArrayJob:
    """The job that was asked for. Raises ConfigError."""
    if array_size is None:
        raise ConfigError("--executor slurm needs --array-size N: how many processes, of --workers CPUs each, divide the run")
    for option in slurm_option or ():
        if not option.startswith("-") or "\n" in option:
            raise ConfigError(f"--slurm-option {option!r}: give an option of sbatch, such as '--partition=cpu'")
    place = Output(output)
    folder = Path(job_folder) if job_folder else Path.home() / ".dolmino/jobs" if place.is_s3 else Path(place.root) / "jobs"
    return ArrayJob(
        name=f"dolmino-{verb.replace(' ', '-')}",
        command=command,
        elements=array_size,
        workers=workers,
        working_folder=Path.cwd(),
        job_folder=folder.absolute(),
        memory_bytes_per_worker=memory_bytes_per_worker,
        time=time_limit,
        options=slurm_option or (),
    )


def run_array(job: ArrayJob, *, output: str, detach: bool) -> bool:
    """Submit the job and, unless told to leave (then False is returned), wait until the run in `output` is done.

    Where all elements have ended and tasks are left that nobody failed at, it is submitted once more. Raises RunFailed.
    """
    script = slurm.write_script(job)
    for last in range(_SUBMISSIONS):
        before = _look(output)
        number = slurm.submit(script)
        remark(
            f"Slurm job {number}: {job.elements:,} x {job.workers} CPUs; script {script}, logs {job.job_folder}/{number}_*.log"
        )
        if detach:
            remark(f"watch it with: dolmino jobs status {output}; stop it with: scancel {number}")
            return False
        after = _wait(number, output, before)
        if after is not None and after.state == "done":
            return True
        progressed = after is not None and (before is None or after.done > before.done)
        failed = _new_failures(before, after)
        if failed or (not progressed and _errors(job.job_folder, number)):
            break  # another try would end as this one
        if last < _SUBMISSIONS - 1:
            remark("Slurm has ended all elements, and tasks are left: submitted once more")
    raise RunFailed(_what_is_wrong(failed, job.job_folder, number, output))


def _wait(number: str, output: str, before: Status | None) -> Status | None:
    """Until Slurm has no element of the job; says on the way what changed. How far the run is then.

    `before`: how far it was when the job was submitted. An earlier run may have been done, of fewer inputs.
    """
    progress = _Progress(what=f"Slurm job {number}", said="", at=0.0)
    pause_seconds, silence = _FIRST_PAUSE_SECONDS, 0
    try:
        while True:
            try:
                there, silence = slurm.elements(number), 0
            except RunFailed:  # a controller that is restarted answers again
                silence += 1
                if silence > _MOST_SILENCE:
                    raise
                time.sleep(_LONGEST_PAUSE_SECONDS)
                continue
            began = time.monotonic()
            found = _look(output)
            if not there:
                return found
            if found is not None and found.state == "done" and not _is_as_before(found, before):
                slurm.cancel_waiting(number)
            states = Counter(one.described for one in there)
            progress.say(", ".join(f"{count} {state}" for state, count in sorted(states.items())), found)
            time.sleep(max(pause_seconds, (time.monotonic() - began) / _LOOKING_SHARE))
            pause_seconds = min(pause_seconds * 1.5, _LONGEST_PAUSE_SECONDS)
    except KeyboardInterrupt:
        remark(f"the job goes on; watch it with: dolmino jobs status {output}; stop it with: scancel {number}")
        raise


@dataclass
class _Progress:
    """Lines on standard error, when something changed, not too often."""

    what: str
    said: str
    at: float

    def say(self, elements: str, found: Status | None) -> None:
        phases = (
            []
            if found is None
            else [
                f"{one.phase} {one.done:,}/{'?' if one.tasks is None else f'{one.tasks:,}'} tasks"
                + (f", {one.failed:,} failed" if one.failed else "")
                + (f", about {duration(one.seconds_left)} left" if one.seconds_left else "")
                for one in found.phases
            ]
        )
        line = "; ".join([f"{self.what}: {elements}", *phases])
        if line != self.said and time.monotonic() - self.at >= PLAIN_LINE_EVERY_SECONDS:
            remark(line)
            self.said, self.at = line, time.monotonic()


def _look(output: str) -> Status | None:
    """How far the run is; None where it has not begun."""
    try:
        return status.read(Output(output))
    except (ConfigError, StorageError):
        return None


def _is_as_before(found: Status, before: Status | None) -> bool:
    """Is it the earlier run that is done, as far as can be seen?"""
    return before is not None and before.state == "done" and found.done <= before.done


def _new_failures(before: Status | None, after: Status | None) -> list[Failure]:
    """Not those of an earlier run that this one did not try again."""
    known = before.failures if before is not None else []
    return [failure for failure in (after.failures if after is not None else []) if failure not in known]


def _what_is_wrong(failures: list[Failure], folder: Path, number: str, output: str) -> str:
    if failures:
        lines = [f"  {one.reason} (on {one.host})" for one in failures[:MOST_SHOWN]]
        if len(failures) > MOST_SHOWN:
            lines.append(f"  and {len(failures) - MOST_SHOWN:,} more: see {output}/failures")
        return "\n".join([f"{len(failures):,} tasks failed; the others are done and skipped on a rerun:", *lines])
    said = _errors(folder, number)
    if not said:
        return f"Slurm has ended all elements of job {number}, and the run is not done; see {folder}/{number}_*.log"
    ended = f"Slurm has ended all elements of job {number}, and the run is not done; they said:"
    return "\n".join([ended, *(f"  {line}" for line in said[:MOST_SHOWN])])


def _errors(folder: Path, number: str) -> list[str]:
    """What elements refused or failed at, each once."""
    texts = [log.read_text(errors="replace") for log in folder.glob(f"{number}_*.log")]
    said = {line.removeprefix(_ERROR) for text in texts for line in text.splitlines() if line.startswith(_ERROR)}
    return sorted(said)
