"""Saver: checkpoints are copied to the host, and written from there while the training goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

from dolmino_cli.errors import StorageError
from dolmino_cli.train.ranks import Ranks
from dolmino_cli.train.run_file import Saving
from dolmino_cli.train.saving.checkpoints import PARTIAL, State, folder_of, publish, remove_old
from dolmino_cli.train.saving.tensors import cause_of


@dataclass(frozen=True, kw_only=True)
class _Begun:
    written: Future[Any]
    partial: Path
    state: State


class Saver:
    """Writes at most one checkpoint at a time: the next begins when the one before is whole."""

    def __init__(self, output: Path, ranks: Ranks, settings: Saving, *, final_step: int, say: Callable[[str], None]) -> None:
        self._output, self._ranks, self._settings, self._final_step = output, ranks, settings, final_step
        self._say = say
        self._begun: _Begun | None = None
        cuda = ranks.device.type == "cuda"
        # Training goes on when the copy is made: its host memory is pinned, and kept from one checkpoint to the next.
        self._stager = DefaultStager(
            StagingOptions(use_pinned_memory=cuda, use_shared_memory=False, use_async_staging=False, use_non_blocking_copy=cuda)
        )

    def begin(self, tensors: dict[str, Any], state: State) -> None:
        """Copy the tensors, and write them from a thread. All ranks call it at the same step, after finish()."""
        assert self._begun is None
        partial = folder_of(self._output, state.step)
        partial = partial.with_name(partial.name + PARTIAL)
        written = dcp.async_save(
            tensors,
            storage_writer=dcp.FileSystemWriter(partial),
            process_group=self._ranks.saving_group,
            async_stager=self._stager,
        )
        self._begun = _Begun(written=written, partial=partial, state=state)

    def look(self) -> None:
        """Publish a checkpoint that has been written meanwhile. Raises StorageError."""
        if self._begun is not None and self._begun.written.done():
            self.finish()

    def finish(self) -> None:
        """Wait until the checkpoint that was begun, if any, is whole. Raises StorageError."""
        if self._begun is None:
            return
        begun, self._begun = self._begun, None
        try:
            begun.written.result()
        except (Exception, CheckpointException) as error:  # noqa: BLE001 - torch's is no Exception
            raise StorageError(
                f"checkpoint {begun.partial} cannot be written: {cause_of(error)}; make room, and run again"
            ) from None
        # Done on rank 0 is written on all: it gathers what they wrote before it writes the metadata.
        if self._ranks.first:
            publish(begun.partial, begun.state)
            remove_old(self._output, keep=self._settings.keep, final_step=self._final_step)
            self._say(f"checkpoint of step {begun.state.step:,} written")

    def close(self) -> None:
        """Free the host memory; a checkpoint that was not finished stays partial."""
        self._stager.close()
