"""A signal to one rank ends all of them after the same step, with a checkpoint; the run goes on from there."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, DataError, StorageError
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.saving.checkpoints import checkpoints_of
from tests.train.launched import finish, launch, run_ranks
from tests.train.tiny import step_lines, tiny_run, train_all


def train_signalled(run: Run, failing: dict[str, Run], said: Path) -> None:
    """One rank's work: rank 1 gets SIGUSR1 as it makes step 5. Then runs in which rank 1 alone cannot do something."""
    import torch.distributed.checkpoint as dcp

    from dolmino_cli.train import loop
    from dolmino_cli.train.data.mix_data import MixData
    from dolmino_cli.train.ranks import joined_ranks
    from dolmino_cli.train.saving import output
    from dolmino_cli.train.train import train

    make_step, read_step, read_metadata = loop.Loop._step, MixData.step, dcp.FileSystemReader.read_metadata
    second = os.environ["RANK"] == "1"
    doing = "signal"

    def step(self: Any, batch: Any) -> None:
        if doing == "signal" and batch.step == 5 and second:
            os.kill(os.getpid(), signal.SIGUSR1)
        make_step(self, batch)

    def read(self: Any, step: int) -> Any:
        if (doing, step) in (("step", 4), ("warm-in", 2)) and second:
            raise DataError("is damaged", path="part-00000.npy")
        return read_step(self, step)

    def metadata(self: Any) -> Any:
        if doing == "checkpoint" and second:
            raise OSError("stale file handle")
        return read_metadata(self)

    loop.Loop._step, MixData.step, dcp.FileSystemReader.read_metadata = step, read, metadata  # type: ignore[method-assign]
    output._PATIENCE_SECONDS = 0
    remarks: list[str] = []
    failed = {}
    with joined_ranks(timeout_seconds=60):
        trained = train(run, say=remarks.append)
        for doing, each in failing.items():
            asked = dataclasses.replace(each, output=f"{each.output}-of-1") if doing == "output" and second else each
            try:
                train(asked, say=lambda text: None)
            except (DataError, ConfigError, StorageError) as error:
                failed[doing] = str(error)
            except SystemExit as left:
                failed[doing] = f"left with {left.code}"
    with said.with_name(f"said-{os.environ['RANK']}").open("w") as file:
        json.dump([remarks[-2:], [trained.steps_done, trained.complete, trained.stopped_by], failed], file)


def train_losing_one(run: Run, said: Path) -> None:
    """One rank's work: rank 1 is killed before step 3; what rank 0 raises is written down."""
    from dolmino_cli.errors import RunFailed
    from dolmino_cli.train import loop
    from dolmino_cli.train.train import train

    make_step = loop.Loop._step

    def step(self: Any, batch: Any) -> None:
        if batch.step == 3 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        make_step(self, batch)

    loop.Loop._step = step  # type: ignore[method-assign]
    try:
        train(run, say=lambda text: None)
    except RunFailed as failed:
        said.write_text(str(failed))


def test_a_signal_or_a_failure_of_one_ends_all_ranks_after_the_same_step(
    tiny_mix: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    errors = tmp_path / "errors"
    run = tiny_run(tiny_mix, tiny_checkpoint, tmp_path / "out", steps=9)
    failing = {
        "step": tiny_run(tiny_mix, tiny_checkpoint, tmp_path / "damaged", steps=9, saving={"every_steps": 3, "export": False}),
        "warm-in": tiny_run(tiny_mix, tiny_checkpoint, tmp_path / "warm", steps=9, optimizer={"warm_in_steps": 3}),
        "checkpoint": run,
        "output": tiny_run(tiny_mix, tiny_checkpoint, tmp_path / "apart", steps=9),
    }
    run_ranks(2, train_signalled, run, failing, tmp_path / "said", errors=errors)
    assert json.loads((tmp_path / "said-0").read_text()) == [
        ["checkpoint of step 5 written", "stopped after step 5 of 9; run the same command to go on"],
        [5, False, None],
        {"step": "left with 1", "warm-in": "left with 1", "checkpoint": "left with 1", "output": "left with 1"},
    ]
    newest, apart = tmp_path / "out" / "checkpoints" / "step-0000005", tmp_path / "apart-of-1"
    assert json.loads((tmp_path / "said-1").read_text()) == [
        [],
        [5, False, "SIGUSR1"],
        {
            "step": "part-00000.npy: is damaged",
            "warm-in": "part-00000.npy: is damaged",
            "checkpoint": f"{newest}: cannot be read: stale file handle; run the same command again",
            "output": f"rank 1 does not find in {apart} what rank 0 wrote there; give an --output that all machines share",
        },
    ]
    # It was being written when the batch could not be read.
    assert [checkpoint.step for checkpoint in checkpoints_of(tmp_path / "damaged")] == [3]
    assert [checkpoint.step for checkpoint in checkpoints_of(tmp_path / "out")] == [5]
    assert not (tmp_path / "out" / "done.json").exists()
    run_ranks(2, train_all, [run], errors=errors)
    assert [line["step"] for line in step_lines(tmp_path / "out")] == list(range(1, 10))


def test_a_lost_process_is_one_line(tiny_mix: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    run = tiny_run(tiny_mix, tiny_checkpoint, tmp_path / "out", steps=9)
    codes = finish(launch(2, train_losing_one, run, tmp_path / "said", errors=errors), errors=errors)
    assert codes == [0, -signal.SIGKILL]
    assert (tmp_path / "said").read_text().startswith("rank 0 lost another process: ")
