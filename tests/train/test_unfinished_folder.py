"""A folder in the making: there as a whole or not at all, by one process at a time."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from dolmino_cli.errors import RunFailed
from dolmino_cli.train.unfinished_folder import unfinished
from tests.executors.shares import at_once


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_it_appears_as_a_whole(tmp_path: Path) -> None:
    with unfinished(tmp_path / "deep/soup") as partial:
        (partial / "weights").touch()
        assert names(tmp_path) == ["deep", "deep/.soup.partial", "deep/.soup.partial/weights"]
    assert names(tmp_path) == ["deep", "deep/soup", "deep/soup/weights"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".soup.partial/folder").mkdir(parents=True)
    for name in ("weights", "folder/weights"):
        (tmp_path / ".soup.partial" / name).touch()
    with unfinished(tmp_path / "soup") as partial:
        assert names(partial) == []
    assert names(tmp_path) == ["soup"]


@pytest.mark.parametrize("error", [OSError("no room"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), unfinished(tmp_path / "soup") as partial:
        (partial / "weights").touch()
        raise error
    assert names(tmp_path) == []


def write(folder: Path) -> str:
    with unfinished(folder):
        return "written"


def test_another_process_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    with unfinished(tmp_path / "soup") as making:
        (making / "weights").touch()
        (refused,) = at_once(partial(write, tmp_path / "soup"))
        assert isinstance(refused, RunFailed)
        assert str(refused).startswith(f"another process is writing {tmp_path / 'soup'}; wait until it has ended")
    assert names(tmp_path) == ["soup", "soup/weights"]


def test_a_folder_that_another_finishes_just_now_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was opened under its unfinished name, and has its own when the lock is had."""

    def finished_before(held: int, how: int) -> None:
        (tmp_path / ".soup.partial").rename(tmp_path / "soup")

    monkeypatch.setattr("dolmino_cli.train.locks.fcntl.flock", finished_before)
    with pytest.raises(RunFailed, match="another process is writing"), unfinished(tmp_path / "soup"):
        pass
    assert names(tmp_path) == ["soup"]
