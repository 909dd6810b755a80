"""What a run is and takes, in rows of a name and a line: for people, before it is started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dolmino_cli.train.planning.devices import Device
from dolmino_cli.train.planning.preflight import Checked
from dolmino_cli.train.planning.sizes import Sizes
from dolmino_cli.train.planning.throughput import Throughput

# LLM-jp's runs reached 39 to 42 %, OLMo-core's published ones 42 to 52 % (training-definitions, 4.1 and 4.2).
ASSUMED_MFU = 0.40


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """The GPUs that a run is planned for; what is None is not known."""

    device: Device | None
    gpu_bytes: int | None
    watts: float | None
    tokens_per_second: float | None
    """Per GPU, as measured."""


def plan_rows(checked: Checked, hosts: Hosts) -> Iterator[tuple[str, str]]:
    """(what, its line) of a checked run."""
    run = checked.run
    yield "run", f"{run.name}, seed {run.seed}" + (f" ({run.reference})" if run.reference else "")
    yield "model", _model(checked)
    yield "mix", _mix(checked)
    if checked.steps is not None:
        yield "steps", _steps(checked, checked.steps)
        yield "learning rate", _learning_rate(checked, checked.steps)
    yield (
        "loss",
        f"z-loss {run.loss.z_loss:g}, over {run.loss.denominator}, repeated windows: {run.loss.repeated_windows}"
        + (", attention within documents" if run.loss.document_masking else ""),
    )
    yield "layout", _layout(checked)
    yield "memory", _memory(checked, hosts)
    if checked.steps is not None:
        yield "time", _time(checked, checked.steps, hosts)
    if checked.sizes is not None:
        yield "storage", _storage(checked, checked.sizes)
    if checked.resumes is not None:
        yield "resumes", f"from step {checked.resumes.step:,} in {run.output}"
    for remark in checked.remarks:
        yield "note", remark


def _storage(checked: Checked, sizes: Sizes) -> str:
    """A checkpoint holds fp32 weights and both moments."""
    saving = checked.run.saving
    exported = (2 if saving.export_dtype == "bf16" else 4) * sizes.parameters if saving.export else 0
    return (
        f"{12 * sizes.parameters / 1e9:,.1f} GB a checkpoint, one every {saving.every_steps:,} steps; the newest {saving.keep}"
        f" and the last are kept, one more is being written; exported model {exported / 1e9:,.1f} GB"
    )


def _model(checked: Checked) -> str:
    run, sizes = checked.run, checked.sizes
    weights = f"random weights of shape {run.shape}" if run.checkpoint is None else run.checkpoint
    weights += f" at {run.revision}" if run.revision else ""
    if sizes is None:
        return weights
    full, causal = (sizes.flops_per_token(run.sequence_length, attention=kind) / 1e9 for kind in ("full", "causal"))
    return f"{weights}: {sizes.parameters:,} parameters, {full:.1f} GFLOP a token (attention halved as causal: {causal:.1f})"


def _mix(checked: Checked) -> str:
    if checked.mix is None:
        return "none given (--mix): what depends on it is not checked"
    mix = checked.mix
    windows = mix.windows(checked.run.sequence_length)
    return f"{mix.lock.manifest.name}: {mix.tokens:,} tokens of {len(mix.sources)} sources, {windows:,} windows"


def _steps(checked: Checked, steps: int) -> str:
    run = checked.run
    tokens = steps * run.batch_tokens
    shape = f"{steps:,} of {run.batch_sequences:,} x {run.sequence_length:,} = {run.batch_tokens:,} tokens: {tokens / 1e9:,.2f}B"
    if checked.mix is None:
        return shape
    return f"{shape}, {steps / (checked.mix.windows(run.sequence_length) // run.batch_sequences):.3f} epochs"


def _learning_rate(checked: Checked, steps: int) -> str:
    run = checked.run
    rate = run.learning_rate
    shown = ", ".join(
        f"step {step:,} {rate.rate(step, steps=steps, batch_tokens=run.batch_tokens):.4e}"
        for step in dict.fromkeys((1, max(1, steps // 2), steps))
    )
    if rate.schedule == "constant":
        return f"{rate.first:.4e}, constant"
    return f"{rate.first:.4e} to {rate.end:g}, linear: {shown}"


def _layout(checked: Checked) -> str:
    run, hardware = checked.run, checked.run.hardware
    accumulated = run.batch_sequences // (checked.gpus * hardware.micro_batch_sequences)
    return (
        f"{checked.gpus:,} GPUs: {hardware.replicas} replica{'s' if hardware.replicas > 1 else ''} x"
        f" {checked.gpus // hardware.replicas} shards; {accumulated} micro-batch{'es' if accumulated > 1 else ''} of"
        f" {hardware.micro_batch_sequences} a step; {hardware.precision}; activation checkpointing:"
        f" {hardware.activation_checkpointing}"
    )


def _memory(checked: Checked, hosts: Hosts) -> str:
    if checked.memory is None:
        return "not known"
    of = (
        f" of {hosts.gpu_bytes / 1e9:,.0f}" if hosts.gpu_bytes is not None else " (give --gpu or --gpu-memory to have it checked)"
    )
    memory = checked.memory
    return (
        f"about {memory.total / 1e9:,.1f} GB a GPU{of}: weights, gradients and moments"
        f" {(memory.states + memory.unsharded_gradients) / 1e9:,.1f}, gathered {memory.gathered / 1e9:,.1f}, activations"
        f" {memory.activations / 1e9:,.1f}, logits {memory.logits / 1e9:,.1f}, rest {memory.outside / 1e9:,.1f}"
    )


def _time(checked: Checked, steps: int, hosts: Hosts) -> str:
    run, device = checked.run, hosts.device
    name = device.name if device is not None else ""
    speeds = Throughput.of(
        checked.config, sequence_length=run.sequence_length, device_name=name, gpus=checked.gpus, watts=hosts.watts
    )
    rate, assumed = hosts.tokens_per_second, ""
    if rate is None:
        if speeds.peak is None or speeds.flops_full is None:
            return "not known; give --tokens-per-second (per GPU), or --gpu for a guess"
        rate, assumed = ASSUMED_MFU * speeds.peak / speeds.flops_full, f" (assumed: {100 * ASSUMED_MFU:.0f} % MFU)"
    first = checked.resumes.step if checked.resumes is not None else 0
    seconds = max(0, steps - first) * run.batch_tokens / (rate * checked.gpus)
    full, causal, energy = speeds.mfu(rate), speeds.mfu(rate, "causal"), speeds.kilowatt_hours(seconds)
    said = f"{seconds / 3600:,.1f} h at {rate:,.0f} tokens/s a GPU{assumed}, {checked.gpus * seconds / 3600:,.0f} GPU-hours"
    if full is not None and causal is not None:
        said += f"; MFU on {name} {100 * full:.1f} % (causal {100 * causal:.1f} %)"
    if energy is not None:
        said += f"; at most {energy:,.0f} kWh ({speeds.watts:,.0f} W a GPU, hosts and cooling not counted)"
    return said
