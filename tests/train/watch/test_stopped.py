"""A signal to one rank ends all of them after the same step, with a checkpoint; the run goes on from there."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from dolmino_cli.train.run_file import Run
from dolmino_cli.train.saving.checkpoints import checkpoints_of
from tests.train.launched import finish, launch, run_ranks
from tests.train.tiny import step_lines, tiny_run, train_all


def train_signalled(runs: list[Run], said: Path) -> None:
    """One rank's work: rank 1 gets SIGUSR1 as it makes step 5; what train() says and returns is written down."""
    from dolmino_cli.train import loop
    from dolmino_cli.train.ranks import joined_ranks
    from dolmino_cli.train.train import train

    make_step = loop.Loop._step

    def step(self: Any, batch: Any) -> None:
        if batch.step == 5 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGUSR1)
        make_step(self, batch)

    loop.Loop._step = step  # type: ignore[method-assign]
    remarks: list[str] = []
    with joined_ranks(timeout_seconds=60):
        trained = [train(run, say=remarks.append) for run in runs]
    with said.with_name(f"said-{os.environ['RANK']}").open("w") as file:
        json.dump([remarks[-2:], [[each.steps_done, each.complete, each.stopped_by] for each in trained]], file)


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


def test_a_signal_ends_all_ranks_after_the_same_step(tiny_mix: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    run = tiny_run(tiny_mix, tiny_checkpoint, tmp_path / "out", steps=9)
    codes = finish(launch(2, train_signalled, [run], tmp_path / "said", errors=errors), errors=errors)
    assert codes == [0, 0], errors.read_text()
    assert json.loads((tmp_path / "said-0").read_text()) == [
        ["checkpoint of step 5 written", "stopped after step 5 of 9; run the same command to go on"],
        [[5, False, None]],
    ]
    assert json.loads((tmp_path / "said-1").read_text()) == [[], [[5, False, "SIGUSR1"]]]
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
