"""`dolmino checkpoint` refuses in one line what it cannot do; what it does is in tests/train/test_train.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.errors import MissingExtra
from dolmino_cli.train.saving.checkpoints import STATE, State, folder_of
from tests.cli.run import dolmino


def saved(output: Path, step: int) -> None:
    folder = folder_of(output, step)
    folder.mkdir(parents=True)
    run = {"batch_sequences": 8, "sequence_length": 64}
    state = State(id="a", step=step, run=run, mix={}, start={}, model={}, ran={"world_size": 4})
    (folder / STATE).write_bytes(state.to_json())


def test_checkpoints_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    saved(tmp_path, 1000)
    saved(tmp_path, 12000)
    (tmp_path / "checkpoints" / "step-0013000.partial").mkdir()
    lines = dolmino(monkeypatch, capsys, "checkpoint", "list", tmp_path).out.splitlines()
    assert [line.split()[:2] for line in lines] == [["step", "tokens"], ["1,000", "512,000"], ["12,000", "6,144,000"]]


def test_wrong_requests_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = dolmino(monkeypatch, capsys, "checkpoint", "list", tmp_path)
    assert (found.code, found.error) == (
        2,
        f"{tmp_path} has no checkpoints; give the output folder of a run of dolmino, or a checkpoint in it",
    )
    saved(tmp_path, 1000)
    found = dolmino(monkeypatch, capsys, "checkpoint", "export", tmp_path, "-o", tmp_path / "out", "--dtype", "fp16")
    assert (found.code, found.error) == (2, "--dtype is 'fp16'; it must be bf16 or fp32")
    found = dolmino(monkeypatch, capsys, "checkpoint", "export", tmp_path, "-o", tmp_path / "out", "--step", 3)
    assert (found.code, found.error) == (2, f"{tmp_path} has no checkpoint of step 3; it has 1000")
    with monkeypatch.context() as patched:
        patched.setattr("importlib.util.find_spec", lambda name: None)
        found = dolmino(monkeypatch, capsys, "checkpoint", "export", tmp_path, "-o", tmp_path / "out")
    assert found.code == MissingExtra.exit_code
    assert "needs the package 'torch'; install it with: pip install 'dolmino[train]'" in found.error
    (folder_of(tmp_path, 1000) / STATE).write_text('{"format": "dolmino checkpoint"')
    found = dolmino(monkeypatch, capsys, "checkpoint", "list", tmp_path)
    assert found.code == 1
    assert "state.json: is not the state of a checkpoint: " in found.error
