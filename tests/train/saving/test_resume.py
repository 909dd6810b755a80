"""A run that was killed goes on as if nothing had been: the same data, the same losses; to the last bit on as many ranks."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.train.run_file import Run, SkipStep
from dolmino_cli.train.saving.checkpoints import PARTIAL
from tests.train.launched import kill, launch, run_ranks
from tests.train.tiny import step_lines, tiny_run, train_all

STEPS = 22


def run_in(output: Path, mix: Path, checkpoint: Path, *, replicas: int = 1) -> Run:
    """22 steps, a checkpoint after every fourth; skip_step judges the last seven, by a history that a checkpoint must hold."""
    return tiny_run(
        mix,
        checkpoint,
        output,
        steps=STEPS,
        optimizer={"skip_step": SkipStep(window=8, sigmas=0.5)},
        hardware={"micro_batch_sequences": 4, "replicas": replicas},
        saving={"every_steps": 4, "keep": 2, "export": False},
        watch={"every_steps": 2},
    )


def train_until_killed(before: list[Run], run: Run, killed_in: str, at_step: int) -> None:
    """One rank's work: whole runs, then one in which the last rank is killed -9 in the middle of something."""
    import torch.distributed.checkpoint as dcp

    from dolmino_cli.train import loop
    from dolmino_cli.train.ranks import joined_ranks

    with joined_ranks(timeout_seconds=60):
        train_all(before)
        make_step, write = loop.Loop._step, dcp.FileSystemWriter.write_data
        last = os.environ["RANK"] == str(int(os.environ["WORLD_SIZE"]) - 1)

        def reached(what: str, here: bool) -> None:
            if last and what == killed_in and here:
                os.kill(os.getpid(), signal.SIGKILL)

        def step(self: Any, batch: Any) -> None:
            if batch.step == at_step - 1 and self.saver._begun is not None:
                self.saver._begun.written.result()  # so that it is published before the next step, however slow the disk is
            reached("step", batch.step == at_step)
            make_step(self, batch)

        def write_data(self: Any, *arguments: Any) -> Any:
            reached("write", f"{at_step:07d}" in str(self.path))
            return write(self, *arguments)

        loop.Loop._step, dcp.FileSystemWriter.write_data = step, write_data  # type: ignore[method-assign]
        train_all([run])


def killed(world_size: int, before: list[Run], run: Run, killed_in: str, at_step: int, errors: Path) -> list[str]:
    """Start, wait for the last rank to be killed, kill the others; return what is under checkpoints/."""
    ranks = launch(world_size, train_until_killed, before, run, killed_in, at_step, errors=errors)
    ranks[-1].join(600)
    assert ranks[-1].exitcode == -signal.SIGKILL, errors.read_text()
    kill(ranks[:-1])
    return sorted(path.name for path in (Path(str(run.output)) / "checkpoints").iterdir())


def test_killed_runs_go_on(tiny_mix: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    names = ("whole", "step", "write", "publish", "on-1", "on-4")
    runs = {name: run_in(tmp_path / name, tiny_mix, tiny_checkpoint, replicas=2 if name == "on-4" else 1) for name in names}
    left = killed(2, [runs["whole"]], runs["step"], "step", 19, errors)
    assert left == ["step-0000012", "step-0000016"]
    for name in ("write", "publish", "on-1", "on-4"):
        shutil.copytree(tmp_path / "step", tmp_path / name)
    left = killed(2, [], runs["write"], "write", 20, errors)
    assert left == ["step-0000012", "step-0000016", "step-0000020.partial"]
    # Killed when all was written, and before it was said to be.
    written = tmp_path / "publish" / "checkpoints" / "step-0000016"
    (written / "state.json").unlink()
    written.rename(written.with_name(written.name + PARTIAL))

    train_all([runs["on-1"]])
    run_ranks(2, train_all, [runs["step"], runs["write"], runs["publish"]], errors=errors)
    run_ranks(4, train_all, [runs["on-4"]], errors=errors)

    whole = step_lines(tmp_path / "whole")
    assert [line["step"] for line in whole] == list(range(1, STEPS + 1))
    assert any(line["left_out"] for line in whole[16:])
    # Begun on two ranks, and gone on with on two: not a bit differs.
    for name in ("step", "write", "publish"):
        assert step_lines(tmp_path / name) == whole, name
    for name in ("on-1", "on-4"):
        lines = step_lines(tmp_path / name)
        assert [line["windows_sha256"] for line in lines] == [line["windows_sha256"] for line in whole]
        assert [line["objective"] for line in lines] == pytest.approx([line["objective"] for line in whole], abs=1e-5), name
        assert [line["left_out"] for line in lines] == [line["left_out"] for line in whole]
        kept = sorted(path.name for path in (tmp_path / name / "checkpoints").iterdir())
        assert kept == ["step-0000016", "step-0000020", "step-0000022"]
        assert (tmp_path / name / "done.json").is_file()
