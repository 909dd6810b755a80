"""The scripts of job arrays; the arrays themselves are tested where verbs are submitted (tests/cli/test_slurm.py)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dolmino_cli.errors import RunFailed
from dolmino_cli.executors.slurm import ArrayJob, cancel_waiting, elements, write_script


def test_two_submissions_at_once_have_a_script_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One job folder for all runs is what outputs on S3 have."""

    def written(source: str) -> Path:
        command = ["dolmino", "filter", source]
        return write_script(
            ArrayJob(name="x", command=command, elements=2, workers=1, working_folder=tmp_path, job_folder=tmp_path)
        )

    def listed_before_the_other_wrote(folder: Path, pattern: str) -> Iterator[Path]:
        found = list(listed(folder, pattern))
        monkeypatch.undo()
        scripts["flan"] = written("flan")
        return iter(found)

    scripts, listed = {"web": written("web")}, Path.glob
    monkeypatch.setattr(Path, "glob", listed_before_the_other_wrote)
    scripts["dclm"] = written("dclm")
    assert {source: path.name for source, path in scripts.items()} == {
        "web": "001.sbatch",
        "flan": "002.sbatch",
        "dclm": "003.sbatch",
    }
    for source, path in scripts.items():
        assert f"exec dolmino filter {source} " in path.read_text()


def test_a_controller_that_does_not_answer_when_a_run_is_done_does_not_fail_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(words: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(words, 60)

    monkeypatch.setattr(shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(subprocess, "run", hang)
    cancel_waiting("17")
    with pytest.raises(RunFailed, match=r"squeue did not answer in 60 s"):
        elements("17")
