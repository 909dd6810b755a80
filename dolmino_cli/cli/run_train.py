"""What `dolmino train` does after parsing: read the run, check it, show the plan or train."""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from dolmino_cli.cli.amounts import parse_size
from dolmino_cli.cli.console import PLAIN_LINE_EVERY_SECONDS, remark, show
from dolmino_cli.errors import ConfigError
from dolmino_cli.report.amounts import big_tokens, duration
from dolmino_cli.train.planning.devices import DEVICES, Device, device_named, found_gpu
from dolmino_cli.train.planning.plan import Hosts, plan_rows
from dolmino_cli.train.planning.preflight import check_libraries, preflight
from dolmino_cli.train.planning.shapes import SHAPES
from dolmino_cli.train.planning.sizes import sizes_of
from dolmino_cli.train.read_run import presets, read_run, run_yaml
from dolmino_cli.train.run_file import Run

if TYPE_CHECKING:
    from dolmino_cli.train.watch.readings import Reading


def run_train(
    name: str | None,
    *,
    given: Mapping[str, Any],
    overrides: Sequence[str],
    gpus: int | None,
    gpu: str | None,
    gpu_memory: str | None,
    tokens_per_second: float | None,
    watts: float | None,
    dry_run: bool,
    print_only: bool,
) -> None:
    """Train, or with `dry_run` show the plan. `given` replaces values of the run. Raises DolminoError."""
    if name is None:
        raise ConfigError("no RUN; give a preset's name (`dolmino train --presets` lists them) or the path of a RUN.yaml")
    run = dataclasses.replace(read_run(name, overrides), **given)
    if print_only:
        show(run_yaml(run).rstrip("\n"))
        return
    world_size = _world_size()
    for option, value in (("--gpus", gpus), ("--gpu", gpu), ("--tokens-per-second", tokens_per_second), ("--watts", watts)):
        if value is not None and not dry_run:
            raise ConfigError(f"{option} {value} is for --dry-run; a run takes the processes that torchrun starts, as they are")
    hosts = _hosts(gpu, gpu_memory, tokens_per_second, watts)
    if dry_run:
        checked = preflight(run, gpus=gpus or world_size, gpu_bytes=hosts.gpu_bytes, planning=True)
        for what, line in plan_rows(checked, hosts):
            show(f"{what:<14}{line}")
        show("nothing was written")
        return
    check_libraries(run)
    if int(os.environ.get("RANK", "0")) == 0:
        # Refused once, by one rank; what started the others ends them.
        checked = preflight(run, gpus=world_size, gpu_bytes=hosts.gpu_bytes)
        for line in checked.remarks:
            remark(f"note: {line}")
    _train(run)


def _train(run: Run) -> None:
    from dolmino_cli.train.train import train

    trained = train(run, say=remark, progress=_Progress())
    if trained.stopped_by == "SIGINT":
        raise typer.Exit(130)


class _Progress:
    """A line per reading, at most one a second on a terminal and one in ten elsewhere."""

    def __init__(self) -> None:
        self._said = -math.inf

    def __call__(self, reading: Reading) -> None:
        now = time.monotonic()
        if reading.step < reading.steps and now - self._said < (1.0 if sys.stderr.isatty() else PLAIN_LINE_EVERY_SECONDS):
            return
        self._said = now
        said = [
            f"step {reading.step:,}/{reading.steps:,}",
            f"loss {reading.loss:.4f}",
            f"learning rate {reading.learning_rate:.3e}",
            f"gradient norm {reading.gradient_norm_mean:.3g}",
            f"{reading.tokens_per_second_per_gpu:,.0f} tokens/s a GPU",
        ]
        said += [f"MFU {100 * reading.mfu_full:.1f} %"] if reading.mfu_full is not None else []
        said += [f"at most {reading.kilowatt_hours:,.2f} kWh"] if reading.kilowatt_hours is not None else []
        said += [f"{reading.memory_peak_gib:.1f} GiB"] if reading.memory_peak_gib is not None else []
        said += [f"{reading.left_out_steps} updates left out"] if reading.left_out_steps else []
        said += [f"about {duration(reading.seconds_left)} left"] if reading.step < reading.steps else []
        remark(", ".join(said))


def list_presets() -> None:
    """Print the presets as a table."""
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for column in ("run", "shape", "steps", "batch", "tokens", "learning rate", "seeds"):
        table.add_column(column, justify="right" if column in ("steps", "batch", "tokens") else "left", no_wrap=True)
    references: dict[str | None, list[str]] = {}
    for run in presets():
        references.setdefault(run.reference, []).append(run.name)
        rate, steps = run.learning_rate, run.steps or 0
        table.add_row(
            run.name,
            run.shape,
            f"{steps:,}",
            f"{run.batch_sequences:,} x {run.sequence_length:,}",
            big_tokens(steps * run.batch_tokens),
            f"{rate.first:.5g}" + ("" if rate.schedule == "constant" else f" -> {rate.end:g}"),
            ", ".join(map(str, run.seeds)),
        )
    show(table)
    show("")
    for reference, names in references.items():
        show(f"{', '.join(names)}:\n  {reference}")


def list_shapes() -> None:
    """Print the shapes as a table."""
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for column in ("shape", "parameters", "layers", "width", "inner", "heads", "vocabulary", "positions", "type"):
        table.add_column(column, justify="left" if column in ("shape", "type") else "right", no_wrap=True)
    for name, shape in SHAPES.items():
        sizes, fields = sizes_of(shape.config_json()), shape.fields
        assert sizes is not None
        table.add_row(
            name,
            f"{sizes.parameters:,}",
            str(sizes.layers),
            f"{sizes.width:,}",
            f"{sizes.inner:,}",
            f"{fields['num_attention_heads']}/{fields['num_key_value_heads']}",
            f"{sizes.vocabulary:,}",
            f"{sizes.positions:,}",
            shape.model_type,
        )
    show(table)
    show("")
    for name, shape in SHAPES.items():
        show(f"{name}: {shape.reference}")


def _world_size() -> int:
    text = os.environ.get("WORLD_SIZE", "1")
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"WORLD_SIZE is {text!r} in the environment; start the run with torchrun, or unset it")
    return int(text)


def _hosts(gpu: str | None, gpu_memory: str | None, tokens_per_second: float | None, watts: float | None) -> Hosts:
    """What is known of the GPUs: what the options say, else what this machine has."""
    found = found_gpu() if gpu is None else None
    device = _device(gpu) if gpu is not None else device_named(found.name) if found is not None else None
    of_gpu = found.memory_bytes if found is not None else device.memory_bytes if device is not None else None
    return Hosts(
        device=device,
        gpu_bytes=parse_size("--gpu-memory", gpu_memory) if gpu_memory is not None else of_gpu,
        watts=watts if watts is not None else found.watts if found is not None else None,
        tokens_per_second=tokens_per_second,
    )


def _device(name: str) -> Device:
    device = device_named(name)
    if device is None:
        raise ConfigError(
            f"--gpu {name!r}: dolmino knows {', '.join(known.name for known in DEVICES)}; for others --gpu-memory,"
            " --tokens-per-second and --watts say what a plan needs"
        )
    return device
