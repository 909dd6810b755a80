"""A plan as JSON: the numbers of the table, the costs and the warnings, for machines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from dolmino_cli.mix.estimate import Cost, Run
from dolmino_cli.mix.plan import MixPlan, PlannedSource


def plan_json(plan: MixPlan, run: Run | None, cost: Cost, warnings: Sequence[str]) -> str:
    """One object; percents are of 100, unknown numbers null."""
    content = {
        "name": plan.name,
        "scale": plan.scale,
        "tokens": plan.tokens,
        "published_tokens": plan.expected_tokens,
        "sources": [_row(source) for source in plan.sources],
        "groups": [_row(group) for group in plan.groups],
        "run": dataclasses.asdict(run) if run is not None else None,
        "cost": dataclasses.asdict(cost),
        "warnings": list(warnings),
    }
    return json.dumps(content, indent=1)


def _row(source: PlannedSource) -> dict[str, Any]:
    available = source.available
    return {
        "name": source.name,
        "available_tokens": available.tokens if available else None,
        "available_from": available.kind if available else None,
        "source_percent": _number(source.source_percent),
        "tokens": source.tokens,
        "epochs": _number(source.epochs),
        "mix_percent": _number(source.mix_percent),
        "published_mix_percent": _number(source.expected_mix_percent),
    }


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
