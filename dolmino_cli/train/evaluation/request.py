"""An evaluation as it was asked for, refused here where its parts do not go together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError
from dolmino_cli.train.checkpoint_folder import local_output
from dolmino_cli.train.evaluation.harness import Asked
from dolmino_cli.train.evaluation.local_items import LocalItems, read_local


@dataclass(frozen=True, kw_only=True)
class EvalRequest:
    """What `dolmino eval` was called with."""

    checkpoint: str
    tasks: tuple[str, ...]
    output: str | None = None
    final: bool = False
    shots: int | None = None
    limit: int | None = None
    items: str | None = None
    examples: str | None = None
    revision: str | None = None
    batch_size: str = "8"
    device: str | None = None

    def __post_init__(self) -> None:
        if self.final and self.output is None:
            raise ConfigError("--final is recorded in the output folder; give --output DIR, the same one every time")
        if self.examples is not None and self.items is None:
            raise ConfigError("--examples is for a prompt beside --items; give both, or neither")
        if self.batch_size != "auto" and not (self.batch_size.isdigit() and int(self.batch_size) > 0):
            raise ConfigError(f"--batch-size {self.batch_size!r}: write a number of prompts, or auto")
        if len(set(self.tasks)) < len(self.tasks):
            raise ConfigError(f"--task is given twice for one of {', '.join(self.tasks)}; give each once")
        if self.output is not None:
            local_output(self.output)

    def asked(self) -> Asked:
        """What the harness is to do, local items read. Raises ConfigError, DataError."""
        items: LocalItems | None = None
        if self.items is not None:
            items = read_local(Path(self.items), Path(self.examples) if self.examples is not None else None)
        return Asked(tasks=self.tasks, final=self.final, shots=self.shots, limit=self.limit, items=items)

    def decides(self) -> dict[str, Any]:
        """What decides the numbers, beside checkpoint and versions."""
        return {"tasks": list(self.tasks), "final": self.final, "shots": self.shots, "limit": self.limit}
