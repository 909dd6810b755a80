"""What a run asks for, checked before any GPU is touched: without torch, in one line per refusal."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, MissingExtra
from dolmino_cli.mix.for_training import MixForTraining, open_mix
from dolmino_cli.train.planning.check_mix import check_mix
from dolmino_cli.train.planning.memory import Memory, memory_of
from dolmino_cli.train.planning.model_config import config_of_run
from dolmino_cli.train.planning.shapes import unlike
from dolmino_cli.train.planning.sizes import Sizes, sizes_of
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.saving.checkpoints import Checkpoint, checkpoint_of, checkpoints_of, refuse_another_run


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A run that may start, and what was found on the way."""

    run: Run
    gpus: int
    config: dict[str, Any]
    sizes: Sizes | None
    """None for a model of a family that is not counted."""
    mix: MixForTraining | None
    """None only where a dry run may do without."""
    steps: int | None
    """Of the run; None where they are one epoch of a mix that is not there yet."""
    memory: Memory | None
    resumes: Checkpoint | None
    """What the run goes on from."""
    remarks: tuple[str, ...]
    """What is allowed and should be known."""


def preflight(run: Run, *, gpus: int, gpu_bytes: int | None = None, planning: bool = False) -> Checked:
    """Refuse what cannot run on `gpus` GPUs of `gpu_bytes` each (None: not known, and memory is not checked).

    `planning`: mix and output may be missing; what does not depend on them is checked. Raises ConfigError, DataError,
    StorageError, MissingExtra.
    """
    if not planning:
        check_libraries(run)
    resumes = _check_output(run, planning)
    if resumes is None and run.optimizer.moments_from is not None:
        checkpoint_of(Path(run.optimizer.moments_from).expanduser())
    config = config_of_run(run)
    _check_model(run, config)
    _check_batch(run, gpus)
    mix = open_mix(run.mix) if run.mix is not None else None
    if mix is None and not planning:
        raise ConfigError("no mix; give --mix DIR_OR_S3 (or `mix:` in the file), a folder that `dolmino sample` wrote")
    steps, remarks = run.steps, list[str]()
    if mix is not None:
        steps, remarks = check_mix(run, config, mix)
    if resumes is not None and mix is not None:
        refuse_another_run(resumes, run=run.decides(), mix=dict(mix.identity), start=None)
        if steps is not None and resumes.step >= steps:
            remarks.append(f"{resumes.folder} is step {resumes.step:,} of {steps:,}: all steps are done")
    if run.checkpoint is None:
        remarks.append("no --checkpoint: the run begins with random weights")
    remarks += [
        f"the model's config has {key} {value}; a run of dolmino has no dropout, and is made without it"
        for key, value in config.items()
        if key.endswith(("dropout", "pdrop")) and isinstance(value, int | float) and value > 0
    ]
    sizes = sizes_of(config)
    memory = memory_of(sizes, run.hardware, sequence_length=run.sequence_length, gpus=gpus) if sizes else None
    if sizes is None:
        remarks.append(f"models of type {config.get('model_type')!r} are not counted: parameters, memory and MFU stay blank")
    if memory is not None and gpu_bytes is not None and memory.total > gpu_bytes:
        raise ConfigError(_too_little(run, memory, gpus, gpu_bytes))
    return Checked(
        run=run,
        gpus=gpus,
        config=config,
        sizes=sizes,
        mix=mix,
        steps=steps,
        memory=memory,
        resumes=resumes,
        remarks=tuple(remarks),
    )


def check_libraries(run: Run | None, needed_for: str = "`dolmino train`") -> None:
    """Raise MissingExtra for what a run (None: an export) needs and is not installed. Nothing is imported."""
    wanted = [("torch", "train"), ("transformers", "train"), ("safetensors", "train")]
    if run is not None:
        wanted += [("tensorboard", "tracking")] if run.watch.tensorboard else []
        wanted += [("wandb", "tracking")] if run.watch.wandb_project is not None else []
    for library, extra in wanted:
        if importlib.util.find_spec(library) is None:
            raise MissingExtra(library, extra=extra, needed_for=needed_for)


