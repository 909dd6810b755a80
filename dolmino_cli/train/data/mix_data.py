"""MixData: what one rank trains on in any step of a run, from the arrays of a mix.

The windows of a step depend on the run's seed and batch only: rank k of any number of ranks takes every world_size-th one.
So a run resumes on another number of GPUs, at any step, without any state but the step's number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.kernels.repetition import windows_repeat
from dolmino_cli.mix.for_training import MixForTraining
from dolmino_cli.mix.parts.remote import CACHE_BYTES, open_parts
from dolmino_cli.mix.sampling.repeated import MAX_PERIOD, MIN_COUNT
from dolmino_cli.mix.tracing.trainer_order import TrainerOrder
from dolmino_cli.mix.windows import windows_of
from dolmino_cli.train.data.read_ahead import read_ahead
from dolmino_cli.train.data.repeating_tokens import repeating_tokens
from dolmino_cli.train.data.step_batch import StepBatch
from dolmino_cli.train.run_file import Run

READ_AHEAD_STEPS = 8
_MOST_SOURCES = 256


class MixData:
    """The batches of data-parallel rank `rank` of `world_size`.

    `vocabulary_size`: ids that the model has an embedding for (None: those of the mix's tokenizer). `cache_dir` (on a disk of
    this machine) and `cache_bytes` are for mixes on S3 (`mix.parts.remote`). Raises ConfigError for a batch that is larger than
    the mix or not divisible by the ranks, and for a cache that is too small.
    """

    def __init__(
        self,
        mix: MixForTraining,
        *,
        run: Run,
        rank: int,
        world_size: int,
        vocabulary_size: int | None = None,
        cache_dir: Path | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        if len(mix.sources) > _MOST_SOURCES:
            raise ConfigError(f"{mix.root} has {len(mix.sources)} sources; training tells apart {_MOST_SOURCES} at most")
        self._mix, self._run, self._rank, self._world_size = mix, run, rank, world_size
        self._length = run.sequence_length
        self._ids_below = min(mix.vocabulary_size, vocabulary_size or mix.vocabulary_size)
        part_windows = windows_of([part.tokens for part in mix.parts], self._length)
        self._first_windows = np.concatenate(([0], np.cumsum(part_windows)))
        self.windows = int(self._first_windows[-1])
        """Of the mix."""
        order = TrainerOrder(windows=self.windows, seed=run.seed, batch_sequences=run.batch_sequences, world_size=world_size)
        self.steps_per_epoch = order.steps_per_epoch
        """Whole steps; the windows left over are not trained on in that epoch."""
        epochs = -(-(run.steps or 1) // order.steps_per_epoch)
        self._order = dataclasses.replace(order, epochs=epochs)
        self.sources = mix.sources
        """Names, by the numbers in `StepBatch.sources_RL`."""
        self._parts = open_parts(mix, cache=cache_dir, cache_bytes=cache_bytes)

    def verify(self, say: Callable[[str], None]) -> None:
        """Once per start, by every rank, before its first step: are the arrays those that the lock names?

        Each rank takes its share, so that together they read everything once; a mix on S3 is fetched meanwhile. Raises DataError
        naming a changed file, on the rank that found it: ranks have to tell each other.
        """
        self._parts.prepare(rank=self._rank, world_size=self._world_size, say=say)

    def windows_of_step(self, step: int) -> npt.NDArray[np.int64]:
        """All ranks' windows of a step (the first is 1), in the batch's order: row r of rank k is number r x world_size + k."""
        return self._order.windows_of_step(step)

    def ahead(self, first: int, last: int, *, depth: int = READ_AHEAD_STEPS) -> Generator[StepBatch, None, None]:
        """The batches of steps `first` to `last`, both included, read by a thread before they are asked for.

        Raises what `step` raises, where that step's batch would have come. close() ends it early.
        """
        return read_ahead(self.step, range(first, last + 1), depth=depth)

    def step(self, step: int) -> StepBatch:
        """This rank's batch of a step (the first is 1): always the same one, from whichever thread, in whichever order.

        Raises DataError, naming file and token, for an id that the model or the tokenizer does not have.
        """
        windows_R = self._order.windows_of_step(step, rank=self._rank)
        rows, length = len(windows_R), self._length
        ids_RL = np.empty((rows, length), np.int32)
        counts_RL = np.ones((rows, length), np.bool_)
        counts_RL[:, 0] = False
        sources_RL = np.empty((rows, length), np.uint8)
        positions_RL = np.empty((rows, length), np.int32) if self._run.loss.document_masking else None
        parts_R = np.searchsorted(self._first_windows, windows_R, side="right") - 1
        numbers_R = windows_R - self._first_windows[parts_R]
        places = list(zip(parts_R.tolist(), numbers_R.tolist(), strict=True))
        ids_R = self._parts.windows([(part, number * length) for part, number in places], length)
        for row, ((part, number), ids_L) in enumerate(zip(places, ids_R, strict=True)):
            ids_RL[row] = self._checked(ids_L, part, number)
            self._mask(counts_RL[row], ids_L, part, number)
            self._place(sources_RL[row], None if positions_RL is None else positions_RL[row], part, number)
        return StepBatch(
            step=step, windows_R=windows_R, ids_RL=ids_RL, counts_RL=counts_RL, sources_RL=sources_RL, positions_RL=positions_RL
        )

    def _checked(self, ids_L: npt.NDArray[np.unsignedinteger], part: int, number: int) -> npt.NDArray[np.unsignedinteger]:
        """The ids. Raises DataError where one is too large: on a GPU it would end the run without a word about data."""
        if int(ids_L.max()) >= self._ids_below:
            at = int((ids_L >= self._ids_below).argmax())
            whose = "tokenizer's" if self._ids_below == self._mix.vocabulary_size else "model's"
            problem = (
                f"token {number * self._length + at:,} is id {ids_L[at]:,}; the {whose} ids are 0 to {self._ids_below - 1:,}"
            )
            raise DataError(f"{problem}; train a model of this tokenizer, or sample the mix again", path=self._mix.path(part))
        return ids_L

    def _mask(self, counts_L: npt.NDArray[np.bool_], ids_L: npt.NDArray[np.unsignedinteger], part: int, number: int) -> None:
        """Take out of `counts_L` what is masked because it repeats itself."""
        masked = self._run.loss.repeated_windows
        if masked == "keep":
            return
        if self._length == self._mix.lock.sequence_length:
            repeats = bool(self._parts.repeated(part)[number])
        else:  # windows of another length are other windows
            repeats = bool(windows_repeat(ids_L, self._length, MAX_PERIOD, MIN_COUNT)[0])
        if repeats:
            counts_L &= False if masked == "instance" else ~repeating_tokens(ids_L)

    def _place(self, sources_L: npt.NDArray[np.uint8], positions_L: npt.NDArray[np.int32] | None, part: int, number: int) -> None:
        """Write the source of every token of a window, and its position in its document as far as the window goes."""
        documents, start = self._parts.documents(part), number * self._length
        first = int(documents.ends.searchsorted(start, side="right"))
        last = int(documents.ends.searchsorted(start + self._length, side="left"))
        ends = np.minimum(documents.ends[first : last + 1] - start, self._length)
        begins = np.concatenate(([0], ends[:-1]))
        lengths = ends - begins
        sources_L[:] = np.repeat(documents.sources[first : last + 1], lengths)
        if positions_L is not None:
            positions_L[:] = np.arange(self._length) - np.repeat(begins, lengths)
