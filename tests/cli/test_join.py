"""`dolmino join stackexchange` as one types it."""

from __future__ import annotations

import errno
import io
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dolmino_cli.errors import StorageError
from dolmino_cli.sources.stackexchange import tasks
from dolmino_cli.sources.stackexchange.dumps import Dump
from tests.cli.run import dolmino
from tests.pipeline.make import read_json, tree
from tests.sources.stackexchange.make import HEAD, TAIL, documents, posts, question, write, write_7z
from tests.sources.stackexchange.test_join import SMALL


def test_the_account_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "in", "x.com", posts(SMALL))
    outcome = dolmino(monkeypatch, capsys, "join", "stackexchange", tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "15 rows = 6 in documents + 9 dropped + 0 quarantined" in outcome.out
    assert "3 documents of 8 questions on 1 sites" in outcome.out
    run = read_json(tmp_path / "out/run.json")
    assert (run["complete"], run["counts"]["documents"]) == (True, 3)  # type: ignore[index]
    again = dolmino(monkeypatch, capsys, "join", "stackexchange", tmp_path / "in", "-o", tmp_path / "out")
    assert "1 sites are done already and skipped" in again.err
    assert again.out == outcome.out


def test_the_recipe_decides_as_the_join_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "in", "x.com", posts(SMALL))
    for arguments in (
        ("join", "stackexchange", tmp_path / "in", "-o", tmp_path / "joined"),
        ("join", "stackexchange", tmp_path / "in", "-o", tmp_path / "all", "--all-scores"),
        ("filter", "stackexchange", tmp_path / "all", "-o", tmp_path / "filtered"),
    ):
        outcome = dolmino(monkeypatch, capsys, *arguments)
        assert outcome.code == 0, outcome.err
    assert len(documents(tmp_path / "all")) == 5
    assert documents(tmp_path / "filtered") == documents(tmp_path / "joined")


def test_dry_run_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    content = posts(SMALL)
    write(tmp_path / "in", "x.com", content)
    write_7z(tmp_path / "in/y.com-Posts.7z", {"Posts.xml": content})
    outcome = dolmino(monkeypatch, capsys, "join", "stackexchange", tmp_path / "in", "-o", tmp_path / "out", "--dry-run")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count(f"{len(content) / 1000:.2f} kB of XML  to read") == 2
    assert "nothing was written" in outcome.out
    assert not (tmp_path / "out").exists()


FAULTS = {
    "unclosed": (HEAD + question(1), r"x\.com/Posts\.xml:3: the file ends before </posts>"),
    "billion laughs": (b'<!DOCTYPE posts [<!ENTITY a "ha">]>\n<posts>\n</posts>', r"Posts\.xml:1: a document type"),
    "wrong type": (posts([question(1, accepts="two")]), r"Posts\.xml:3: AcceptedAnswerId 'two' is not an integer"),  # type: ignore[arg-type]
    "another table": (HEAD.replace(b"posts", b"users") + TAIL, r"Posts\.xml:2: <users> where <posts> is expected"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_malformed_dump_gives_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    content, message = FAULTS[fault]
    write(tmp_path / "in", "x.com", content)
    outcome = dolmino(monkeypatch, capsys, "join", "stackexchange", tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert re.search(message, outcome.error), outcome.error
    assert not results(tmp_path / "out")


def results(output: Path) -> list[str]:
    """What a join writes, besides why it failed."""
    return [name for name in tree(output) if not name.startswith(("failures/", "logs/"))]


FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.argv = ["dolmino", *sys.argv[1:]]
from dolmino_cli.cli.main import run
run()
"""


def test_a_full_scratch_disk_is_said_and_left_clean(tmp_path: Path) -> None:
    """A limit on file size fails a write in the middle of the first pass as a full disk does."""
    dice = random.Random(4)
    rows = [question(number, accepts=number + 1, Body=dice.randbytes(500).hex()) for number in range(1, 2000)]
    write(tmp_path / "in", "x.com", posts(rows))
    command = [sys.executable, "-c", FULL_DISK, "join", "stackexchange", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    (error,) = [text for text in done.stderr.splitlines() if text.startswith("dolmino: error: ")]
    assert re.search(r"cannot write the scratch file .*/questions-000000000\.zst \(--scratch chooses its folder\)", error), error
    assert not results(tmp_path / "out")


def damaged(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.read_bytes()[:-40], r"x\.com\.7z: not a readable 7z archive"),
        (lambda path: b"", r"x\.com\.7z: not a readable 7z archive"),
        (damaged, r"x\.com\.7z:\d+: (corrupt or truncated 7z data|XML that is not well formed)"),
    ],
    ids=["cut", "empty", "damaged"],
)
def test_a_damaged_archive_gives_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: object, message: str
) -> None:
    content = posts(question(number, Body=str(number**9)) for number in range(1, 2000))
    path = write_7z(tmp_path / "in/x.com.7z", {"Posts.xml": content})
    path.write_bytes(change(path))  # type: ignore[operator]
    outcome = dolmino(monkeypatch, capsys, "join", "stackexchange", path, "-o", tmp_path / "out")
    assert outcome.code == 1
    assert re.search(message, outcome.error), outcome.error
    assert not results(tmp_path / "out")


class Unreadable(io.RawIOBase):
    def readinto(self, buffer: object) -> int:
        raise OSError(errno.EIO, "Input/output error")


def test_a_dump_that_the_disk_does_not_give_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "in", "x.com", posts(SMALL))
    monkeypatch.setattr(tasks, "open_bytes", lambda _: Unreadable())
    outcome = dolmino(monkeypatch, capsys, "join", "stackexchange", tmp_path / "in", "-o", tmp_path / "out")
    assert (outcome.code, outcome.error) == (1, f"cannot read {tmp_path / 'in/x.com/Posts.xml'}: Input/output error")


def test_a_dump_whose_rows_are_all_there_is_not_said_to_have_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the process itself has just written is not read again: the record of that failure would outlive the run."""

    def unreadable_once_written(job: tasks.Job, dump: Dump) -> None:
        if job.folder(dump).exists():
            raise StorageError("cannot read split.json")

    write(tmp_path / "in", "x.com", posts(SMALL))
    monkeypatch.setattr(tasks, "saved_split", unreadable_once_written)
    outcome = dolmino(monkeypatch, capsys, "join", "stackexchange", tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert not (tmp_path / "out/failures").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent", "-o", "out"], "absent: there is no such file or folder"),
        (["in", "-o", "out", "--profile", "olmo"], "--profile 'olmo': allowed: paper, ai2"),
        (["in", "-o", "gs://x/y"], "cannot write to 'gs://x/y'"),
        (["in", "-o", "out", "--scratch", "s3://x/y"], "--scratch 's3://x/y': it must be on the local disk"),
    ],
)
def test_a_wrong_request_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    write(tmp_path / "in", "x.com", posts(SMALL))
    monkeypatch.chdir(tmp_path)
    outcome = dolmino(monkeypatch, capsys, "join", "stackexchange", *arguments)
    assert re.search(message, outcome.error), outcome.error
    assert outcome.code == 2
    assert not (tmp_path / "out").exists()
