"""What `dolmino mix plan` does after parsing: plan, count steps and costs, warn."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from dolmino_cli.cli.console import show
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.estimate import Rates, cost_of, run_of
from dolmino_cli.mix.find_mix import find_mix
from dolmino_cli.mix.manifest import Manifest, load
from dolmino_cli.mix.plan import MixPlan
from dolmino_cli.mix.plan import plan as plan_mix
from dolmino_cli.mix.populations import copies_warning, find_populations, open_arrays, populations, tokenizer_warning
from dolmino_cli.mix.training import Training
from dolmino_cli.report.mix_advice import advice, variant_advice
from dolmino_cli.report.mix_cost import cost_lines
from dolmino_cli.report.mix_json import plan_json
from dolmino_cli.report.mix_table import plan_table, published_total
from dolmino_cli.shards import storage


def run_plan(
    manifest_path: Path,
    *,
    arrays: str | None,
    scale: float,
    against: str | None,
    sequence_length: int | None,
    batch_sequences: int | None,
    steps: int | None,
    repetition_bound: float,
    rates: Rates,
    as_json: bool,
) -> None:
    """Print the table, the costs, the warnings. Raises DolminoError."""
    if math.isnan(repetition_bound):
        raise ConfigError("--repetition-bound nan bounds nothing; give a number of passes, inf for no bound")
    manifest = load(manifest_path)
    opened = open_arrays(manifest, arrays_root=arrays)
    planned = plan_mix(manifest, populations(manifest, opened), scale=scale)
    training = _training(manifest, scale=scale, sequence_length=sequence_length, batch_sequences=batch_sequences, steps=steps)
    run = run_of(planned, training) if training is not None else None
    itemsizes = {source.arrays.numpy_dtype.itemsize for source in opened.values()}
    cost = cost_of(planned, run, rates, token_bytes=max(itemsizes, default=4))
    warnings = list(advice(manifest, planned, run, repetition_bound=repetition_bound))
    if unlike := tokenizer_warning(manifest, opened):
        warnings.append(unlike)
    if copies := copies_warning(opened):
        warnings.append(copies)
    other = against or manifest.against
    if other is not None:
        warnings += variant_advice(_compared(other, arrays=arrays, scale=scale), planned)
    if arrays is not None and not any(source.arrays.root.startswith(f"{arrays.rstrip('/')}/") for source in opened.values()):
        warnings.append(f"no source has token arrays below {arrays}: looked for {storage.join(arrays, 'SOURCE/arrays.json')}")
    if as_json:
        show(plan_json(planned, run, cost, warnings))
        return
    show(plan_table(planned))
    if total := published_total(planned):
        show(total)
    for line in cost_lines(planned, training, run, cost):
        show(line)
    for warning in warnings:
        show(f"warning: {warning}")


def _compared(other: str, *, arrays: str | None, scale: float) -> MixPlan:
    """The plan of the mix that this one is compared with. Raises ConfigError that says whose it is."""
    try:
        manifest = load(find_mix(other))
        return plan_mix(manifest, find_populations(manifest, arrays_root=arrays), scale=scale)
    except ConfigError as error:
        raise ConfigError(f"cannot compare it with {other!r} (`against`): {error}") from None


def _training(
    manifest: Manifest, *, scale: float, sequence_length: int | None, batch_sequences: int | None, steps: int | None
) -> Training | None:
    """The manifest's, with what the command line says instead; at a scale, one epoch, since its steps are those of the whole."""
    training = manifest.training
    if training is None:
        if batch_sequences is None and (sequence_length or steps):
            raise ConfigError("how large a step is, is not known: the manifest has no `training:`; give --batch-sequences")
        training = Training(batch_sequences=batch_sequences) if batch_sequences is not None else None
    if training is None:
        return None
    return dataclasses.replace(
        training,
        sequence_length=sequence_length or training.sequence_length,
        batch_sequences=batch_sequences or training.batch_sequences,
        steps=steps or (training.steps if scale == 1 else None),
    )
