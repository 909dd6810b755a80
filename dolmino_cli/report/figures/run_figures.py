"""What became of every document of a run: the figures of its waterfall, checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.report.figures.found import RUN_FILE, FoundRun
from dolmino_cli.shards.ledger import imbalance, load_all
from dolmino_cli.shards.storage import Output, join
from dolmino_cli.stages.keep import Expect, Keep


@dataclass(frozen=True, kw_only=True)
class Step:
    """One way to be dropped. What came to it, and bytes of text, are None where the run did not count them."""

    reason: str
    rule: str
    """`dclm_quality >= 0.03311014`; empty where no bound decides."""
    dropped: int
    arrived: int | None
    bytes_dropped: int | None
    all_in: int
    """Readable documents that came to the run's first stage."""
    expect: Expect | None

    @property
    def retention_percent(self) -> float | None:
        """Kept, of what arrived or, where that is what was published, of all; None when nothing arrived."""
        if self.arrived is None:
            return None
        base = self.all_in if self.expect is not None and self.expect.of == "all" else self.arrived
        return 100 * (self.arrived - self.dropped) / base if base else None

    @property
    def is_as_expected(self) -> bool | None:
        """Whether retention lies in the published band; None where there is none, or nothing arrived."""
        got = self.retention_percent
        return None if self.expect is None or got is None else abs(got - self.expect.percent) <= self.expect.within


@dataclass(frozen=True, kw_only=True)
class RunFigures:
    """One run. Where `decided`, records_in = kept + the steps' dropped + quarantined."""

    name: str
    label: str
    source: str
    unit: str
    """What is counted: documents, rows or requests."""
    complete: bool
    decided: bool
    shards: int
    input_bytes: int | None
    records_in: int
    kept: int
    quarantined: int
    text_in_bytes: int | None
    text_kept_bytes: int | None
    steps: tuple[Step, ...]
    keeps: tuple[Keep, ...]
    recipe_sha256: str
    version: str

    @property
    def dropped(self) -> int:
        """By all steps."""
        return sum(step.dropped for step in self.steps)

    @property
    def kept_percent(self) -> float | None:
        """Of all records, the unreadable ones too; None for an empty run."""
        return 100 * self.kept / self.records_in if self.records_in else None


def run_figures(run: FoundRun) -> RunFigures:
    """The figures of `run`; of an unfinished one, those of its finished shards.

    Raises DataError where in = kept + dropped + quarantined does not hold; ConfigError for an unfinished run of another
    verb than `filter` and `score`, whose ledger does not say how far it is.
    """
    summary, path = run.summary, join(run.root, RUN_FILE)
    counts, text = summary["counts"], summary.get("bytes", {})
    if not summary["complete"]:
        if "options" not in summary:
            raise ConfigError(f"{run.root} is an unfinished run (its {RUN_FILE} says so); finish it by running its command again")
        counts, text = _finished(run.root)
    if problem := imbalance(counts):
        raise DataError(f"{problem}: records are lost or counted twice", path=path)
    recipe = summary["recipe"]
    keeps = tuple(msgspec.convert(stage["keep"], Keep) for stage in recipe.get("stages", ()) if "keep" in stage)
    made = "kept" not in counts  # by a generator: what it made is all there is
    source = summary.get("source", "")
    records = counts.get("documents", 0) if made else counts["in"]
    quarantined = counts.get("quarantined", 0)
    profile = f" ({recipe['profile']})" if recipe.get("profile") else ""
    return RunFigures(
        name=f"{recipe.get('name') or source or run.label}{profile}",
        label=run.label,
        source=source,
        unit="requests" if "asked" in summary else "rows" if "sites" in summary else "documents",
        complete=bool(summary["complete"]),
        decided=not made and summary.get("options", {}).get("decide", True),
        shards=summary.get("shards") or len(summary.get("files", ())) or len(summary.get("sites", ())),
        input_bytes=summary.get("input_bytes"),
        records_in=records,
        kept=records if made else counts["kept"],
        quarantined=quarantined,
        text_in_bytes=text.get("text_in"),
        text_kept_bytes=text.get("text_kept"),
        steps=_steps(counts, keeps, records - quarantined),
        keeps=keeps,
        recipe_sha256=summary.get("recipe_sha256", ""),
        version=summary.get("dolmino", ""),
    )


def _steps(counts: dict[str, Any], keeps: tuple[Keep, ...], all_in: int) -> tuple[Step, ...]:
    by_reason = {keep.reason: keep for keep in keeps}
    counted = {step["reason"]: step for step in counts.get("steps", ())}
    steps = []
    for reason, dropped in counts.get("dropped", {}).items():
        keep, step = by_reason.get(reason), counted.get(reason, {})
        steps.append(
            Step(
                reason=reason,
                rule=keep.rule if keep else "",
                dropped=dropped,
                arrived=step.get("documents_in"),
                bytes_dropped=step.get("bytes_dropped"),
                all_in=all_in,
                expect=keep.expect if keep else None,
            )
        )
    return tuple(steps)


def _finished(root: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Counts and bytes of text over the ledger's entries, as run.json has them."""
    plain, dropped, text = Counter[str](), Counter[str](), Counter[str]()
    steps: dict[str, Counter[str]] = {}
    for entry in load_all(Output(root)):
        plain.update({name: value for name, value in entry.counts.items() if isinstance(value, int)})
        dropped.update(entry.counts.get("dropped", {}))
        text.update(entry.bytes)
        for step in entry.counts.get("steps", ()):
            numbers = {name: value for name, value in step.items() if isinstance(value, int)}
            steps.setdefault(step["reason"], Counter()).update(numbers)
    listed = [{"reason": reason, **numbers} for reason, numbers in steps.items()]
    counts: dict[str, Any] = {"in": 0, "kept": 0, "quarantined": 0, **plain, "dropped": dict(dropped)}
    return counts | ({"steps": listed} if listed else {}), dict(text)
