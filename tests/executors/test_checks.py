"""What can be known before hours of work is said before them."""

from __future__ import annotations

import logging
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.executors.checks import FLOOR_BYTES, check_open_files, check_place, check_scratch
from dolmino_cli.shards.output import Output

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """Limits of open files that stand in for this process's."""
    held = {"now": (256, 1000)}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: held["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: held.update(now=limits))
    return held


def test_enough_open_files_are_left_alone(limits: dict[str, tuple[int, int]]) -> None:
    check_open_files(16)
    assert limits["now"] == (256, 1000)


def test_the_soft_limit_of_open_files_is_raised(limits: dict[str, tuple[int, int]]) -> None:
    check_open_files(100)
    assert limits["now"] == (928, 1000)
    check_open_files(1, at_once=800)
    assert limits["now"] == (936, 1000)


def test_a_hard_limit_that_is_too_low_is_said(limits: dict[str, tuple[int, int]]) -> None:
    with pytest.raises(ConfigError) as caught:
        check_open_files(200)
    assert str(caught.value) == (
        "200 workers need 1,728 open files in one process and the hard limit here is 1,000 (`ulimit -Hn`); "
        "raise it, or give fewer --workers"
    )
    assert limits["now"] == (256, 1000)


def free(monkeypatch: pytest.MonkeyPatch, bytes_free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, 0, bytes_free))


def test_room_enough_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    free(monkeypatch, 1000)
    check_place(Output(str(tmp_path / "out")), writes_bytes=1000, at_once_bytes=0)
    assert caplog.messages == [] and not (tmp_path / "out").exists()


def test_too_little_room_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    free(monkeypatch, 2_000_000_000)
    with caplog.at_level(logging.WARNING):
        check_place(Output(str(tmp_path / "out")), writes_bytes=5_000_000_000, at_once_bytes=0)
    assert caplog.messages == [
        f"2,000 MB are free in {tmp_path}, and what is written to {tmp_path}/out will take about 5,000 MB; if it fills up, "
        "what is done by then is kept: free some space, or give another --output"
    ]


def test_hardly_any_room_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, FLOOR_BYTES - 1)
    with pytest.raises(
        ConfigError, match=r"537 MB are free in .*, and what is written .* 600 MB; free some space, or give anoth"
    ):
        check_place(Output(str(tmp_path)), writes_bytes=600_000_000, at_once_bytes=0)
    with pytest.raises(ConfigError, match=r"give another --scratch"):
        check_scratch(tmp_path, 600_000_000)


def test_for_s3_the_temporary_folder_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    monkeypatch.setattr(Output, "check_writable", lambda self: None)
    free(monkeypatch, 5)
    check_place(Output("s3://bucket/out"), writes_bytes=600, at_once_bytes=5)
    with pytest.raises(ConfigError, match=rf"free in {tmp_path}, and scratch files for s3://bucket/out .*; .* or set TMPDIR"):
        check_place(Output("s3://bucket/out"), writes_bytes=600, at_once_bytes=6)


def test_an_output_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="is no folder"):
        check_place(Output(str(tmp_path / "file/out")), writes_bytes=0, at_once_bytes=0)


_FULL = """
import resource, sys
from dolmino_cli.errors import StorageError
from dolmino_cli.shards.output import Output
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with Output("s3://bucket/out").create("documents/a.jsonl.zst") as pending:
        pending.write(b"x" * 2000)
except StorageError as error:
    print(error)
"""


def test_full_scratch_names_its_folder_and_the_variable(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", _FULL], env=environment, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"cannot write the scratch file {tmp_path}/dolmino-")
    assert "for s3://bucket/out/documents/a.jsonl.zst (TMPDIR chooses its folder): the file would be larger than" in said
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
