"""TensorBoard gets what was read; what is not installed is said."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from dolmino_cli.errors import MissingExtra, StorageError
from dolmino_cli.train.run_file import Watch
from dolmino_cli.train.watch.trackers import numbers_of, trackers_of
from tests.executors.processes import wait_until
from tests.train.data.make import run_of


def test_numbers_are_flat() -> None:
    assert numbers_of({"step": 3, "mfu_full": None, "loss_by_source": {"web": 2.5, "math": None}}) == {
        "step": 3.0,
        "loss_by_source/web": 2.5,
    }


def test_tensorboard_hides_what_a_run_that_goes_on_makes_again(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra [tracking]")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = dataclasses.replace(run_of(), watch=Watch(tensorboard=True))
    for after_step, values in ((0, {1: 3.0, 2: 2.0, 3: 9.0}), (2, {3: 1.0})):
        (tracker,) = trackers_of(run, tmp_path, after_step=after_step)
        for step, loss in values.items():
            tracker.write(step, {"loss": loss})
        tracker.close()
    events = EventAccumulator(str(tmp_path / "metrics" / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 3.0), (2, 2.0), (3, 1.0)]


def test_wandb_writes_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("wandb", reason="needs the extra [tracking]")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB__SERVICE_WAIT", "120")  # seconds for its own process to start, of which a busy machine may take 30
    run = dataclasses.replace(run_of(), watch=Watch(wandb_project="p"))
    (tracker,) = trackers_of(run, tmp_path, after_step=0)
    tracker.write(1, {"loss": 3.0})
    tracker.close()
    (written,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    # Its own process writes, and may be behind.
    wait_until(lambda: b"loss" in written.read_bytes())
    assert capfd.readouterr() == ("", "")


def test_wandb_that_cannot_begin_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="needs the extra [tracking]")

    def refuse(**_: object) -> None:
        raise wandb.errors.UsageError("No API key configured.")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(StorageError, match=r"watch\.wandb_project p: No API key configured\. Set WANDB_MODE=offline, or leave"):
        trackers_of(dataclasses.replace(run_of(), watch=Watch(wandb_project="p")), tmp_path, after_step=0)


@pytest.mark.parametrize(("library", "watch"), [("tensorboard", Watch(tensorboard=True)), ("wandb", Watch(wandb_project="p"))])
def test_what_is_not_installed_is_said(library: str, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, {"tensorboard": "torch.utils.tensorboard"}.get(library, library), None)
    with pytest.raises(MissingExtra, match=rf"needs the package '{library}'; install it with: pip install 'dolmino\[tracking\]'"):
        trackers_of(dataclasses.replace(run_of(), watch=watch), tmp_path, after_step=0)
