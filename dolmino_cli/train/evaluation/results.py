"""What an evaluation found, on disk; and the record of every look at items that are held out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dolmino_cli import __version__
from dolmino_cli.errors import StorageError
from dolmino_cli.train.evaluation.harness import TaskResult, harness_versions
from dolmino_cli.train.whole_file import write_whole

FINAL_LOG = "final-evaluations.jsonl"
_MOST_NAME_BYTES = 120


def weights_sha256(files: Mapping[str, str]) -> str:
    """One hash of a checkpoint's weights, from those of its files by name."""
    return hashlib.sha256("".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files.items())).encode()).hexdigest()


def result_name(tasks: Sequence[str], weights: str, *, final: bool, shots: int | None, limit: int | None) -> str:
    """The file of an evaluation in its output folder: another for every checkpoint and for what else decides the numbers, so that
    a trial takes no result's place. A list of tasks too long for a file's name is cut, with a hash in place of the rest."""
    name = "+".join(tasks).replace("/", "_")
    if len(name.encode()) > _MOST_NAME_BYTES:
        name = f"{name.encode()[:_MOST_NAME_BYTES].decode(errors='ignore')}+{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    parts = [name, *(["final"] if final else []), *([f"{shots}-shot"] if shots is not None else [])]
    parts += [f"first-{limit}"] if limit is not None else []
    return ".".join([*parts, weights[:12], "json"])


def record_look(output: Path, *, checkpoint: str, weights: str, tasks: Sequence[str]) -> int:
    """Append to the log that held-out items are about to be asked; how often they were, this time included. Raises StorageError.

    Written before the evaluation, so that one that is stopped counts, too. Lines are only ever added.
    """
    entry = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "checkpoint": checkpoint,
        "weights_sha256": weights,
        "tasks": list(tasks),
        "dolmino": __version__,
    }
    path = output / FINAL_LOG
    try:
        output.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return len(path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}; nothing was evaluated") from None


def write_results(
    path: Path, results: Sequence[TaskResult], *, checkpoint: str, files: Mapping[str, str], asked: Mapping[str, Any]
) -> None:
    """Write the results as JSON, whole or not at all. Raises StorageError."""
    found = {
        "version": 1,
        "dolmino": __version__,
        "with": harness_versions(),
        "checkpoint": {"name": checkpoint, "weights_sha256": weights_sha256(files), "files": dict(files)},
        "asked": dict(asked),
        "results": [asdict(result) for result in results],
    }
    write_whole(path, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
