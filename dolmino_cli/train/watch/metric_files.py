"""MetricFiles: `metrics/steps.jsonl`, a line for every step, and `metrics/readings.jsonl`, a line for every reading."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dolmino_cli.errors import DataError, StorageError


class MetricFiles:
    """Appended to by one process; no step stands in a file twice, whenever the run was killed and wherever it went on."""

    def __init__(self, folder: Path, *, after_step: int) -> None:
        """Go on after `after_step` (0: begin): what stands there of later steps, and a line that was cut off, is removed."""
        self._paths = {name: folder / f"{name}.jsonl" for name in ("steps", "readings")}
        self.steps_before: list[dict[str, Any]] = []
        """The lines of the steps that were kept."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, path in self._paths.items():
                kept = _lines_until(path, after_step)
                if name == "steps":
                    self.steps_before = kept
                partial = path.with_suffix(".partial")
                partial.write_text("".join(_line(line) for line in kept))
                partial.replace(path)
        except OSError as error:
            raise StorageError(f"metrics cannot be written to {folder}: {error.strerror}; make room") from None

    def write(self, steps: Iterable[Mapping[str, Any]], reading: Mapping[str, Any]) -> None:
        """Append the steps since the last reading, and the reading."""
        for name, lines in (("steps", steps), ("readings", [reading])):
            try:
                with self._paths[name].open("a") as file:
                    file.write("".join(_line(line) for line in lines))
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise StorageError(f"{self._paths[name]} cannot be written: {error.strerror}; make room, and run again") from None


def _line(values: Mapping[str, Any]) -> str:
    """NaN and infinities as null: JSON has none."""
    return json.dumps({key: _finite(value) for key, value in values.items()}, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))) else value


def _lines_until(path: Path, last_step: int) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    kept = []
    # As bytes: what a machine that lost its power left at the end need not be text.
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            step = values["step"]
        except (ValueError, KeyError, TypeError):
            if number == len(lines):  # written when the run was killed
                break
            raise DataError("is not a line of metrics; remove it, or the file", path=str(path), line=number) from None
        if step <= last_step:
            kept.append(values)
    return kept
