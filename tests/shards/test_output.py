"""Output: a file is there whole or not at all, and a full disk says so."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.shards.leftovers import leftovers, remove_gone
from dolmino_cli.shards.listed import listed_locally
from dolmino_cli.shards.owner import owner
from dolmino_cli.shards.storage import Output


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_nothing_shows_before_publish(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    with output.create("a/x.bin") as pending:
        pending.write(b"hello ")
        pending.write(memoryview(b"world"))
        assert names(tmp_path) == [f"a/.x.bin.{owner()}.partial"]
        assert not output.exists("a/x.bin")
        pending.publish()
    assert names(tmp_path) == ["a/x.bin"]
    assert (tmp_path / "a" / "x.bin").read_bytes() == b"hello world"
    assert (pending.bytes, pending.sha256) == (11, hashlib.sha256(b"hello world").hexdigest())


def test_an_error_discards(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Output(str(tmp_path)).create("x") as pending:
        pending.write(b"half")
        raise KeyError
    assert names(tmp_path) == []


def test_what_failed_is_said_though_what_was_written_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full or broken refuses to delete, too: that must not take the place of the first failure."""
    output = Output(str(tmp_path))
    with monkeypatch.context() as broken:
        broken.setattr(os, "unlink", refuse)
        with pytest.raises(StorageError, match="the first failure"), output.create("x") as pending:
            pending.write(b"half")
            raise StorageError("the first failure")
        assert output.put_new("y", b"whole")
    assert names(tmp_path) == [f".x.{owner()}.partial", f".y.{owner()}.partial", "y"]
    assert not output.put_new("y", b"other")
    assert (output.read("y"), names(tmp_path)) == (b"whole", [f".x.{owner()}.partial", "y"])


def refuse(path: Path, **options: object) -> None:
    raise OSError(errno.EIO, "Input/output error", str(path))


def test_publish_replaces_and_discard_after_publish_keeps(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    output.put("x", b"old")
    with output.create("x") as pending:
        pending.write(b"new")
        assert output.read("x") == b"old"
        pending.publish()
    pending.discard()
    assert output.read("x") == b"new"


def test_small_files(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    assert (output.read("a/b"), output.exists("a/b")) == (None, False)
    output.put("a/b", b"1")
    assert (output.read("a/b"), output.exists("a/b"), output.local_path("a/b")) == (b"1", True, tmp_path / "a" / "b")
    output.delete("a/b")
    output.delete("a/b")
    assert names(tmp_path) == []
    assert pickle.loads(pickle.dumps(output)).root == str(tmp_path)


@pytest.mark.parametrize("name", ["", "..", "a/../../x", "/etc/x"])
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is not a name inside"):
        Output(str(tmp_path)).put(name, b"")


@pytest.mark.parametrize("root", ["hf://datasets/a/b", "gs://b", ""])
def test_places_that_cannot_be_written(root: str) -> None:
    with pytest.raises(ConfigError, match=r"allowed: a local folder, or s3://bucket/prefix|give a local folder"):
        Output(root)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(StorageError, match=r"^cannot write .*/x/y: a part of this path is a file, not a folder$"):
        Output(str(tmp_path / "x")).create("y")


def test_a_folder_that_others_remove_while_it_is_empty_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, removed = os.mkdir, []

    def make_in_vain(path: Path, mode: int = 0o777) -> None:
        make(path, mode)
        if len(removed) < 3:
            removed.append(path.name)
            path.rmdir()

    monkeypatch.setattr(os, "mkdir", make_in_vain)
    Output(str(tmp_path)).put("a/b/x", b"1")
    assert (names(tmp_path), removed) == (["a/b/x"], ["a"] * 3)


def test_what_was_written_anew_since_it_was_looked_at_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes find the lease of one that has ended: the slower one does not remove that of the faster."""
    output, read = Output(str(tmp_path)), Output.read
    output.put("a", b"old")

    def then_another_is_faster(self: Output, name: str) -> bytes | None:
        found = read(self, name)
        (tmp_path / "a").write_bytes(b"new")
        return found

    with monkeypatch.context() as slow:
        slow.setattr(Output, "read", then_another_is_faster)
        assert not output.remove_if("a", b"old")
    assert (names(tmp_path), output.read("a")) == (["a"], b"new")
    assert output.remove_if("a", b"new")
    assert names(tmp_path) == []


KILLED = """
import os, signal, sys
from dolmino_cli.shards.leftovers import leftovers, remove_gone
from dolmino_cli.shards.owner import owner
from dolmino_cli.shards.storage import Output
pending = Output(sys.argv[1]).create("x")
pending.write(b"half of what was to be written")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_told_from_what_is_being_written(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Output(str(tmp_path)).create("x") as pending:
        pending.write(b"whole")
        assert sorted((leftover.gone, leftover.bytes) for leftover in leftovers(tmp_path)) == [(False, 5), (True, 30)]
        remove_gone(tmp_path)
        pending.publish()
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"whole"


def test_what_a_killed_listing_asks_the_clock_with_is_known_as_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").touch()
    with monkeypatch.context() as killed:
        killed.setattr(Path, "unlink", lambda *_, **__: None)
        assert [found.name for found in listed_locally(tmp_path)] == ["x"]
    assert [(leftover.gone, leftover.bytes) for leftover in leftovers(tmp_path)] == [(False, 0)]


LIMITED = """
import resource, sys
from dolmino_cli.errors import StorageError
from dolmino_cli.shards.leftovers import leftovers, remove_gone
from dolmino_cli.shards.owner import owner
from dolmino_cli.shards.storage import Output
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    with Output(sys.argv[1]).create("x") as pending:
        for _ in range(3):
            pending.write(bytes(1_000_000))
        pending.publish()
except StorageError as error:
    print(error)
"""


def test_a_file_size_limit(tmp_path: Path) -> None:
    answer = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True)
    reason = "the file would be larger than this file system or `ulimit -f` allows; choose another place"
    assert answer.stdout == f"cannot write {tmp_path}/x: {reason}\n"
    assert names(tmp_path) == []


def test_a_full_disk(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk here")
    try:
        output = Output(str(tmp_path))
        with pytest.raises(StorageError) as failure, output.create("x") as pending:
            for _ in range(3):
                pending.write(bytes(1_000_000))
        assert str(failure.value) == f"cannot write {tmp_path}/x: the disk is full; free some space or choose another place"
        assert names(tmp_path) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
