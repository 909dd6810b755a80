"""What a microanneal gave: its mix as sampled, its losses as trained, its scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import DataError
from dolmino_cli.mix.lock import Lock
from dolmino_cli.mix.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A line of the sweep's table."""

    name: str
    tokens: int
    web: str | None
    """The source that fills up; None where no source is one."""
    judged_percent: float
    """What of the mix's tokens is not of the web."""
    passes: dict[str, float]
    """Over each other source."""
    steps: int
    loss: float
    """Of the last reading, in nats."""
    loss_by_source: dict[str, float | None]
    scores: dict[str, float]


def outcome_of(manifest: Manifest, lock: Lock, metrics: Path, scores: Mapping[str, float]) -> Outcome:
    """Read what the steps left. `metrics` is the training's folder of them. Raises DataError."""
    last = _last_reading(metrics / "readings.jsonl")
    web = web_of(manifest)
    others = {name: source for name, source in lock.sources.items() if name != web}
    tokens = sum(source.taken_tokens for source in lock.sources.values())
    return Outcome(
        name=manifest.name,
        tokens=tokens,
        web=web,
        judged_percent=100 * sum(source.taken_tokens for source in others.values()) / tokens,
        passes={name: source.taken_tokens / source.tokens for name, source in others.items()},
        steps=int(last["step"]),
        loss=float(last["loss"]),
        loss_by_source=dict(last["loss_by_source"]),
        scores=dict(scores),
    )


def web_of(manifest: Manifest) -> str | None:
    """The one source that is given as a part of the mix, as `dolmino microanneal plan` writes it."""
    filling = [name for name, source in manifest.sources.items() if source.mix_percent is not None]
    return filling[0] if len(filling) == 1 else None


def _last_reading(path: Path) -> dict[str, Any]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return dict(json.loads(lines[-1]))
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"has no reading of the run ({error}); train it again", path=str(path)) from None
