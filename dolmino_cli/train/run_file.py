"""RUN.yaml: everything that decides what a run trains, and how it is run.

`Run.decides()` is what two runs must have in common to be one run: a checkpoint of one is refused by the other. How it is run
(`hardware`, `saving`, `watch`) may differ from one start to the next.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from dolmino_cli.errors import ConfigError
from dolmino_cli.train.learning_rate import LearningRate


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Cross-entropy plus `z_loss` times the squared log-sum-exp of the logits, per target."""

    z_loss: float = 1e-5
    """OLMo 2's configs and paper Table 1 say 1e-5; the 1B, 7B and 13B ran with 1e-4 (training-definitions, 0.1)."""

    denominator: Literal["targets", "tokens", "counted"] = "targets"
    """What the sums are divided by. `targets`: all targets of the batch, masked ones too (OLMo-core). `tokens`: all its tokens,
    one more per window (allenai/OLMo, train.py:785). `counted`: its targets that are not masked, as transformers does."""

    repeated_windows: Literal["instance", "span", "keep"] = "instance"
    """Of windows that repeat an n-gram of 1 to 13 tokens 32 times or more: mask all of their targets (OLMo), the repeating ones,
    or none."""

    document_masking: bool = False
    """Attention within documents only. None of OLMo 2's runs, nor LLM-jp's, had it."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.z_loss) and self.z_loss >= 0):
            raise ConfigError(f"z_loss is {self.z_loss}; it must be 0 or more")


@dataclass(frozen=True, kw_only=True)
class SkipStep:
    """Leave out the update of a step whose loss or gradient norm lies `sigmas` standard deviations above the mean of the last
    `window` steps (OLMo-core, SkipStepAdamW: the 32B)."""

    window: int = 128
    sigmas: float = 6.0

    def __post_init__(self) -> None:
        if self.window < 2 or not self.sigmas > 0:
            raise ConfigError(f"skip_step has window {self.window}, sigmas {self.sigmas}; a window is 2 or more, sigmas above 0")


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """Fused AdamW; every weight is decayed but the input embedding, norms and head as well (OLMo 2 as run)."""

    betas: tuple[float, ...] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.1
    decay_embeddings: bool = False
    clip_norm: float = 1.0
    """The gradient's global norm is cut to this."""

    warm_in_steps: int = 0
    """Fill fresh moments with the gradients of the first so many batches, at rate 0, before step 1."""

    moments_from: str | None = None
    """A checkpoint folder of another run of dolmino, whose moments this run starts with."""

    skip_step: SkipStep | None = None

    def __post_init__(self) -> None:
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas is {list(self.betas)}; it must be two numbers from 0 to below 1")
        if not (self.eps > 0 and self.weight_decay >= 0 and self.clip_norm > 0):
            raise ConfigError(
                f"eps is {self.eps}, weight_decay {self.weight_decay}, clip_norm {self.clip_norm}; eps and clip_norm must be"
                " more than 0, weight_decay 0 or more"
            )
        if self.warm_in_steps < 0 or (self.warm_in_steps and self.moments_from is not None):
            raise ConfigError(f"warm_in_steps is {self.warm_in_steps}; it must be 0 or more, and 0 beside moments_from")


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """How a run is laid out on GPUs. Changes the last bits of the numbers, and nothing else."""

    micro_batch_sequences: int = 1
    """Windows that a GPU holds at once; what is left of its share of the batch is accumulated."""

    precision: Literal["bf16", "fp32"] = "bf16"
    """Of the arithmetic. Weights and moments are kept, and gradients reduced, in fp32."""

    replicas: int = 1
    """Copies of the model (HSDP), each sharded over GPUs of its own. Commonly the number of nodes."""

    activation_checkpointing: Literal["none", "selective", "full"] = "none"
    compile: bool = True
    """torch.compile every block; not on a CPU."""

    head_chunk_tokens: int = 4096
    """Logits exist for so many tokens at once."""

    reduce_every_micro_batch: bool = True
    """False: gradients are accumulated unsharded and reduced once a step, which is faster over slow networks and takes 4 bytes a
    weight on every GPU."""

    cache: str | None = None
    """Folder on a disk of each machine, for mixes on S3. None: `mixes` in dolmino's cache folder."""

    cache_gibibytes: int = 64
    """What may lie in it. A mix that fits is fetched whole; of a larger one its documents, and windows as they are needed."""

    def __post_init__(self) -> None:
        for name in ("micro_batch_sequences", "replicas", "head_chunk_tokens", "cache_gibibytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")


@dataclass(frozen=True, kw_only=True)
class Saving:
    """Checkpoints: written beside the training, complete or not there at all."""

    every_steps: int = 1000
    keep: int = 2
    """The newest so many; one written at the end of the run is kept besides."""

    export: bool = True
    """Write a Hugging Face checkpoint at the end of the run."""

    export_dtype: Literal["bf16", "fp32"] = "bf16"

    def __post_init__(self) -> None:
        if self.every_steps < 1 or self.keep < 1:
            raise ConfigError(f"every_steps is {self.every_steps} and keep {self.keep}; both must be at least 1")


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is measured, how often, and what ends a run that hangs."""

    every_steps: int = 10
    """Metrics are read from the GPU, and written, so often: the only time that the host waits for it."""

    timeout_seconds: int = 1800
    """A run that makes no step for so long says where it stands, and ends."""

    collect_garbage_every_steps: int = 1000
    tensorboard: bool = False
    wandb_project: str | None = None

    def __post_init__(self) -> None:
        for name in ("every_steps", "timeout_seconds", "collect_garbage_every_steps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run: `steps` steps of `batch_sequences` windows of a mix, from a checkpoint, into `output`.

    Presets leave `mix`, `checkpoint` and `output` to the command line or to your copy.
    """

    name: str
    batch_sequences: int
    steps: int | None
    """None (`steps: null`): one epoch."""
    learning_rate: LearningRate
    seed: int
    """Of the order of the windows, and of random weights."""
    seeds: tuple[int, ...] = ()
    """Those of the runs that are averaged, `seed` among them: what `--seed` is for."""
    reference: str | None = None
    """Where the numbers come from."""
    sequence_length: int = 4096
    shape: str | None = None
    """A shape of dolmino's (`dolmino train --shapes`): what `checkpoint` must have, and what is built without one."""
    checkpoint: str | None = None
    """Hub id, folder of save_pretrained, or checkpoint folder of a run of dolmino. None: random weights of `shape`."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    mix: str | None = None
    """Folder or S3 prefix of a mix that `dolmino sample` wrote."""
    output: str | None = None
    """Local or shared folder for checkpoints, metrics and the exported model."""
    loss: Loss = field(default_factory=Loss)
    optimizer: Optimizer = field(default_factory=Optimizer)
    hardware: Hardware = field(default_factory=Hardware)
    saving: Saving = field(default_factory=Saving)
    watch: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        for name in ("batch_sequences", "steps", "sequence_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; it must be 0 or more")
        if self.sequence_length < 2:
            raise ConfigError(f"sequence_length is {self.sequence_length}; it must be at least 2: a token and its target")

    @property
    def batch_tokens(self) -> int:
        """Tokens per step."""
        return self.batch_sequences * self.sequence_length

    def decides(self) -> dict[str, Any]:
        """What makes the run this run, by name; paths do not (the mix and the weights are known by their hashes)."""
        decided = dataclasses.asdict(self)
        for name in ("name", "seeds", "reference", "mix", "output", "checkpoint", "revision", "hardware", "saving", "watch"):
            del decided[name]
        decided["precision"] = self.hardware.precision
        return decided
