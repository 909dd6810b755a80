"""A signal to one rank ends all of them after the same step, with a checkpoint; the run goes on from there."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from dolmino_cli.errors import DataError
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.saving.checkpoints import checkpoints_of
from tests.train.launched import finish, launch, run_ranks
from tests.train.tiny import step_lines, tiny_run, train_all


def train_signalled(run: Run, damaged: Run, said: Path) -> None:
    """One rank's work: rank 1 gets SIGUSR1 as it makes step 5, and in a second run it cannot read the batch of step 4."""
    from dolmino_cli.train import loop
    from dolmino_cli.train.data.mix_data import MixData
    from dolmino_cli.train.ranks import joined_ranks
    from dolmino_cli.train.train import train

    make_step, read_step = loop.Loop._step, MixData.step
    second = os.environ["RANK"] == "1"

    def step(self: Any, batch: Any) -> None:
        if batch.step == 5 and second:
            os.kill(os.getpid(), signal.SIGUSR1)
        make_step(self, batch)

    def read(self: Any, step: int) -> Any:
        if step == 4 and second and self._run == damaged:
            raise DataError("is damaged", path="part-00000.npy")
        return read_step(self, step)

    loop.Loop._step, MixData.step = step, read  # type: ignore[method-assign]
    remarks: list[str] = []
    with joined_ranks(timeout_seconds=60):
        trained = train(run, say=remarks.append)
        try:
            train(damaged, say=lambda text: None)
        except DataError as error:
            failed = str(error)
        except SystemExit as left:
            failed = f"left with {left.code}"
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
    damaged = tiny_run(tiny_mix, tiny_checkpoint, tmp_path / "damaged", steps=9)
    run_ranks(2, train_signalled, run, damaged, tmp_path / "said", errors=errors)
    assert json.loads((tmp_path / "said-0").read_text()) == [
        ["checkpoint of step 5 written", "stopped after step 5 of 9; run the same command to go on"],
        [5, False, None],
        "left with 1",
    ]
    assert json.loads((tmp_path / "said-1").read_text()) == [[], [5, False, "SIGUSR1"], "part-00000.npy: is damaged"]
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