def _check_output(run: Run, planning: bool) -> Checkpoint | None:
    """The newest checkpoint that is there already, if any."""
    if run.output is None:
        if planning:
            return None
        raise ConfigError(
            "no output; give --output DIR (or `output:` in the file) for checkpoints, metrics and the exported model"
        )
    if "://" in run.output:
        raise ConfigError(f"output {run.output!r} is remote; give a local or shared folder: checkpoints are renamed when whole")
    folder = Path(run.output).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"output {run.output!r} is a file; give a folder")
    found = checkpoints_of(folder)
    return found[-1] if found else None


def _check_model(run: Run, config: dict[str, Any]) -> None:
    if run.shape is not None and run.checkpoint is not None and (different := unlike(run.shape, config)):
        raise ConfigError(
            f"checkpoint {run.checkpoint!r} is not of shape {run.shape}: {'; '.join(different)}. Give one that is, or"
            " --set shape=null to train this one"
        )
    if "quantization_config" in config:
        raise ConfigError(f"checkpoint {run.checkpoint!r} is quantized; give the checkpoint that it was made from")
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and run.sequence_length > positions:
        raise ConfigError(
            f"sequence_length is {run.sequence_length:,}, the model's max_position_embeddings {positions:,};"
            f" give {positions:,} or less, or a model for longer sequences"
        )


def _check_batch(run: Run, gpus: int) -> None:
    batch, micro, replicas = run.batch_sequences, run.hardware.micro_batch_sequences, run.hardware.replicas
    if gpus % replicas:
        divisors = ", ".join(str(n) for n in range(1, gpus + 1) if gpus % n == 0)
        raise ConfigError(f"hardware.replicas is {replicas}, which does not divide {gpus} GPUs; it can be {divisors}")
    at_once = gpus * micro
    if batch % at_once == 0:
        return
    ways = [f"batch_sequences {below:,}"] if (below := batch // at_once * at_once) else []
    ways.append(f"batch_sequences {(batch // at_once + 1) * at_once:,}")
    if batch % gpus == 0:
        fitting = [str(n) for n in range(1, micro) if batch % (gpus * n) == 0]
        ways.insert(0, f"hardware.micro_batch_sequences {' or '.join(fitting[-3:])}")
    fewer = max((n for n in range(1, gpus) if batch % (n * micro) == 0), default=0)
    ways += [f"{fewer} GPU{'s' if fewer > 1 else ''}"] if fewer else []
    raise ConfigError(
        f"batch_sequences {batch:,} is not divisible by {gpus} GPUs x micro-batches of {micro} = {at_once:,};"
        f" possible: {', '.join(ways)}"
    )


def _too_little(run: Run, memory: Memory, gpus: int, gpu_bytes: int) -> str:
    shown = {
        "weights, gradients, moments": memory.states + memory.unsharded_gradients,
        "gathered weights": memory.gathered,
        "activations": memory.activations,
        "logits": memory.logits,
        "the rest": memory.outside,
    }
    ways = ["more GPUs"] if gpus == 1 else [f"more GPUs per replica than {gpus // run.hardware.replicas}"]
    ways += ["a smaller hardware.micro_batch_sequences"] if run.hardware.micro_batch_sequences > 1 else []
    ways += ["hardware.activation_checkpointing full"] if run.hardware.activation_checkpointing != "full" else []
    held = ", ".join(f"{what} {size / 1e9:.0f}" for what, size in shown.items())
    return (
        f"about {memory.total / 1e9:.0f} GB are needed on each GPU ({held}), it has {gpu_bytes / 1e9:.0f}; use"
        f" {', or '.join(ways)}; or give a larger --gpu-memory if you know better than this estimate"
    )
