"""Tasks that failed: a record of each in the output, `failures/<task>.json`, and what a run says about them at its end."""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from dolmino_cli.errors import DolminoError, RunFailed
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.storage import list_names

FOLDER = "failures"
MOST_DEATHS = 3
MOST_SHOWN = 20


class WorkersKilled(RunFailed):
    """A task that was given up, because every worker that did it was killed."""

    def __init__(self, task: str, *, deaths: int, how: str) -> None:
        self.task, self.deaths, self.how = task, deaths, how
        super().__init__(f"{task}: killed its worker {deaths} times ({how}; out of memory?)")

    def __reduce__(self) -> tuple[object, ...]:
        return (_workers_killed, (self.task, self.deaths, self.how))


def _workers_killed(task: str, deaths: int, how: str) -> WorkersKilled:
    return WorkersKilled(task, deaths=deaths, how=how)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A task that failed and has not succeeded since. `at` is UTC, ISO 8601; `tries` counts runs that tried it in vain."""

    task: str
    phase: str
    reason: str
    host: str
    at: str
    tries: int


def note(output: Output, *, task: str, phase: str, reason: str) -> Failure:
    """Record that `task` failed, now and on this machine; a later failure takes the earlier one's place. Raises StorageError."""
    before = recorded(output, task)
    failure = Failure(
        task=task,
        phase=phase,
        reason=reason,
        host=socket.gethostname(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        tries=before.tries + 1 if before is not None and before.phase == phase else 1,
    )
    output.put(_file(task), (json.dumps(asdict(failure), indent=1, ensure_ascii=False) + "\n").encode())
    return failure


def recorded(output: Output, task: str) -> Failure | None:
    """The record of `task`, or None where it has not failed or the record cannot be read. Raises StorageError."""
    data = output.read(_file(task))
    try:
        return None if data is None else Failure(**json.loads(data))
    except (ValueError, TypeError):
        return None


def names(output: Output) -> set[str]:
    """The tasks that have a record: one listing. Raises StorageError."""
    return {name.removesuffix(".json") for name in list_names(output.path(FOLDER), ".json")}


def by_whole(names: Iterable[str]) -> dict[str, list[str]]:
    """Tasks by themselves and by each that they are part of, as `a/1` is of `a`."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        steps = name.split("/")
        for count in range(1, len(steps) + 1):
            found["/".join(steps[:count])].append(name)
    return found


def forget(output: Output, task: str) -> None:
    """Remove the record of a task that succeeded. Raises StorageError."""
    output.delete(_file(task))


def raise_all(failures: Sequence[DolminoError], *, tried: int, what: str, output: Output | None = None) -> None:
    """At the end of a run: raise what failed, if anything did. One failure as it is; several as RunFailed with a line each."""
    if len(failures) == 1:
        raise failures[0]
    if not failures:
        return
    lines = [f"  {failure}" for failure in failures[:MOST_SHOWN]]
    if len(failures) > MOST_SHOWN:
        where = f": all are in {output.path(FOLDER)}" if output is not None else ""
        lines.append(f"  and {len(failures) - MOST_SHOWN:,} more{where}")
    said = f"{len(failures):,} of {tried:,} {what} failed; the others are done and skipped on a rerun:"
    raise RunFailed("\n".join([said, *lines]))


def _file(task: str) -> str:
    return f"{FOLDER}/{task}.json"
