"""Prepared: a run as it is before its next step: data, model and moments, begun or brought back from its newest checkpoint."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from dolmino_cli import __version__
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.for_training import MixForTraining, open_mix
from dolmino_cli.train.checkpoint_folder import EXPORTED
from dolmino_cli.train.data.mix_data import MixData
from dolmino_cli.train.model.build import TrainedModel, build
from dolmino_cli.train.model.mix_tokenizer import tokenizer_at_hand
from dolmino_cli.train.model.parallel import make_mesh
from dolmino_cli.train.optimizer import AdamW
from dolmino_cli.train.ranks import Ranks
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.saving.checkpoints import (
    Checkpoint,
    State,
    checkpoint_of,
    checkpoints_of,
    refuse_another_run,
    remove_partial,
)
from dolmino_cli.train.saving.origin import write_origin
from dolmino_cli.train.saving.tensors import load_moments, load_run, tensors_of, trained_weights
from dolmino_cli.train.skip_step import SkipHistory
from dolmino_cli.train.start import Start, start_of
from dolmino_cli.train.step import Stepper


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """All that a step needs, on one rank."""

    run: Run
    output: Path
    ranks: Ranks
    data: MixData
    start: Start
    mix: dict[str, Any]
    """The mix's identity."""
    model: TrainedModel
    optimizer: AdamW
    history: SkipHistory | None
    stepper: Stepper
    steps: int
    """Of the run."""
    steps_done: int
    """Of an earlier start: the checkpoint that this one goes on from."""

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return self.run.learning_rate.rate(step, steps=self.steps, batch_tokens=self.run.batch_tokens)

    def tensors(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return tensors_of(trained_weights(self.model), self.optimizer, self.history)

    def state(self, step: int) -> State:
        """What is said of the checkpoint after a step. Equal on all ranks but for its id, which is rank 0's to write."""
        ran = {"world_size": self.ranks.world_size, "hardware": asdict(self.run.hardware)}
        ran |= {"device": self.ranks.device.type, "dolmino": __version__, "torch": torch.__version__}
        return State(
            id=uuid.uuid4().hex,
            step=step,
            run=self.run.decides(),
            mix=self.mix,
            start=self.start.identity,
            model=self.start.config.to_dict(),
            ran=ran,
        )


def prepare(run: Run, ranks: Ranks, *, say: Callable[[str], None]) -> Prepared:
    """Open what the run names, and bring it to where it stands. All ranks call it.

    Raises ConfigError, among others where the output holds checkpoints of another run; DataError, StorageError.
    """
    if run.mix is None or run.output is None:
        missing = " and ".join(name for name in ("mix", "output") if getattr(run, name) is None)
        raise ConfigError(f"the run has no {missing}; give --{missing.replace(' and ', ' and --')}, or write it into its file")
    output = Path(run.output).expanduser()
    with ranks.together():
        mix = open_mix(run.mix)
    start = start_of(run, ranks)
    with ranks.together():
        data = _data_of(run, mix, start, ranks)
        steps = run.steps or data.steps_per_epoch
        if run.optimizer.warm_in_steps > steps:
            raise ConfigError(f"warm_in_steps is {run.optimizer.warm_in_steps}, more than the run's {steps} steps; lower it")
    newest = _newest(output, run, mix, start, ranks)
    with ranks.together():
        data.verify(say)
    # What fails here does on all ranks alike, or waits for none.
    with ranks.together():
        mesh = make_mesh(run.hardware, ranks.device.type, ranks.world_size)
        model = build(start.config, hardware=run.hardware, mesh=mesh, device=ranks.device)
        optimizer = AdamW(dict(model.hf.named_parameters()), model.layout.embedding.weight, run.optimizer)
        history = SkipHistory(run.optimizer.skip_step, ranks.device) if run.optimizer.skip_step else None
    stepper = Stepper(run, ranks, model, optimizer, history, len(data.sources))
    if newest is not None:
        load_run(newest.folder, trained_weights(model), optimizer, history, ranks)
        say(f"going on after step {newest.step:,} of {steps:,}, from {newest.folder}")
    else:
        start.fill(model)
        _fill_moments(run, stepper, data, say)
    return Prepared(
        run=run,
        output=output,
        ranks=ranks,
        data=data,
        start=start,
        mix=mix.identity,
        model=model,
        optimizer=optimizer,
        history=history,
        stepper=stepper,
        steps=steps,
        steps_done=newest.step if newest else 0,
    )


def _fill_moments(run: Run, stepper: Stepper, data: MixData, say: Callable[[str], None]) -> None:
    """Those of another run, or of the first batches, where the run asks for it."""
    ranks, wanted = stepper.ranks, run.optimizer
    if wanted.moments_from is not None:
        with ranks.together():
            checkpoint = checkpoint_of(Path(wanted.moments_from).expanduser())
        load_moments(checkpoint.folder, stepper.optimizer, ranks)
    if not wanted.warm_in_steps:
        return
    with closing(data.ahead(1, wanted.warm_in_steps)) as batches:
        for _ in range(wanted.warm_in_steps):
            # None waits in a collective for one that cannot read its batch.
            with ranks.together():
                batch = next(batches)
            stepper.warm_in(batch)
    say(f"moments filled with the gradients of the first {wanted.warm_in_steps:,} batches")


def _data_of(run: Run, mix: MixForTraining, start: Start, ranks: Ranks) -> MixData:
    return MixData(
        mix,
        run=run,
        rank=ranks.rank,
        world_size=ranks.world_size,
        vocabulary_size=start.config.get_text_config().vocab_size,
        cache_dir=Path(run.hardware.cache) if run.hardware.cache else None,
        cache_bytes=run.hardware.cache_gibibytes << 30,
    )


def _newest(output: Path, run: Run, mix: MixForTraining, start: Start, ranks: Ranks) -> Checkpoint | None:
    """The checkpoint to go on from, as rank 0 sees it; what killed runs left half-written goes. Raises ConfigError, DataError."""
    folder = ranks.of_first(next((str(each.folder) for each in reversed(checkpoints_of(output))), None))
    with ranks.together():
        newest = checkpoint_of(Path(folder)) if folder is not None else None
        if newest is not None:
            refuse_another_run(newest, run=run.decides(), mix=mix.identity, start=start.identity)
        elif (output / EXPORTED).exists():
            problem = f"{output} holds {EXPORTED}, which a run wrote at its end, and no checkpoints"
            raise ConfigError(f"{problem}; give another --output, or remove what is in it to train again")
        if ranks.first:
            remove_partial(output)
            if newest is None:
                tokenizer = start.files.tokenizer_files if start.files else tokenizer_at_hand(mix.tokenizer)
                write_origin(output, start.files, start.config, tokenizer)
    return newest
