"""A mix against the run and the model that are to be trained on it: ids, tokenizer, windows, epochs. Without torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.for_training import MixForTraining
from dolmino_cli.mix.parts.remote import open_parts
from dolmino_cli.tokenizer.identity import resolve
from dolmino_cli.tokens.arrays import dtype_name
from dolmino_cli.train.planning.model_config import tokenizer_of_run
from dolmino_cli.train.run_file import Run


def check_mix(run: Run, config: dict[str, Any], mix: MixForTraining) -> tuple[int, list[str]]:
    """The run's steps over the mix, and what is allowed and should be known. Raises ConfigError, DataError, StorageError."""
    _check_arrays(mix)
    other_bytes = _check_vocabulary(run, config, mix)
    # Refuses a cache that is too small for a mix on S3.
    cache = Path(run.hardware.cache) if run.hardware.cache else None
    open_parts(mix, cache=cache, cache_bytes=run.hardware.cache_gibibytes << 30)
    steps, remarks = _steps(run, mix)
    return steps, [*other_bytes, *remarks]


def _check_arrays(mix: MixForTraining) -> None:
    wanted = dtype_name(mix.vocabulary_size)
    if mix.lock.dtype != wanted:
        problem = f"arrays of {mix.lock.dtype} for a tokenizer of {mix.vocabulary_size:,} ids, which takes {wanted}"
        raise DataError(f"{problem}; sample the mix again", path=mix.root)
    for number, part in enumerate(mix.parts):
        if part.bytes != part.tokens * mix.dtype.itemsize:
            problem = f"has {part.bytes:,} bytes for {part.tokens:,} tokens of {mix.lock.dtype}"
            raise DataError(
                f"{problem}, which take {part.tokens * mix.dtype.itemsize:,}; sample the mix again", path=mix.path(number)
            )


def _check_vocabulary(run: Run, config: dict[str, Any], mix: MixForTraining) -> list[str]:
    """Every id has a row in the model, and where the checkpoint has a tokenizer it is the mix's, as far as can be told."""
    rows, ids = config.get("vocab_size"), mix.vocabulary_size
    if isinstance(rows, int) and ids > rows:
        raise ConfigError(
            f"the mix's ids are of {mix.tokenizer.name}, 0 to {ids - 1:,}; the model's vocabulary has {rows:,} rows:"
            " retokenize with the model's tokenizer, or give a model of this one"
        )
    path = tokenizer_of_run(run)
    if path is None:
        return []
    own = resolve(str(path), eos_required=False)
    if own.sha256 == mix.tokenizer.sha256:
        return []
    if own.vocabulary_size != ids:
        different = f"{own.vocabulary_size:,} ids, the mix's {mix.tokenizer.name} {ids:,}"
    elif mix.tokenizer.eos_token is not None and own.vocabulary().get(mix.tokenizer.eos_token) != mix.eos_id:
        different = f"no {mix.tokenizer.eos_token!r} as id {mix.eos_id}, what the mix's documents end with"
    else:
        # The lock has a hash of the mix's tokenizer, not its words.
        return [
            f"the checkpoint's tokenizer.json has as many ids as the mix's {mix.tokenizer.name}, but other bytes: is it the same?"
        ]
    raise ConfigError(f"the checkpoint's tokenizer has {different}; retokenize with the model's, or give another checkpoint")


def _steps(run: Run, mix: MixForTraining) -> tuple[int, list[str]]:
    """The run's steps, and what is to be known of its epochs."""
    windows = mix.windows(run.sequence_length)
    epoch = windows // run.batch_sequences
    if epoch == 0:
        raise ConfigError(
            f"the mix has {windows:,} windows of {run.sequence_length:,} tokens, fewer than the {run.batch_sequences:,} of one"
            " step; give a smaller batch_sequences, or a larger mix"
        )
    steps = run.steps if run.steps is not None else epoch
    return steps, list(_of_epochs(run, mix, windows, steps, epoch))


def _of_epochs(run: Run, mix: MixForTraining, windows: int, steps: int, epoch: int) -> Iterator[str]:
    if steps > epoch:
        yield f"{steps:,} steps are {steps / epoch:.2f} epochs of {epoch:,} steps: the mix is seen again, in another order"
    elif (unseen := windows - steps * run.batch_sequences) > 0:
        yield f"{unseen:,} of {windows:,} windows ({100 * unseen / windows:.1f} %) are never seen"
    if run.sequence_length != mix.lock.sequence_length:
        yield (
            f"the mix was sampled for windows of {mix.lock.sequence_length:,} tokens, the run has {run.sequence_length:,}:"
            " repeated windows are looked for anew"
        )
    planned = mix.lock.manifest.training
    if planned is not None:
        start = planned.learning_rate.start if planned.learning_rate is not None else None
        pairs = {
            "batch_sequences": (run.batch_sequences, planned.batch_sequences),
            "sequence_length": (run.sequence_length, planned.sequence_length),
            "steps": (steps, planned.steps),
            "learning rate": (run.learning_rate.first, start),
        }
        if other := [f"{name} {mine:,} ({its:,})" for name, (mine, its) in pairs.items() if its is not None and mine != its]:
            yield f"the mix was planned for another run (in parentheses): {', '.join(other)}"
