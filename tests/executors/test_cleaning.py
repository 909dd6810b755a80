"""`dolmino clean` takes what nobody needs, leaves what is in use or not known, and never touches a result."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import pytest

from dolmino_cli.executors.cleaning import find
from dolmino_cli.executors.leases import Leases
from dolmino_cli.executors.local import Local
from dolmino_cli.executors.shared import Shared
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.owner import owner
from dolmino_cli.shards.s3_client import client
from tests.cli.run import dolmino
from tests.s3_server import S3Server

DAY = 86400.0
OURS_GONE = f"{owner().split('-')[0]}-0-1"  # of this machine; no process has the number 0
ELSEWHERE = "0badcafe-1-1"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def put(root: Path, *names: str, days_old: float = 0, content: str = "12345") -> set[str]:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        then = time.time() - days_old * DAY
        os.utime(path, (then, then))
    return set(names)


def lease_of(who: str) -> str:
    return json.dumps({"owner": who, "host": "h"})


def test_a_local_output(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    results = put(
        out,
        *("documents/web/a.jsonl.zst", "attributes/web/a.parquet", "quarantine/a.parquet", "rejects/web/a.jsonl.zst"),
        *("ledger/web/a.jsonl.zst.json", "failures/b.json", "logs/x.log", "arrays.json", "part-00000.npy"),
        days_old=9,
    ) | put(out, "run.json", content='{"complete": true}')
    kept = put(out, f"documents/web/.b.zst.{owner()}.partial", f"documents/web/.c.zst.{ELSEWHERE}.partial")
    kept |= put(out, "parts/web/b.jsonl.zst/0/documents", "parts/web/b.jsonl.zst/0/part.json")
    kept |= put(out, "leases/shards/b.json", content=lease_of(ELSEWHERE))
    going = put(out, f"documents/web/.d.zst.{OURS_GONE}.partial", f".e.{OURS_GONE}.partial")
    going |= put(out, f"attributes/.f.{ELSEWHERE}.partial", days_old=2)
    going |= put(out, "parts/web/a.jsonl.zst/0/documents", "parts/web/a.jsonl.zst/1/part.json")
    going |= put(out, "leases/run.json", content=lease_of(OURS_GONE))
    going |= put(out, "leases/shards/c.json", content=lease_of(ELSEWHERE), days_old=0.1)
    of_tmp = put(temporary, f"dolmino-{os.getuid()}/x.{owner()}.partial", "others/file", "dolmino-x/f")
    of_tmp |= put(temporary, "dolmino-sample-0123456789abcdef/new")
    of_tmp |= put(temporary, "others/old", "dolmino-x/old", days_old=9)
    gone_tmp = put(temporary, f"dolmino-{os.getuid()}/y.{OURS_GONE}.partial")
    gone_tmp |= put(temporary, "dolmino-choose-ab/old", days_old=2)
    gone_tmp |= put(temporary, "dolmino-join-0123456789abcdef/old", days_old=2)

    listed = dolmino(monkeypatch, capsys, "clean", out)
    assert listed.code == 0
    assert listed.out.endswith("\n9 of 15 may go, 116 B\n"), listed.out
    assert listed.err == "nothing was removed; --yes removes what may go\n"
    assert (files(out), files(temporary)) == (results | kept | going, of_tmp | gone_tmp)

    removed = dolmino(monkeypatch, capsys, "clean", out, "--yes")
    assert removed.out.endswith("\n9 of 15 may go, 116 B: removed\n"), removed.out
    assert (files(out), files(temporary)) == (results | kept, of_tmp)
    assert not (out / "parts/web/a.jsonl.zst").exists()

    again = dolmino(monkeypatch, capsys, "clean", out, "--yes", "--older-than", "0s")
    assert again.code == 0
    in_use = {f"documents/web/.b.zst.{owner()}.partial", "leases/shards/b.json"}
    of_b = {"parts/web/b.jsonl.zst/0/documents", "parts/web/b.jsonl.zst/0/part.json"}
    assert files(out) == results | in_use | of_b


@pytest.mark.parametrize(("complete", "held", "kept"), [(True, False, False), (False, False, True), (True, True, True)])
def test_results_that_processes_keep_for_each_other(tmp_path: Path, complete: bool, held: bool, kept: bool) -> None:
    out = tmp_path / "out"
    put(out, "run.json", content=json.dumps({"complete": complete}))
    put(out, ".jobs/split.json", ".jobs/join.json", days_old=0.5)
    put(out, ".scratch/rows", days_old=2)
    lease = Leases(Output(str(out))).take("shards/a") if held else None
    found = {leftover.what: leftover for leftover in find(Output(str(out)), older_than_seconds=DAY)}
    assert (found["manifests of phases (2 files)"].kept is not None) == kept
    assert (found["scratch folder"].kept is not None) == held
    if lease:
        with lease:
            assert found["lease"].kept == "held by a process that is running"


def test_a_scratch_folder_without_files_goes_by_its_own_age(tmp_path: Path, temporary: Path) -> None:
    for name, days_old in {"dolmino-choose-new": 0, "dolmino-choose-old": 2}.items():
        (temporary / name).mkdir()
        then = time.time() - days_old * DAY
        os.utime(temporary / name, (then, then))
    for _ in range(2):  # to be looked at makes neither younger
        found = {Path(one.where).name: one.kept for one in find(Output(str(tmp_path / "out")), older_than_seconds=DAY)}
        assert found == {"dolmino-choose-new": "may be in use: not old enough", "dolmino-choose-old": None}


def test_an_output_on_s3(s3: S3Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    root = s3.file("clean/x").parent
    results = put(root, "documents/a.jsonl.zst", "ledger/a.jsonl.zst.json")
    kept = put(root, "parts/b.jsonl.zst/0/documents") | put(root, "leases/b.json", content=lease_of(owner()))
    put(root, "parts/a.jsonl.zst/0/documents")
    put(root, "leases/a.json", content=lease_of(OURS_GONE))
    upload = client().create_multipart_upload(Bucket="bucket", Key="clean/documents/c")["UploadId"]
    client().upload_part(Bucket="bucket", Key="clean/documents/c", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    client().create_multipart_upload(Bucket="bucket", Key="clean-not/c")
    assert dolmino(monkeypatch, capsys, "clean", s3.uri("clean"), "--yes").code == 0
    assert files(root) == results | kept
    output = Output(s3.uri("clean"))
    left = {leftover.what: leftover for leftover in find(output, older_than_seconds=DAY)}
    assert left["unfinished upload"].kept == "may be running: not old enough"
    assert (left["unfinished upload"].where, left["unfinished upload"].bytes) == ("s3://bucket/clean/documents/c", 100)
    [upload] = [one for one in find(output, older_than_seconds=-1) if one.what == "unfinished upload"]
    assert upload.kept is None
    upload.remove()
    upload.remove()
    # Of these tests: the server remembers those that others left unfinished.
    uploads = client().list_multipart_uploads(Bucket="bucket", Prefix="clean").get("Uploads", [])
    assert [one["Key"] for one in uploads] == ["clean-not/c"]


def test_nothing_left_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (tmp_path / "out", tmp_path / "not-there"):
        assert dolmino(monkeypatch, capsys, "clean", place).out == f"nothing is left over in {place}\n"
    refused = dolmino(monkeypatch, capsys, "clean", tmp_path, "--older-than", "soon")
    assert (refused.code, refused.error) == (2, "--older-than 'soon': give a time such as 30s, 90m, 12h or 2d")


@pytest.mark.parametrize("share", [False, True])
def test_a_run_to_s3_clears_away_the_scratch_files_of_killed_processes(s3: S3Server, temporary: Path, share: bool) -> None:
    folder = f"dolmino-{os.getuid()}"
    put(temporary, f"{folder}/big.{OURS_GONE}.partial")
    kept = put(temporary, f"{folder}/a.{owner()}.partial", f"{folder}/b.{ELSEWHERE}.partial")
    output = Output(s3.uri("scratch"))
    executor = Shared(index=0, of=2, output=output) if share else Local()
    with executor.claim(output):
        pass
    assert files(temporary) == kept
