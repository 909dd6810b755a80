"""How far a run is, read from its output by a few listings: done, running, failed, left, how fast, and how long it will take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dolmino_cli.errors import ConfigError
from dolmino_cli.executors import failures, manifest
from dolmino_cli.executors.claim import RUN
from dolmino_cli.executors.failures import Failure
from dolmino_cli.executors.leases import EXPIRY_SECONDS, Leases, parsed
from dolmino_cli.executors.leases import FOLDER as LEASES
from dolmino_cli.executors.manifest import Manifest
from dolmino_cli.shards.listed import ages
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.owner import is_gone

# Leases are read one by one to say who has them: as many as a person reads.
MOST_READ = 200
_RATE_OVER_SECONDS = 900.0


@dataclass(frozen=True, kw_only=True)
class Running:
    """A lease (of a task, or to direct a run) and who has it: `seconds` since it was taken, `silent_seconds` since renewed."""

    task: str
    host: str
    seconds: float
    silent_seconds: float

    @property
    def alive(self) -> bool:
        """Was it renewed as it must be?"""
        return self.silent_seconds <= EXPIRY_SECONDS


@dataclass(frozen=True, kw_only=True)
class PhaseStatus:
    """One phase. `tasks` and `left` are None where a phase finds its tasks as it goes; `left` counts neither done nor failed."""

    phase: str
    executor: str
    started: str
    tasks: int | None
    done: int
    running: int
    failed: int
    left: int | None
    tasks_per_hour: float | None
    seconds_left: float | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """Of a run: `state` is done, running, stopped or failed. `running` are at most MOST_READ of the leases."""

    output: str
    state: str
    done: int
    phases: list[PhaseStatus]
    running: list[Running]
    failures: list[Failure]


def read(output: Output) -> Status:
    """Look at a run. Raises ConfigError where none has begun there, StorageError."""
    manifests = manifest.load_all(output)
    recorded = ages(output, "ledger", ".json")
    if not manifests and not recorded and not _is_complete(output):
        raise ConfigError(f"{output.root} holds no run: no tasks are recorded there; give what --output was")
    leases = ages(output, LEASES, ".json")
    failed = [one for name in sorted(failures.names(output)) if (one := failures.recorded(output, name)) is not None]
    running = _running(output, leases)
    listed = {"ledger": recorded}
    phases = [_phase(output, one, leases, failed, listed) for one in manifests]
    alive = any(one.alive for one in running)
    if _is_complete(output) and not (manifests and alive):
        state = "done"
    elif alive:
        state = "running"
    elif failed:
        state = "failed"
    else:
        state = "stopped"
    return Status(output=output.root, state=state, done=len(recorded), phases=phases, running=running, failures=failed)


def _is_complete(output: Output) -> bool:
    """Does its last file say that the run is whole?"""
    data = output.read("run.json")
    if data is None:
        return output.exists("arrays.json")
    try:
        return bool(json.loads(data).get("complete", True))
    except (ValueError, AttributeError):
        return False


def _running(output: Output, leases: Mapping[str, float]) -> list[Running]:
    found = []
    reader = Leases(output)
    for name, silent in sorted(leases.items())[:MOST_READ]:
        holder = reader.holder(name)
        said = parsed(holder)
        if holder is None or is_gone(str(said.get("owner"))):
            continue
        host, since = str(said.get("host", "?")), _seconds_since(str(said.get("since", "")))
        found.append(Running(task=name, host=host, seconds=max(since, 0.0), silent_seconds=max(silent, 0.0)))
    return found


def _phase(
    output: Output,
    said: Manifest,
    leases: Mapping[str, float],
    failed: list[Failure],
    listed: Mapping[str, Mapping[str, float]],
) -> PhaseStatus:
    elapsed = _seconds_since(said.started)
    begun = sum(name.startswith(f"{said.phase}/") for name in leases)
    failures_of_phase = sum(one.phase == said.phase for one in failed)
    if said.folder:
        recorded = listed.get(said.folder) or ages(output, said.folder, ".json")
        done, over = len(recorded), min(_RATE_OVER_SECONDS, elapsed)
        lately = sum(age <= over for age in recorded.values())
    else:
        done, lately, over = said.done, said.done - said.done_before, elapsed - _seconds_since(said.updated)
        begun, failures_of_phase = int(RUN in leases) or begun, max(said.failed, failures_of_phase)
    left = None if said.tasks is None else max(said.tasks - done - failures_of_phase, 0)
    a_second = lately / over if over > 0 and lately else None
    return PhaseStatus(
        phase=said.phase,
        executor=said.executor,
        started=said.started,
        tasks=said.tasks,
        done=done,
        running=begun,
        failed=failures_of_phase,
        left=left,
        tasks_per_hour=None if a_second is None else a_second * 3600,
        seconds_left=None if a_second is None or left is None else left / a_second,
    )


def _seconds_since(moment: str) -> float:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
